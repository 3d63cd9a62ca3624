"""How long a tunnel takes to come up where nothing else is going on: one handshake after the other, wall time."""

from __future__ import annotations

from statistics import median, quantiles

from bench.report import table
from bench.sides import sides
from bench.sites import Spoke, suite

GROUPS = ("curve25519", "modp2048")


async def latency(*, each: int, charon: bool) -> str:
    """The table. Our initiator's own work is part of every figure."""
    spokes = {group: [Spoke(place * each + n, suite(group)) for n in range(each)] for place, group in enumerate(GROUPS)}
    rows = []
    async with sides([spoke for some in spokes.values() for spoke in some], charon=charon) as responders:
        for group, some in spokes.items():
            taken = {side.hub.name: list[float]() for side in responders}
            for spoke in some:
                for side in responders:
                    taken[side.hub.name] += await side.initiator.bring_up([spoke], at_once=1)
            rows += [[f"{group}, {name}", *_milliseconds(seconds)] for name, seconds in taken.items()]
    return table(("idle latency of a tunnel, initiator included", "median ms", "95 % within ms"), rows)


def _milliseconds(seconds: list[float]) -> tuple[str, str]:
    return f"{median(seconds) * 1000:.1f}", f"{quantiles(seconds, n=20)[-1] * 1000:.1f}"
