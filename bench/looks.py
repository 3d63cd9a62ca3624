"""What looks at a daemon cost its peers: the longest step of each, and handshakes beside them.

The history is full of what a hostile peer sent: messages of 28 kB, encrypted, of offers, vendor IDs and notifications.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from bench.initiator import Initiator
from bench.report import table, verdict
from bench.sides import Side, sides
from bench.sites import Spoke, suite
from ikevd.control.server import ControlServer
from ikevd.policy.settings import Control
from ikevd.wire.attributes import Attribute
from ikevd.wire.payloads import NotifyPayload, Payload, SaPayload, VidPayload
from ikevd.wire.registry import NotifyType, Protocol
from ikevd.wire.sa import Proposal, Transform

STEP_AIM, RATIO_AIM = 20.0, 2.0
HOSTILE, MESSAGES = 14, 15
"""Peers that attack, and long messages of each: nearly the megabyte that a connection has."""
ATTACKER = "spoke0"
LOOKS = {
    "trace --decode": f"/v1/trace?connection={ATTACKER}&last=20&decode=1",
    "trace": f"/v1/trace?connection={ATTACKER}&last=20",
    "capture": f"/v1/capture?connection={ATTACKER}&last=20",
    "status": "/v1/status",
}
"""Handshakes are made beside these, again and again."""
LONG_LOOKS = {
    "trace --decode, 34 records": "/v1/trace?last=34&decode=1",
    "trace, 200 records": "/v1/trace?last=200",
    "capture, 200 records": "/v1/capture?last=200",
}
"""As many with trees as are allowed of such records."""
ROUNDS = 10


def long_message() -> tuple[Payload, ...]:
    """28 kB that are as dear to show as 28 kB can be."""
    attributes = tuple(Attribute(number, b"\x00\x01", basic=True) for number in range(1, 11))
    offer = SaPayload((Proposal(1, Protocol.ESP, b"abcd", tuple(Transform(n, 12, attributes) for n in range(40))),))
    vendors = [VidPayload(bytes([33 + number]) * 380) for number in range(50)]
    return (*[offer] * 2, *vendors, NotifyPayload(Protocol.ISAKMP, NotifyType(40_001), b"", b"x" * 4000))


async def looks(*, each: int, tunnels: int) -> str:
    """Two tables. `each`: handshakes of a round; `tunnels`: how many `status` has to show."""
    count = HOSTILE + max(ROUNDS * each * (1 + len(LOOKS)), tunnels)
    spokes = [Spoke(number, suite("curve25519")) for number in range(count)]
    hostile, fresh = spokes[:HOSTILE], iter(spokes[HOSTILE:])
    async with sides(spokes, charon=False) as (side,):
        await side.initiator.bring_up(hostile, at_once=4)
        for _ in range(MESSAGES):
            side.initiator.tell(hostile, *long_message())
            await asyncio.sleep(0.5)
        await asyncio.sleep(8)  # until the last copy of each has been sent
        steps = [[name, *await _steps(side.initiator, target)] for name, target in LONG_LOOKS.items()]
        beside = await _beside(side, fresh, each)
        await side.initiator.bring_up(list(fresh), at_once=32)
        steps.append([f"status, {count} tunnels", *await _steps(side.initiator, LOOKS["status"])])
    title = f"longest step of a look (CPU), {HOSTILE * MESSAGES} long messages on record"
    return f"{beside}\n\n{table((title, 'ms', '', 'takes s', 'MB'), steps)}"


async def _beside(side: Side, fresh: Iterator[Spoke], each: int) -> str:
    taken: dict[str, list[float]] = {name: [] for name in ("nothing", *LOOKS)}
    seen = dict.fromkeys(taken, 0)
    for _ in range(ROUNDS):
        for name, times in taken.items():
            some = [next(fresh) for _ in range(each)]
            with _looking(side, LOOKS.get(name)) as looker:
                times += await side.initiator.bring_up(some, at_once=1)
            seen[name] += looker()
    idle = quantiles(taken["nothing"], n=100)[98]
    rows = []
    for name, times in taken.items():
        ratio = quantiles(times, n=100)[98] / idle
        judged = verdict(ratio, RATIO_AIM) if name != "nothing" else ""
        rows.append(
            [name, f"{median(times) * 1000:.1f}", f"{ratio * idle * 1000:.1f}", f"{ratio:.2f}", judged, str(seen[name])]
        )
    return table(
        ("handshakes one after the other, beside", "median ms", "99 % within ms", "to idle", "", "looks"), rows
    )


@contextmanager
def _looking(side: Side, target: str | None) -> Iterator[Callable[[], int]]:
    """One look after the other meanwhile; gives what tells afterwards how many were completed."""
    if target is None:
        yield lambda: 0
        return
    socket = side.hub.place.directory / "control.sock"
    with subprocess.Popen([sys.executable, "-m", "bench.looker", socket, target], stdout=subprocess.PIPE) as looker:
        assert looker.stdout is not None
        looker.stdout.readline()  # it has begun
        counted: list[int] = []
        yield lambda: counted[0]
        looker.kill()
        counted.append(len(looker.stdout.read().splitlines()))


async def _steps(initiator: Initiator, target: str) -> list[str]:
    """Of a look at our own engine, which has as many tunnels and as much to show as the hub."""
    with tempfile.TemporaryDirectory() as directory:
        socket = Path(directory) / "control.sock"
        server = ControlServer(initiator.controller(), Control(path=socket))
        await server.start()
        command = [sys.executable, "-c", f"from bench.looker import look; print(look({str(socket)!r}, {target!r}))"]
        looker = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        began, watch = time.perf_counter(), asyncio.create_task(_longest_step())
        octets, _ = await looker.communicate()
        taken = time.perf_counter() - began
        watch.cancel()
        await server.close()
        longest = 1000 * await watch
    return [f"{longest:.1f}", verdict(longest, STEP_AIM), f"{taken:.1f}", f"{int(octets) / 1e6:.1f}"]


async def _longest_step() -> float:
    """Seconds of CPU time that passed at most between two turns of the event loop, until cancelled."""
    longest, before = 0.0, time.thread_time()
    try:
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, before = max(longest, now - before), now
    except asyncio.CancelledError:
        return longest
