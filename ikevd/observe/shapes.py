"""The JSON of records and of the facts in them: part of what `docs/json.md` describes (see `ikevd.control.shapes`)."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict  # pydantic refuses that of typing before Python 3.12


class Sent(TypedDict):
    """A message left."""

    at: float
    """Unix seconds."""
    fact: Literal["sent"]
    """The kind of fact."""
    label: str
    """`MM1` to `MM6`, `AM1` to `AM3`, `QM1` to `QM3`, `INFO`."""
    payloads: list[str]
    """The payload types in their order, as `SA`, `KE`, `VID`."""
    vendors: list[str]
    """Names of the vendor IDs in it, in the order in which they stand."""
    notifications: list[str]
    """Types of the notifications in it, in the order in which they stand."""
    octets: int
    """Length of the ISAKMP message."""
    wire: str
    """The message as it travelled, in hex; only its header where the record had no room for the whole."""
    path: str
    """Local and remote address and port."""
    message: NotRequired[dict[str, object]]
    """With `--decode`: every field, as `ikevd decode --json` tells it; of an encrypted message what was in it."""
    copy: int
    """1 for the first time, then counts the repetitions."""


class Heard(TypedDict):
    """A message arrived and was accepted."""

    at: float
    """Unix seconds."""
    fact: Literal["heard"]
    """The kind of fact."""
    label: str
    """As of `Sent`."""
    payloads: list[str]
    """As of `Sent`."""
    vendors: list[str]
    """As of `Sent`."""
    notifications: list[str]
    """As of `Sent`."""
    octets: int
    """As of `Sent`."""
    wire: str
    """As of `Sent`."""
    path: str
    """As of `Sent`."""
    message: NotRequired[dict[str, object]]
    """As of `Sent`."""


class Repeated(TypedDict):
    """The peer repeated a message."""

    at: float
    """Unix seconds."""
    fact: Literal["repeated"]
    """The kind of fact."""
    label: str
    """Which one."""
    answered: bool
    """Was our answer sent again?"""


class Dropped(TypedDict):
    """A message was dropped. It changed nothing."""

    at: float
    """Unix seconds."""
    fact: Literal["dropped"]
    """The kind of fact."""
    label: str
    """The message that was awaited."""
    reason: str
    """In one sentence."""
    finding: dict[str, object]
    """The same as fields: its `kind`, and what belongs to it (see Findings)."""
    error: str
    """Name of the error class, as in the counters."""
    octets: int
    """Length of the datagram."""


class Hint(TypedDict):
    """A notification in the clear: forgeable, so it is evidence and never an order."""

    at: float
    """Unix seconds."""
    fact: Literal["hint"]
    """The kind of fact."""
    notify: str
    """Name of the notify type."""


class Note(TypedDict):
    """One plain sentence worth keeping."""

    at: float
    """Unix seconds."""
    fact: Literal["note"]
    """The kind of fact."""
    text: str
    """The sentence."""
    finding: dict[str, object]
    """The same as fields: its `kind`, and what belongs to it (see Findings)."""


class Established(TypedDict):
    """The exchange ended well."""

    at: float
    """Unix seconds."""
    fact: Literal["established"]
    """The kind of fact."""
    text: str
    """What came of it."""
    finding: dict[str, object]
    """The same as fields: its `kind`, and what belongs to it (see Findings)."""


class Failed(TypedDict):
    """The exchange ended without result."""

    at: float
    """Unix seconds."""
    fact: Literal["failed"]
    """The kind of fact."""
    reason: str
    """The cause, in one sentence."""
    finding: dict[str, object]
    """The same as fields: its `kind`, and what belongs to it (see Findings)."""
    error: str
    """Name of the error class, as in the counters."""


Event = Sent | Heard | Repeated | Dropped | Hint | Note | Established | Failed


class CookiePair(TypedDict):
    """The cookies that name an ISAKMP SA."""

    initiator: str
    """Eight octets in hex."""
    responder: str
    """Eight octets in hex; zero until the responder has answered."""


class Record(TypedDict):
    """One negotiation: a phase 1, a Quick Mode or an Informational exchange."""

    number: int
    """Counts from 1 since the start of the daemon."""
    exchange: str
    """`MAIN_MODE`, `AGGRESSIVE`, `QUICK_MODE` or `INFORMATIONAL`."""
    initiator: bool
    """Did this side begin it?"""
    cookies: CookiePair
    """Of its ISAKMP SA."""
    message_id: str
    """Four octets in hex; zero in phase 1."""
    peer: str
    """Address and port of the peer."""
    connection: str | None
    """null: it never came to a connection."""
    child: str | None
    """Of a Quick Mode, once it is known."""
    started: float
    """Unix seconds."""
    spis: list[str]
    """The ESP SPIs that came of it in hex, inbound first."""
    events: list[Event]
    """What happened, oldest first."""
    not_kept: int
    """How many more facts there were."""
