"""Many children under one ISAKMP SA: what each costs, and how long all of them take."""

from __future__ import annotations

import time

from bench.report import table
from bench.sides import sides
from bench.sites import Spoke, suite


async def children(*, count: int, charon: bool) -> str:
    """The table. The initiator begins one Quick Mode after the other."""
    spoke = Spoke(0, suite("curve25519"), children=count)
    rows = []
    async with sides([spoke], charon=charon) as responders:
        for side in responders:
            began = time.perf_counter()
            cost = await side.cost([spoke])
            rows.append([side.hub.name, f"{cost:.2f}", f"{time.perf_counter() - began:.1f}"])
    return table((f"{count} children under one ISAKMP SA", "ms of CPU for each", "seconds for all"), rows)
