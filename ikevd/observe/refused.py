"""The last negotiations that peers began and that came to nothing: what an operator of the responder asks for first.

Strangers are among them, also those whose address no connection has, of whom there is no record.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter

from ikevd.addresses import Address, Endpoint
from ikevd.errors import Finding
from ikevd.frozen import frozen, replace
from ikevd.observe.budget import brief
from ikevd.wire.registry import ExchangeType

OF_A_CONNECTION = 5
"""Of its proven peers, and as many of whoever only fits its address."""
OF_STRANGERS = 10
"""Who floods with many addresses pushes out other strangers, and nobody else."""


@frozen
class Refused:
    """Attempts from one address that ended in one way. Times in Unix seconds."""

    exchange: ExchangeType
    peer: Endpoint
    connection: str | None
    child: str | None
    cause: Finding
    last: float
    record: int = 0
    """Number of the record of the last one; 0 where there is none."""
    count: int = 1
    proven: bool = False
    """Was the connection certain?"""

    @property
    def key(self) -> tuple[ExchangeType, Address, str | None, Finding]:
        """What makes two attempts equal."""
        return self.exchange, self.peer.address, self.child, self.cause


class RefusedAttempts:
    """A few of each connection, and of strangers; equal ones once."""

    def __init__(self) -> None:
        self._of: dict[tuple[str | None, bool], dict[object, Refused]] = {}

    def add(self, refused: Refused) -> None:
        """One more, or the same one once more, known by its record."""
        refused = replace(refused, cause=brief(refused.cause))
        found = self._of.setdefault((refused.connection, refused.proven), {})
        before = found.pop(refused.key, None)
        if before:
            again = refused.record != 0 and refused.record == before.record
            refused = replace(refused, count=before.count + (not again))
        found[refused.key] = refused
        if len(found) > (OF_STRANGERS if refused.connection is None else OF_A_CONNECTION):
            del found[next(iter(found))]

    def __iter__(self) -> Iterator[Refused]:
        """The latest last."""
        everything = (refused for found in self._of.values() for refused in found.values())
        return iter(sorted(everything, key=attrgetter("last")))
