"""Who waits for a child to come up."""

from __future__ import annotations

import asyncio
from collections import deque

from ikevd.errors import IkeError
from ikevd.peer.command_facts import RekeyWanted, Wanted
from ikevd.peer.facts import Fact

Waiting = asyncio.Future[None]


class Waiters:
    """Of one session, by child."""

    def __init__(self) -> None:
        self._coming: dict[str, deque[Waiting]] = {}
        """Their command has not had its turn yet: what the attempt before comes to is none of their business."""
        self._waiting: dict[str, list[Waiting]] = {}

    def wait(self, child: str) -> Waiting:
        """Holds the outcome of the attempt that the command leads to, once there is one."""
        future: Waiting = asyncio.get_running_loop().create_future()
        self._coming.setdefault(child, deque()).append(future)
        return future

    def admit(self, fact: Fact) -> None:
        """The turn of the oldest command has come, where it is one that somebody waits for."""
        for child in _waited_for(fact) if self._coming else ():
            coming = self._coming[child]
            self._waiting.setdefault(child, []).append(coming.popleft())
            if not coming:
                del self._coming[child]

    def fail(self, fact: object, error: IkeError) -> None:
        """Nothing was learnt of the command."""
        for child in _waited_for(fact):
            self.answer(child, error)

    def answer(self, child: str, error: IkeError | None) -> None:
        """The attempt has ended; None: well."""
        for future in self._waiting.pop(child, ()):
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


def _waited_for(fact: object) -> tuple[str, ...]:
    if isinstance(fact, Wanted):
        return (fact.child,)
    return fact.children if isinstance(fact, RekeyWanted) else ()
