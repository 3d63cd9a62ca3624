"""What `ikevd reload` costs with a thousand tunnels of which one changes: how long it takes, and its longest step."""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path as File

from bench.report import table, verdict
from bench.restart import HERE, KEY, ipsec, isakmp, leave, ports
from ikevd.addresses import Endpoint, Path
from ikevd.config.load import Loaded, load
from ikevd.crypto.secret import Secret
from ikevd.daemon import GARBAGE_THRESHOLDS
from ikevd.host.policies import KernelPolicy, PolicyId
from ikevd.kernel.memory import MemoryKernel
from ikevd.negotiation.engine import Engine
from ikevd.peer.child_state import ChildState, Half, PairState
from ikevd.peer.state import PeerKey, PeerState
from ikevd.policy.connection import Connection
from ikevd.policy.identity import Identity
from ikevd.policy.settings import Config
from ikevd.reloading import Reloading
from ikevd.sa.model import EspKeys
from ikevd.service.notify import Notifier
from ikevd.store.interface import Store
from ikevd.store.opening import open_store

AIM, STEP_AIM = 1.0, 20.0
"""Seconds; milliseconds of one step."""
LOOK = 0.002
"""Seconds from one look at the event loop to the next: one that never rests would keep the reader from reading."""
LOCAL = IPv4Address("192.0.2.1")


class Counted(MemoryKernel):
    """Which reqids the policies have that are put or removed."""

    touched: set[int]

    async def put_policy(self, policy: KernelPolicy, *, former: int | None = None) -> None:
        self.touched.add(policy.reqid)
        await super().put_policy(policy, former=former)

    async def delete_policy(self, policy: PolicyId, reqid: int) -> None:
        self.touched.add(reqid)
        await super().delete_policy(policy, reqid)


async def reload(*, tunnels: int) -> str:
    """The table. The store and the kernel are filled with what an earlier process would have left."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        file, kernel = File(folder, "ikevd.yaml"), Counted()
        kernel.touched = set()
        write(file, tunnels, changed=False)
        config = load(file, {}).config
        with closing(open_store(File(folder, "store"), HERE, "bench").store) as store:
            await _fill(config, store, kernel)
        with closing(open_store(File(folder, "store"), HERE, "bench").store) as store:
            engine = Engine(config, ports(kernel, store))
            assert await engine.restore() == tunnels
            _rarely_collect_garbage()
            write(file, tunnels, changed=True)
            kernel.touched.clear()
            rows = await _measured(engine, lambda: load(file, {}), kernel, tunnels)
            await engine.hand_over()
    return table(("reload", "figure", ""), rows)


async def _measured(engine: Engine, read: Callable[[], Loaded], kernel: Counted, tunnels: int) -> list[list[str]]:
    async def before(config: Config) -> None:
        """No suite is new."""

    with Notifier({}) as notifier:
        reloading = Reloading(read, engine, notifier, before, lambda config: None)
        return await _looked_at(reloading, kernel, tunnels)


async def _looked_at(reloading: Reloading, kernel: Counted, tunnels: int) -> list[list[str]]:
    wall, cpu, longest, reader = time.monotonic(), time.process_time(), 0.0, 0.0
    work = asyncio.ensure_future(reloading.reload(dry_run=False))
    while not work.done():
        step, others = time.thread_time(), time.process_time() - time.thread_time()
        await asyncio.sleep(LOOK)
        longest = max(longest, time.thread_time() - step)
        reader = max(reader, time.process_time() - time.thread_time() - others)
    wall, cpu, answer = time.monotonic() - wall, time.process_time() - cpu, work.result()
    assert (answer["ok"], answer["unchanged"], len(answer["changed"])) == (True, tunnels - 1, 1), answer
    of = f"of {tunnels} connections, one changed"
    return [
        [f"seconds until it is carried out, {of}, CPU time", f"{cpu:.2f}", verdict(cpu, AIM)],
        ["the same, wall time", f"{wall:.2f}", ""],
        ["longest step, ms of CPU of the event loop", f"{longest * 1000:.1f}", verdict(longest * 1000, STEP_AIM)],
        ["longest turn of the thread that reads, ms of CPU", f"{reader * 1000:.1f}", verdict(reader * 1000, STEP_AIM)],
        ["connections of which the kernel heard", f"{len(kernel.touched)}", verdict(len(kernel.touched), 1)],
    ]


def write(file: File, tunnels: int, *, changed: bool) -> None:
    """With `changed` one child has another network."""
    file.touch(mode=0o600)
    file.write_text("connections:\n" + "".join(_lines(tunnels, changed=changed)))


def _lines(tunnels: int, *, changed: bool) -> Iterator[str]:
    for number in range(tunnels):
        high, low = divmod(number, 250)
        third = 255 if changed and number == tunnels // 2 else low
        yield (
            f"  site{number}: {{local: {LOCAL}, remote: {_remote(number)}, psk: {KEY},\n"
            f"    children: {{lan: {{local: 10.1.0.0/24, remote: 10.{100 + high}.{third}.0/24, "
            "esp_proposals: aes128-sha256}}}\n"
        )


def _remote(number: int) -> IPv4Address:
    return IPv4Address("198.18.0.1") + number


def _rarely_collect_garbage() -> None:
    """As the daemon does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


async def _fill(config: Config, store: Store, kernel: MemoryKernel) -> None:
    keys = EspKeys(Secret(bytes(16)), Secret(bytes(32)))
    for number, connection in enumerate(config.connections):
        await leave(connection, _peer(connection, number), store, kernel, keys)


def _peer(connection: Connection, number: int) -> PeerState:
    assert connection.remote is not None
    now, key = asyncio.get_running_loop().time(), PeerKey(connection.name, Identity.of_address(connection.remote))
    path = Path(Endpoint(LOCAL, 500), Endpoint(connection.remote, 500))
    named = replace(connection, local_id=Identity.of_address(LOCAL), remote_id=key.identity)
    under, (child,) = isakmp(named, number, path, now), connection.children
    sa = replace(ipsec(named, number, child.reqid, path), remote_selector=child.remote)
    pair = PairState(sa, under.sa.cookies, Half.BOTH, now, now + 3600, attempt=None)
    return PeerState(key, {under.sa.cookies: under}, {child.name: ChildState(wanted=True, pairs=(pair,), since=now)})
