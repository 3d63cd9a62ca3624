"""What ten thousand tunnels cost: memory for each, and whether the last handshake is as cheap as the first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from statistics import median

from bench.report import table, verdict
from bench.sides import Side, sides
from bench.sites import Spoke, suite
from ikevd.conversation.timing import LINGER

MEMORY_AIM = 10.0
"""kB for each established tunnel, evidence included."""
FLAT_AIM = 1.1
"""The last handshakes beside the first ones."""
BURST = 100


async def scale(*, tunnels: int, charon: bool, settle: bool) -> str:
    """The table. `settle`: look once more when ended exchanges no longer answer repetitions."""
    spokes = [Spoke(number, suite("curve25519")) for number in range(tunnels)]
    rows = []
    async with sides(spokes, charon=charon) as responders:
        for side in responders:
            rows += await _fill(side, spokes, settle=settle)
    return table(("scale", "figure", ""), rows)


async def _fill(side: Side, spokes: Sequence[Spoke], *, settle: bool) -> list[list[str]]:
    name, idle, steps, rows = side.hub.name, side.hub.memory(), list[float](), list[list[str]]()
    ours = name == "ikevd"
    for start in range(0, len(spokes), BURST):
        steps.append(await side.cost(spokes[start : start + BURST]))
        count = min(start + BURST, len(spokes))
        if count in (1000, len(spokes)):
            rows.append(_memory(f"{name}: kB for each of {count} tunnels", side, idle, count, judged=ours))
    if settle:
        await asyncio.sleep(LINGER + 10)
        rows.append(_memory(f"{name}: the same, {LINGER + 10:g} s later", side, idle, len(spokes), judged=ours))
    rows.append([f"{name}: tunnels that stand then", str(side.initiator.tunnels), ""])
    tenth = max(len(steps) // 10, 1)
    first, last = median(steps[:tenth]), median(steps[-tenth:])
    flat = verdict(last / first, FLAT_AIM) if ours else ""
    text = f"{name}: the last tenth of the handshakes beside the first ({first:.2f} ms)"
    return [*rows, [text, f"{last / first:.2f}", flat]]


def _memory(text: str, side: Side, idle: int, count: int, *, judged: bool) -> list[str]:
    value = (side.hub.memory() - idle) / count / 1000
    return [text, f"{value:.1f}", verdict(value, MEMORY_AIM) if judged else ""]
