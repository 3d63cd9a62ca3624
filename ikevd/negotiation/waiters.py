"""Who waits for a child to come up."""

from __future__ import annotations

import asyncio

from ikevd.errors import IkeError


class Waiters:
    """Of one session, by child."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    def wait(self, child: str) -> asyncio.Future[None]:
        """Holds the outcome of the present attempt, once there is one."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(child, []).append(future)
        return future

    def answer(self, child: str, error: IkeError | None) -> None:
        """The attempt has ended; None: well."""
        for future in self._waiting.pop(child, ()):
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
