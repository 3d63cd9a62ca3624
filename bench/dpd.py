"""What dead peer detection costs: CPU time of one question with its answer, at each end, and of 5,000 idle peers.

Two engines in virtual time with all their peers, the kernel in memory, no socket: what those take comes on top. With
valgrind the instructions of user space are counted, too, by a run that is longer than another one by so many rounds.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from bench.callgrind import has_callgrind
from bench.report import table, verdict
from ikevd.addresses import Path
from ikevd.policy.connection import Connection
from ikevd.policy.dpd import Dpd
from tests.builders import ALICE, child, connection, mirrored
from tests.gateways import World
from tests.virtual_time import run

DELAY = 10.0
PEERS, AIM = 5000, 2.0
"""So many peers are asked each `DELAY` seconds: percent of a core."""
SETTLED = 200.0
"""Seconds after which the exchanges of the handshakes are forgotten."""
WINDOWS, WINDOW = 20, 10.0
"""Of the CPU time of so many windows of so many seconds the least one counts: other processes only add to it."""
FEW, SHORT, LONG = 10, 2, 12
"""Under callgrind: tunnels, and windows of the two runs."""
ON_THE_WIRE = 0.01
THERE = ip_address("10.200.0.0")


@dataclass
class Costs:
    """Of each window: CPU time for each round, and what of that the end that is asked takes to answer."""

    whole: list[float] = field(default_factory=list)
    answering: list[float] = field(default_factory=list)


class Wire(World):
    """Nothing is kept of what it carries."""

    def __init__(self) -> None:
        super().__init__()
        self.datagrams = 0
        self.answering = 0.0
        """Seconds of CPU time."""

    def carry(self, octets: bytes, path: Path) -> str | None:
        self.datagrams += 1
        there = self.gateways[path.remote.address].engine.datagram
        receive = there if path.remote.address == ALICE else self._timed(there)
        asyncio.get_running_loop().call_later(ON_THE_WIRE, receive, octets, Path(path.remote, path.local))
        return None

    def _timed(self, receive: Callable[[bytes, Path], None]) -> Callable[[bytes, Path], None]:
        def received(octets: bytes, path: Path) -> None:
            began = time.thread_time()
            receive(octets, path)
            self.answering += time.thread_time() - began

        return received


def dpd(*, tunnels: int) -> str:
    """The table, of so many tunnels."""
    costs = run(_measured(tunnels, WINDOWS))
    whole, answering = min(costs.whole), min(costs.answering)
    share = 100 * whole * PEERS / DELAY
    rows = [
        ["one question and its answer, both ends, µs", f"{whole * 1e6:.0f}", ""],
        ["of that, to answer the question, µs", f"{answering * 1e6:.0f}", ""],
        [f"{PEERS} peers each {DELAY:.0f} s, percent of a core", f"{share:.0f}", verdict(share, AIM)],
        ["of that, where they ask", f"{share * answering / whole:.0f}", ""],
    ]
    if has_callgrind():
        rows.append(["million instructions of one question and its answer, both ends", f"{_instructions():.2f}", ""])
    return table((f"dead peer detection, {tunnels} idle tunnels", "figure", ""), rows)


async def _measured(tunnels: int, windows: int) -> Costs:
    world, costs = Wire(), Costs()
    views = [_view(number) for number in range(tunnels)]
    asks = world.gateway(ALICE, *views)
    answers = world.gateway(THERE, *map(_seen_from_there, views), seed=1)
    world.gateways |= {view.remote: answers for view in views if view.remote is not None}
    for view in views:
        await asks.engine.session(view).want("lan")
    await asyncio.sleep(SETTLED)
    for _ in range(windows):
        began, world.answering, world.datagrams = time.thread_time(), 0.0, 0
        await asyncio.sleep(WINDOW)
        rounds = world.datagrams / 2
        assert abs(rounds - tunnels * WINDOW / DELAY) <= tunnels / 10, "each peer is asked once"
        costs.whole.append((time.thread_time() - began) / rounds)
        costs.answering.append(world.answering / rounds)
    return costs


def _view(number: int) -> Connection:
    lan = child(reqid=0x696B0000 + number, remote=f"10.{64 + number // 256}.{number % 256}.0/24")
    return connection(name=f"spoke{number}", remote=THERE + number + 1, dpd=Dpd(delay=DELAY), children=(lan,))


def _seen_from_there(view: Connection) -> Connection:
    return replace(mirrored(view), name=f"hub of {view.name}")


def _instructions() -> float:
    """Millions of one round."""
    short, long = (_collected(windows) for windows in (SHORT, LONG))
    return (long - short) / (FEW * (LONG - SHORT)) / 1e6


def _collected(windows: int) -> int:
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    command = [*valgrind, sys.executable, "-m", "bench.dpd", str(windows)]
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found
    return int(found[1])


if __name__ == "__main__":
    run(_measured(FEW, int(sys.argv[1])))
