"""Engines in the test's own process, each with the real kernel and real sockets of its namespace.

For what only an engine in hand allows: making the kernel refuse exactly one step.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

from ikevd.config.load import load
from ikevd.crypto.secret import Secret
from ikevd.host.entropy import SystemEntropy
from ikevd.host.policies import Action, Direction, KernelPolicy
from ikevd.host.sas import KernelSa
from ikevd.kernel.adapter import XfrmKernel
from ikevd.kernel.bypass import bypass_ipsec
from ikevd.kernel.encapsulation import take_esp
from ikevd.negotiation.engine import Engine
from ikevd.negotiation.ports import Ports
from ikevd.observe.counters import Counters
from ikevd.observe.history import History
from ikevd.policy.connection import Connection
from ikevd.policy.settings import Config
from ikevd.sa.model import EspKeys
from ikevd.store.interface import NoStore
from ikevd.transport.udp import UdpTransport
from tests.interop.node import Node

CLONE_NEWNET = 0x40000000


@contextmanager
def inside(node: Node) -> Iterator[None]:
    """Sockets opened here belong to the node's namespace for ever."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(path: str) -> None:
        namespace = os.open(path, os.O_RDONLY)
        try:
            if libc.setns(namespace, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns {path}")
        finally:
            os.close(namespace)

    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        enter(f"/run/netns/{node.name}")
        yield
    finally:
        enter(f"/proc/self/fd/{home}")
        os.close(home)


class RefusingKernel(XfrmKernel):
    """The real kernel, given at one step a request that it must refuse: a key of a length that no cipher has, or a
    policy that somebody else holds meanwhile."""

    def __init__(self, node: Node, step: str) -> None:
        super().__init__()
        self._node = node
        self._step = step
        self.refused = False

    async def add_sa(self, sa: KernelSa, keys: EspKeys, *, reserved: bool) -> None:
        if self._step == ("inbound SA" if reserved else "outbound SA"):
            self.refused = True
            keys = replace(keys, encryption=Secret(keys.encryption.reveal()[:-3]))
        await super().add_sa(sa, keys, reserved=reserved)

    async def put_policy(self, policy: KernelPolicy, *, former: int | None = None) -> None:
        tunnel_out = policy.action is Action.TUNNEL and policy.id.direction is Direction.OUT
        if self._step == "out policy" and tunnel_out and not self.refused:
            self.refused = True
            self._node.ip("xfrm", "policy", "update", *foreign_policy(policy))
        await super().put_policy(policy, former=former)


def foreign_policy(policy: KernelPolicy) -> list[str]:
    """The words of `ip xfrm policy` for another daemon's policy with the same selector."""
    selector = ["src", str(policy.id.source), "dst", str(policy.id.destination), "dir", policy.id.direction.value]
    return [*selector, "action", "block"]


@dataclass
class EngineInNamespace:
    engine: Engine
    history: History
    connection: Connection

    async def up(self, child: str = "lan") -> None:
        await self.engine.session(self.connection).want(child)


@asynccontextmanager
async def engine_in(
    node: Node, connection: Connection, kernel: XfrmKernel | None = None
) -> AsyncIterator[EngineInNamespace]:
    """One engine; it begins and stops as in the daemon."""
    with inside(node):
        xfrm = kernel or XfrmKernel()
        history = History(time.time)
        transport = UdpTransport(
            Config(()).listen,
            on_datagram=lambda octets, path: engine.datagram(octets, path),
            on_dropped=lambda reason: None,
            on_unreachable=lambda path, found, quoted: None,
            prepare=bypass_ipsec,
            prepare_nat=take_esp,
        )
        transport.open()
    ports = Ports(
        transmit=transport.send,
        keepalive=transport.keepalive,
        source_for=lambda remote: ip_address(node.address),
        kernel=xfrm,
        store=NoStore("this test wants none"),
        entropy=SystemEntropy(),
        history=history,
        counters=Counters(),
        trouble=lambda text: None,
        port=500,
        export_key=lambda sa: None,
    )
    engine = Engine(Config((connection,)), ports)
    try:
        await engine.restore()
        yield EngineInNamespace(engine, history, connection)
    finally:
        await engine.stop(last_words=0.05)
        transport.close()
        xfrm.close()


def loaded(text: str, folder: Path) -> Connection:
    """The one connection of a configuration text."""
    folder.mkdir()
    file = folder / "ikevd.yaml"
    file.touch(mode=0o600)
    file.write_text(text)
    (connection,) = load(file, {}).config.connections
    return connection
