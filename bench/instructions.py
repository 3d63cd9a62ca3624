"""Instructions in user space for one Main Mode with its Quick Mode, of the responder and of the initiator.

CPU time scatters by a fifth between two equal runs on a busy machine; what callgrind counts repeats to a hundredth.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.caller import Caller, spokes_of
from bench.callgrind import Counted
from bench.initiator import Initiator
from bench.processes import Ikevd
from bench.report import table
from bench.sides import free_place

WARM_UP = 20
"""Handshakes before those that are counted."""
PARTS = {
    "interpreter": ("python", "libpython"),
    "cryptography": ("_rust", "libcrypto", "_hashlib", "_blake2", "gmpy2", "libgmp"),
    "packing": ("_pickle", "libz", "zlib"),
    "event loop": ("loop.",),
    "sqlite": ("_sqlite3", "libsqlite3"),
    "C library": ("libc.", "libm.", "ld-"),
}
"""Of object files that begin so; the rest is `other`."""
Counts = Mapping[str, int]


async def instructions(*, groups: Sequence[str], each: int, settings: Sequence[str]) -> str:
    """The table. `each`: handshakes counted; `settings`: further lines of the measured daemon's configuration."""
    found = {"responder": await _responder(groups, each, settings), "initiator": await _initiator(groups, each)}
    rows = [_row(f"{role}, {group}", found[role][group], each) for role in found for group in groups]
    return table(("million instructions for each handshake", "all", *PARTS, "other"), rows)


async def _responder(groups: Sequence[str], each: int, settings: Sequence[str]) -> dict[str, Counts]:
    """By group: the whole daemon, called by our engine in the bench's process."""
    spokes = spokes_of(groups, WARM_UP + each)
    everyone = [spoke for some in spokes.values() for spoke in some]
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        place = free_place(Path(directory) / "ikevd")
        with Counted(Ikevd(place, everyone, settings=settings)) as hub:
            async with Initiator(everyone, place) as initiator:

                async def bring_up(group: str, first: int, last: int) -> None:
                    await initiator.bring_up(spokes[group][first:last], at_once=1)

                return {group: await _count(hub, bring_up, group, each) for group in groups}


async def _initiator(groups: Sequence[str], each: int) -> dict[str, Counts]:
    """By group: our engine with its socket, calling a daemon that is not counted."""
    spokes = spokes_of(groups, WARM_UP + each)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        place = free_place(directory / "ikevd")
        stack.enter_context(Ikevd(place, [spoke for some in spokes.values() for spoke in some]))
        (directory / "caller").mkdir()
        caller = Caller(directory / "caller", place, groups, WARM_UP + each)
        counted = stack.enter_context(Counted(caller))

        async def bring_up(group: str, first: int, last: int) -> None:
            caller.bring_up(group, first, last)

        return {group: await _count(counted, bring_up, group, each) for group in groups}


async def _count(
    counted: Counted, bring_up: Callable[[str, int, int], Awaitable[None]], group: str, each: int
) -> Counts:
    await bring_up(group, 0, WARM_UP)
    counted.begin()
    await bring_up(group, WARM_UP, WARM_UP + each)
    return counted.end()


def _row(text: str, counts: Counts, each: int) -> list[str]:
    parts = defaultdict[str, int](int)
    for file, count in counts.items():
        parts[next((part for part, names in PARTS.items() if file.startswith(names)), "other")] += count
    cells = (sum(counts.values()), *(parts[part] for part in (*PARTS, "other")))
    return [text, *(f"{cell / each / 1e6:.2f}" for cell in cells)]
