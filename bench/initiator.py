"""The load generator: our own engine as initiator, with a kernel that does nothing, driven by `want`.

It sits behind a NAT of its own making, in so far as its packets leave from other ports than it believes: both sides can
then live on one loopback interface. Its cost is not measured.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.sites import Place, Spoke, ikevd_yaml
from ikevd.addresses import Endpoint
from ikevd.addresses import Path as NetworkPath
from ikevd.config.load import load
from ikevd.control.controller import EngineController
from ikevd.host.entropy import SystemEntropy
from ikevd.kernel.memory import MemoryKernel
from ikevd.negotiation.engine import Engine
from ikevd.negotiation.ports import Ports
from ikevd.observe.counters import Counters
from ikevd.observe.history import History
from ikevd.peer.effects import Say
from ikevd.policy.settings import Listen
from ikevd.store.interface import NoStore
from ikevd.transport.udp import UdpTransport
from ikevd.wire.payloads import Payload

EVERYWHERE = IPv4Address(0)
SHIFT = 1000
"""Our ports are so much above those of the hub."""


class Initiator:
    """All spokes in one engine; a context manager inside the running loop."""

    def __init__(self, spokes: Sequence[Spoke], hub: Place) -> None:
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "spokes.yaml"
            file.touch(mode=0o600)
            place = Place(Path(directory), EVERYWHERE, hub.port, hub.nat_port, hub.network)
            file.write_text(ikevd_yaml(spokes, place, hub=False).replace("addresses: [0.0.0.0], ", ""))
            self.config = load(file, os.environ).config
        self._connections = {connection.name: connection for connection in self.config.connections}
        self._transport = UdpTransport(
            Listen((EVERYWHERE,), hub.port + SHIFT, hub.nat_port + SHIFT),
            on_datagram=self._received,
            on_dropped=lambda reason: None,
            on_unreachable=lambda path, found, quoted: None,
        )
        self._history, self._counters = History(time.time), Counters()
        self._engine = Engine(self.config, self._ports())

    def _ports(self) -> Ports:
        return Ports(
            transmit=self._send,
            keepalive=lambda path: None,
            source_for=lambda remote: remote,  # every connection names its local address
            kernel=MemoryKernel(),
            store=NoStore("a bench"),
            entropy=SystemEntropy(),
            history=self._history,
            counters=self._counters,
            trouble=lambda text: None,
            port=self.config.listen.port,
            nat_port=self.config.listen.nat_port,
            export_key=lambda sa: None,
        )

    def _send(self, octets: bytes, path: NetworkPath) -> None:
        local = Endpoint(path.local.address, path.local.port + SHIFT)
        self._transport.send(octets, NetworkPath(local, path.remote))

    def _received(self, octets: bytes, path: NetworkPath) -> None:
        local = Endpoint(path.local.address, path.local.port - SHIFT)
        self._engine.datagram(octets, NetworkPath(local, path.remote))

    async def __aenter__(self) -> Self:
        self._transport.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()
        for session in self._engine.sessions():
            session.close()

    def controller(self) -> EngineController:
        """What a control socket would show of us."""
        return EngineController(self._engine, self._history, self._counters, ())

    @property
    def tunnels(self) -> int:
        """Children that carry traffic both ways, for all that we have heard."""
        return sum(child.carries for session in self._engine.sessions() for child in session.states.values())

    def tell(self, spokes: Sequence[Spoke], *payloads: Payload) -> None:
        """An Informational message of each spoke."""
        for spoke in spokes:
            session = self._engine.session(self._connections[spoke.name])
            for cookies in session.state.isakmp:
                session._at_work.carry_out(session.state, Say(cookies, payloads))

    async def bring_up(self, spokes: Sequence[Spoke], *, at_once: int) -> list[float]:
        """A complete handshake for every child of every spoke; the seconds that each spoke took."""
        window = asyncio.Semaphore(at_once)

        async def one(spoke: Spoke) -> float:
            async with window:
                began = time.perf_counter()
                session = self._engine.session(self._connections[spoke.name])
                await asyncio.gather(*(session.want(child) for child in session.states))
                return time.perf_counter() - began

        return list(await asyncio.gather(*(one(spoke) for spoke in spokes)))
