"""What a restart costs with thousands of clients: how long until all of them are served, and the longest step."""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, ip_address
from pathlib import Path as File

from bench.kernel_without_esp import KernelWithoutEsp
from bench.report import table, verdict
from ikevd.addresses import Endpoint, Path
from ikevd.config.load import load
from ikevd.crypto.keys import Phase1Keys
from ikevd.crypto.secret import Secret
from ikevd.host.entropy import SystemEntropy
from ikevd.host.interface import Kernel
from ikevd.kernel.adapter import XfrmKernel
from ikevd.kernel.memory import MemoryKernel
from ikevd.negotiation.engine import Engine
from ikevd.negotiation.ports import Ports
from ikevd.observe.counters import Counters
from ikevd.observe.history import History
from ikevd.peer.child_state import ChildState, Half, PairState
from ikevd.peer.desired import desired_child
from ikevd.peer.isakmp_state import IsakmpState, Stage
from ikevd.peer.state import PeerKey, PeerState
from ikevd.policy.connection import Connection
from ikevd.policy.digest import digest
from ikevd.policy.lives import Lifetime
from ikevd.policy.reqids import Holder, Reqids
from ikevd.policy.selectors import TrafficSelector
from ikevd.policy.settings import Config
from ikevd.sa.model import Cookies, EspKeys, IpsecSa, IsakmpSa, Spi
from ikevd.store.about import Place
from ikevd.store.difference import difference
from ikevd.store.interface import Store
from ikevd.store.opening import open_store
from ikevd.wire.registry import ExchangeType

WALL_AIM, STEP_AIM = 2.0, 20.0
"""Seconds until the first answer; milliseconds of one step."""
HERE = Place(boot="the bench", namespace=1)
HUB = ip_address("192.0.2.1")
CONFIG = """
connections:
  clients:
    {local: 192.0.2.1, remote: any, group_key: true, local_id: hub.example, remote_id: clients.example, psk: %s,
     children: {roads: {local: 10.1.0.0/16, remote: within 10.64.0.0/10, esp_proposals: [aes128-sha256]}}}
"""
KERNELS: dict[str, Callable[[], XfrmKernel | MemoryKernel]] = {
    "memory": MemoryKernel,
    "netlink": XfrmKernel,
    "policies": KernelWithoutEsp,
}
KEY = "a long key for measurements and for nothing else"


async def restart(*, tunnels: int, kernel: str) -> str:
    """The table. `kernel`: one of `KERNELS`; it and the store are filled with what an earlier process would leave."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        config, file = _config(File(folder)), File(folder, "store")
        made = KERNELS[kernel]()
        try:
            with closing(open_store(file, HERE, "bench").store) as store:
                await _fill(config.connections[0], store, made, tunnels)
            gc.collect()
            gc.disable()  # as the daemon does meanwhile
            with closing(open_store(file, HERE, "bench").store) as store:
                engine = Engine(config, ports(made, store))
                rows = await _measured(engine.restore(), tunnels, made)
                await engine.hand_over()
        finally:
            gc.enable()
            if isinstance(made, XfrmKernel | KernelWithoutEsp):
                made.close()
    return table(("restart", "figure", ""), rows)


async def _measured(restored: Awaitable[int], tunnels: int, kernel: XfrmKernel | MemoryKernel) -> list[list[str]]:
    cpu, wall, longest = time.process_time(), time.monotonic(), 0.0
    work = asyncio.ensure_future(restored)
    while not work.done():
        before = time.process_time()
        await asyncio.sleep(0)
        longest = max(longest, time.process_time() - before)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    assert work.result() == tunnels
    sas = await kernel.dump_sas()
    assert len(sas) == 2 * tunnels, f"{len(sas)} SAs stand"
    of = f"of {tunnels} clients"
    return [
        [f"seconds until all {of} are served", f"{wall:.2f}", verdict(wall, WALL_AIM)],
        ["the same, CPU time", f"{cpu:.2f}", ""],
        ["longest step, ms of CPU", f"{longest * 1000:.1f}", verdict(longest * 1000, STEP_AIM)],
    ]


def _config(folder: File) -> Config:
    file = folder / "ikevd.yaml"
    file.touch(mode=0o600)
    file.write_text(CONFIG % KEY)
    return load(file, {}).config


def ports(kernel: Kernel, store: Store) -> Ports:
    return Ports(
        transmit=lambda octets, path: None,
        keepalive=lambda path: None,
        source_for=lambda remote: HUB,
        kernel=kernel,
        store=store,
        entropy=SystemEntropy(),
        history=History(time.time),
        counters=Counters(),
        port=500,
        trouble=print,
        export_key=lambda sa: None,
    )


async def _fill(connection: Connection, store: Store, kernel: Kernel, tunnels: int) -> None:
    (child,) = connection.children
    keys = EspKeys(Secret(bytes(child.suites[0].key_bits // 8)), Secret(bytes(32)))
    for state in _peers(connection, tunnels):
        await leave(connection, state, store, kernel, keys)


async def leave(connection: Connection, state: PeerState, store: Store, kernel: Kernel, keys: EspKeys) -> None:
    """A peer with one child, as an earlier process would have left it in the store and the kernel."""
    (child,) = connection.children
    trouble = store.put(replace(difference(None, state), digest=digest(connection)))
    assert trouble is None, trouble
    view = desired_child(connection, child, state.children[child.name])
    for sa in view.sas.values():
        await kernel.add_sa(sa, keys, reserved=False)
    for policy in view.policies.values():
        await kernel.put_policy(policy)


def _peers(connection: Connection, tunnels: int) -> Iterator[PeerState]:
    """Clients behind one NAT each with a network of its own."""
    assert connection.remote_id is not None
    reqids, now = Reqids.of((connection,)), asyncio.get_running_loop().time()
    for number in range(tunnels):
        key = PeerKey(connection.name, connection.remote_id, number + 1)
        reqid = reqids.lease(Holder(connection.name, "roads", key.identity, key.instance))
        path = Path(Endpoint(HUB, 500), Endpoint(IPv4Address("198.18.0.0") + number, 500))
        under = isakmp(connection, number, path, now)
        pair = PairState(
            ipsec(connection, number, reqid, path), under.sa.cookies, Half.BOTH, now, now + 3600, attempt=None
        )
        yield PeerState(key, {under.sa.cookies: under}, {"roads": ChildState(pairs=(pair,), since=now)})


def isakmp(connection: Connection, number: int, path: Path, now: float) -> IsakmpState:
    assert connection.local_id is not None
    assert connection.remote_id is not None
    suite, secret = connection.suites[0], Secret(bytes(32))
    sa = IsakmpSa(
        cookies=Cookies(b"spoke" + number.to_bytes(3), b"bench" + number.to_bytes(3)),
        connection=connection.name,
        initiator=False,
        path=path,
        local_id=connection.local_id,
        remote_id=connection.remote_id,
        suite=suite,
        lifetime=Lifetime(86400),
        keys=Phase1Keys(suite.hash, secret, secret),
        cipher_key=Secret(bytes(suite.key_bits // 8)),
        last_blocks=(bytes(16), bytes(16)),
        exchange=ExchangeType.MAIN_MODE,
    )
    return IsakmpState(sa, Stage.READY, path, now, now, now + 86400)


def ipsec(connection: Connection, number: int, reqid: int, path: Path) -> IpsecSa:
    (child,) = connection.children
    network = IPv4Network((int(IPv4Address("10.64.0.0")) + (number << 4), 28))
    return IpsecSa(
        child=child.name,
        reqid=reqid,
        local=path.local.address,
        remote=path.remote.address,
        local_selector=child.local,
        remote_selector=TrafficSelector(network[0], network[-1]),
        suite=child.suites[0],
        lifetime=child.lifetime,
        replay_window=child.replay_window,
        inbound=Spi(0xD0000000 + number),
        outbound=Spi(0xD8000000 + number),
        initiator=False,
    )
