"""The addresses of peers that have names. Each question has a deadline. Nobody is told: who wants an address looks
here, and `changed` is set when there is something new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from ikevd.addresses import Address
from ikevd.frozen import frozen

DEADLINE = 5.0
"""Seconds for an answer."""
FRESH = 10.0
"""Seconds for which an answer serves."""

Lookup = Callable[[str], Awaitable[Sequence[Address]]]
"""Raises OSError, with the reason in words."""


@frozen
class Answer:
    """The newest one."""

    addresses: tuple[Address, ...]
    """Of the last answer that named any."""
    at: float
    problem: str
    """Why there is no newer one; empty: this is it."""


class Names:
    """Of one daemon."""

    def __init__(self, lookup: Lookup) -> None:
        """`lookup` may take any time."""
        self._lookup = lookup
        self._answers: dict[str, Answer] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._news: set[str] = set()
        self.changed = asyncio.Event()

    def fresh(self, name: str) -> Answer | None:
        """None: it is being asked for."""
        answer, now = self._answers.get(name), asyncio.get_running_loop().time()
        if answer is None or answer.at + FRESH < now:
            self.ask(name)
            return None
        return answer

    def ask(self, name: str) -> None:
        """Anew, unless that is under way."""
        if name not in self._asking:
            self._asking[name] = asyncio.get_running_loop().create_task(self._ask(name))

    def take_news(self) -> set[str]:
        """The names that have other addresses than before."""
        news, self._news = self._news, set()
        return news

    def close(self) -> None:
        """Ask no more."""
        for task in self._asking.values():
            task.cancel()

    async def _ask(self, name: str) -> None:
        known, problem = self._answers.get(name), ""
        addresses = known.addresses if known else ()
        try:
            async with asyncio.timeout(DEADLINE):
                addresses = tuple(await self._lookup(name)) or addresses
        except TimeoutError:
            problem = f"no answer in {DEADLINE:g} s"
        except OSError as error:
            problem = error.strerror or str(error)
        self._answers[name] = Answer(addresses, asyncio.get_running_loop().time(), problem)
        del self._asking[name]
        if known is None or set(known.addresses) != set(addresses):
            self._news.add(name)
        self.changed.set()


async def nobody(name: str) -> Sequence[Address]:
    """Where nothing resolves names."""
    raise OSError(0, "no names are resolved here")
