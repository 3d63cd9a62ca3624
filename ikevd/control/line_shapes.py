"""The JSON of commands that are waited for (`ikevd up`, `down`, `rekey`, `reset`): a fact a line, the outcome last."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from ikevd.observe.shapes import Dropped, Established, Failed, Heard, Hint, Note, Repeated, Sent


class Owner(TypedDict):
    """What a line of `ikevd up --json` adds to each fact."""

    schema: Literal[1]
    """Number of this description."""
    event: Literal["fact"]
    """`fact`, or `end` in the last line."""
    connection: str
    """The connection that it is about."""
    child: str | None
    """The child; null in phase 1."""
    initiator: bool
    """Did this side begin the negotiation?"""


class OwnedSent(Owner, Sent):
    """A fact of that kind, with its owner."""


class OwnedHeard(Owner, Heard):
    """A fact of that kind, with its owner."""


class OwnedRepeated(Owner, Repeated):
    """A fact of that kind, with its owner."""


class OwnedDropped(Owner, Dropped):
    """A fact of that kind, with its owner."""


class OwnedHint(Owner, Hint):
    """A fact of that kind, with its owner."""


class OwnedNote(Owner, Note):
    """A fact of that kind, with its owner."""


class OwnedEstablished(Owner, Established):
    """A fact of that kind, with its owner."""


class OwnedFailed(Owner, Failed):
    """A fact of that kind, with its owner."""


class End(TypedDict):
    """The last line: the outcome."""

    schema: Literal[1]
    """Number of this description."""
    event: Literal["end"]
    """`fact`, or `end` in the last line."""
    ok: bool
    """Was it done?"""
    cause: str | None
    """Why not, in one sentence; null where it was done."""
    error: NotRequired[str]
    """Name of the error class; only where it was not done."""


OwnedFact = (
    OwnedSent | OwnedHeard | OwnedRepeated | OwnedDropped | OwnedHint | OwnedNote | OwnedEstablished | OwnedFailed
)
Line = OwnedFact | End
"""`ikevd up --json` and `ikevd down --json`, one a line; `POST /v1/up/NAME` and `/v1/down/NAME`."""
