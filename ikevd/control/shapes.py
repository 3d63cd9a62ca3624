"""The JSON that the control API gives out: what `docs/json.md` and `docs/json.schema.json` are made from.

The greater answers have modules of their own: `status_shapes` with `sa_shapes`, `line_shapes` (commands that are waited
for) and `reload_shapes`. Fields are only ever added under one `schema` number; what is removed or changes its meaning
raises it. Octets are in hex, times with `at` in their description are Unix seconds, durations are seconds.
"""

from __future__ import annotations

from typing import Final, Literal

from typing_extensions import TypedDict

from ikevd.observe.shapes import Record

SCHEMA: Final = 1


class Names(TypedDict):
    """`GET /v1/names`: the children of each connection."""

    schema: Literal[1]
    """Number of this description."""
    connections: dict[str, dict[str, list[str]]]
    """By name of the connection the entries of its children, and with each the names of the children that its subnets
    make; an empty list: it is one child, of its name."""


class Version(TypedDict):
    """`ikevd version --json`; `GET /v1/version`."""

    schema: Literal[1]
    """Number of this description."""
    version: str
    """Of the program: the command's own, or the daemon's."""


class Trace(TypedDict):
    """`ikevd trace --json`; `GET /v1/trace`."""

    schema: Literal[1]
    """Number of this description."""
    records: list[Record]
    """The newest negotiations that fit, oldest first."""


class Keys(TypedDict):
    """`GET /v1/keys`, where the configuration has `control.export_keys`."""

    schema: Literal[1]
    """Number of this description."""
    keys: list[str]
    """For each ISAKMP SA: initiator cookie and encryption key, a line of Wireshark's `ikev1_decryption_table`."""


class Error(TypedDict):
    """The answer of the API to a request that it refuses; commands say it on standard error instead."""

    error: str
    """One sentence."""
