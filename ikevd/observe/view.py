"""Evidence as JSON: what the control API carries and the ladder draws. Types only, so that a client starts quickly."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

Kind = Literal["sent", "heard", "repeated", "dropped", "hint", "note", "established", "failed"]


class EntryView(TypedDict):
    """One fact; the keys after `kind` stand where the fact has them."""

    at_ms: float
    """Since the negotiation began."""
    kind: Kind
    label: NotRequired[str]
    """Sent, heard, repeated: the message; dropped: the message that was awaited."""
    payloads: NotRequired[list[str]]
    octets: NotRequired[int]
    wire: NotRequired[str]
    """The datagram in hex, as an eavesdropper sees it."""
    local: NotRequired[str]
    remote: NotRequired[str]
    copy: NotRequired[int]
    answered: NotRequired[bool]
    error: NotRequired[str]
    """Name of the error class."""
    notify: NotRequired[str]
    text: NotRequired[str]
    """The reason of what was dropped or failed, the note, or what was established."""


class NegotiationView(TypedDict):
    """Which negotiation it is."""

    number: int
    exchange: str
    initiator: bool
    """Did this side start it?"""
    cookies: str
    """`initiator:responder` in hex."""
    message_id: str
    """Eight hex digits; zero in phase 1."""
    peer: str
    connection: str | None
    child: str | None
    started: float
    """Unix time in seconds."""


class RecordView(NegotiationView):
    """One negotiation and all that is known of it."""

    spis: list[str]
    """The ESP SPIs that came of it, inbound first."""
    overflow: int
    """Facts that no longer fitted."""
    entries: list[EntryView]


class FactEvent(TypedDict):
    """One fact as it happens: a line of progress of `up` and `down`."""

    event: Literal["fact"]
    negotiation: NegotiationView
    entry: EntryView
