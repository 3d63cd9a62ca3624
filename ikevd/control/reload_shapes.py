"""The JSON of a reload."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

Reach = Literal["ours", "renewed", "replaced"]
"""How far a change reaches: it holds from now on and nothing is negotiated; negotiated anew while what stands carries
the traffic; what stands ends at once and begins anew."""


class ChangedChild(TypedDict):
    """A child that both files have, and that is not the same."""

    name: str
    """Its name."""
    keys: list[str]
    """Which differ, as the file names them; never their values."""
    reach: Reach
    """`ours`: nothing is negotiated for it. `renewed`: negotiated anew. `replaced`: its IPsec SAs end at once and it
    begins anew; its traffic is blocked meanwhile."""


class ChangedConnection(TypedDict):
    """A connection that both files have, and that is not the same."""

    name: str
    """Its name."""
    keys: list[str]
    """Which differ, but for those of children."""
    reach: Reach
    """Of these keys: see there. What is not `ours` concerns the ISAKMP SA and all children."""
    children: list[ChangedChild]
    """Those that both files have."""
    added: list[str]
    """Children."""
    removed: list[str]
    """Children."""


class ChangedSetting(TypedDict):
    """A key of the file that belongs to no connection."""

    key: str
    """For example `limits.half_open`."""
    at_next_start: bool
    """Does it take effect at the next start only?"""


class Reload(TypedDict):
    """`ikevd reload --json` and `POST /v1/reload`: what the file changes."""

    schema: Literal[1]
    """Number of this description."""
    ok: bool
    """Can the file be used? If not, nothing has changed."""
    dry_run: bool
    """Was it only looked at? Then nothing has changed."""
    problems: list[str]
    """Why the file cannot be used, each with file, line and key."""
    unchanged: int
    """So many connections are what they were."""
    changed: list[ChangedConnection]
    """In the order of the file."""
    removed: list[str]
    """Connections."""
    added: list[str]
    """Connections."""
    settings: list[ChangedSetting]
    """What else is not the same."""
    remarks: list[str]
    """What somebody should know of it: new warnings of the file, secrets that a reload cannot read again."""
