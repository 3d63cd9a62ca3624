"""How many octets of evidence are kept, and what is left out of a fact that does not fit.

What a peer sends is kept as it came, so the peer chooses how long it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from operator import attrgetter
from typing import Any

from ikevd.facts import Established, Fact, Failed, Heard, Sent
from ikevd.frozen import replace
from ikevd.wire.message import HEADER_OCTETS

RECORD_OCTETS = 64 * 1024
"""Of one negotiation. Beyond it only the header of a message is kept, which tells its length."""
CONNECTION_OCTETS = 1024 * 1024
"""Of all negotiations of one connection, and of all strangers'."""
ALL_OCTETS = 64 * 1024 * 1024
FOR_RESULT_OCTETS = 4096
"""Of RECORD_OCTETS, for how it ended."""
WHOLE_OCTETS = RECORD_OCTETS - FOR_RESULT_OCTETS
"""Up to here every fact is kept whole."""
OBJECTS = 200
"""What one fact takes beside its octets while it is not packed; a record by itself takes about three times as much."""
LENGTH_AT = 24
"""In the ISAKMP header (RFC 2408 section 3.1)."""
_PLAIN = frozenset((int, float, bool, type(None)))
BRIEF = 500
"""Characters or octets of one field of a fact that does not fit as it is."""


def weight(fact: Fact) -> int:
    """Octets that a fact takes, about."""
    if type(fact) is Sent or type(fact) is Heard:
        return OBJECTS + len(fact.octets) + len(fact.chain)
    return OBJECTS + _weight(fact)


def fitting(fact: Fact, size: int, taken: int) -> tuple[Fact, int] | None:
    """The fact, which takes `size` octets, for a record of `taken` octets, whole or cut short, with what it takes then;
    None where there is no room even for that."""
    room = RECORD_OCTETS - taken
    if size <= room - FOR_RESULT_OCTETS:
        return fact, size
    if not isinstance(fact, (Established, Failed)):
        room -= FOR_RESULT_OCTETS
    elif size <= room:
        return fact, size
    if isinstance(fact, (Sent, Heard)):
        short: Fact = replace(fact, octets=fact.octets[:HEADER_OCTETS], chain=b"")
    else:
        short = brief(fact)
    size = weight(short)
    return (short, size) if size <= room else None


def missing(message: bytes) -> int:
    """Octets of a recorded message that the record did not keep, by what its header says."""
    length = int.from_bytes(message[LENGTH_AT:HEADER_OCTETS], "big")
    return max(0, length - len(message)) if len(message) == HEADER_OCTETS else 0


def _weight(value: Any) -> int:
    octets, parts = 0, [value]
    for one in parts:  # which grow meanwhile
        kind = type(one)
        if kind is str or kind is bytes:
            octets += len(one)
        elif kind is tuple:
            parts += one
        elif kind not in _PLAIN:
            parts += (_GETTERS.get(kind) or _getter(kind))(one)
    return octets


Getter = Callable[[Any], Iterable[Any]]
_GETTERS: dict[type, Getter] = {}


def _getter(kind: Any) -> Getter:
    """Gives the fields of a dataclass in one step; none of any other value."""
    names = getattr(kind, "__match_args__", ())
    several = attrgetter(*names) if len(names) > 1 else None
    getter = _GETTERS[kind] = several or (lambda one: [getattr(one, name) for name in names])
    return getter


def brief(value: Any) -> Any:
    """The same fact or finding with every long field cut."""
    if isinstance(value, str | bytes):
        return value[:BRIEF]
    if isinstance(value, tuple):
        return tuple(map(brief, value[:BRIEF]))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: brief(getattr(value, field.name)) for field in fields(value)})
    return value
