"""CPU time of one Main Mode with its Quick Mode, both gateways together, without sockets and kernel.

Run: `.venv/bin/python -m bench.handshakes`. Time is virtual, so nothing waits: what is left is the work.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from statistics import median

from ikevd.wire.registry import Group
from tests.builders import AES128_SHA256_X25519, connection
from tests.gateways import alice_and_bob
from tests.virtual_time import run

HANDSHAKES = 40
GROUPS = (Group.MODP_2048, Group.CURVE25519)


async def handshake(group: Group, seed: int) -> float:
    """CPU seconds until both gateways hold the tunnel."""
    view = connection(suites=(replace(AES128_SHA256_X25519, group=group),))
    _, alice, bob = alice_and_bob(view=view, seed=seed)
    began = time.process_time()
    await alice.engine.session(view).want("lan")
    await asyncio.sleep(1)  # virtual: the last message arrives
    taken = time.process_time() - began
    assert alice.pairs == bob.pairs == 1
    return taken


def main() -> None:
    """Print the median of each group, and the ratio of the groups."""
    run(handshake(GROUPS[0], seed=0))  # imports what is imported late
    taken = [[run(handshake(group, seed)) for group in GROUPS] for seed in range(HANDSHAKES)]
    medians = [median(column) * 1000 for column in zip(*taken, strict=True)]
    for group, milliseconds in zip(GROUPS, medians, strict=True):
        print(f"{group}: {milliseconds:.2f} ms of CPU for both ends of a Main and a Quick Mode")
    print(f"ratio {GROUPS[0]} to {GROUPS[1]}: {medians[0] / medians[1]:.2f}")


if __name__ == "__main__":
    main()
