"""Bugs: each is reported, and keeps nothing else from being done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

AT_THE_END = "while ikevd stops"


def report(where: str, bug: BaseException) -> None:
    """To the log, once in a while for each bug. `where` it was met, in words."""
    asyncio.get_running_loop().call_exception_handler({"message": f"internal error {where}", "exception": bug})


def surely(step: Callable[[], None]) -> None:
    """A bug in one step of the end is reported, and keeps no other from being done."""
    try:
        step()
    except Exception as bug:
        report(AT_THE_END, bug)


async def surely_done(step: Awaitable[object]) -> None:
    """Likewise where the kernel has a part in that step."""
    try:
        await step
    except Exception as bug:
        report(AT_THE_END, bug)
