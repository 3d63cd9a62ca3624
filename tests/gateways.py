"""Whole engines in virtual time, joined by a network that may be bad: only sockets and kernel are in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ikevd.addresses import Address, Path
from ikevd.host.clamps import Clamps
from ikevd.host.entropy import Entropy
from ikevd.host.hooks import NoPrograms, Programs
from ikevd.host.links import Links
from ikevd.host.policies import Action, Direction, KernelPolicy
from ikevd.host.routes import Routes
from ikevd.kernel.memory import MemoryKernel
from ikevd.negotiation.clamping import Clamping
from ikevd.negotiation.engine import Engine
from ikevd.negotiation.hooks import Hooks
from ikevd.negotiation.names import Names
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.routing import Routing
from ikevd.negotiation.session import Session
from ikevd.observe.counters import Counters
from ikevd.observe.history import History
from ikevd.policy.changes import Changes, changes
from ikevd.policy.connection import Connection
from ikevd.policy.settings import Config, Limits
from ikevd.store.interface import NoStore, Store
from tests.builders import ALICE, BOB, SeededEntropy, connection, mirrored
from tests.duet import Network


@dataclass
class Gateway:
    """One daemon without sockets."""

    address: Address
    engine: Engine
    kernel: MemoryKernel
    history: History
    counters: Counters
    troubles: list[str] = field(default_factory=list)

    @property
    def session(self) -> Session:
        return next(self.engine.sessions())

    @property
    def pairs(self) -> int:
        """IPsec SA pairs that the sessions believe in."""
        return sum(len(child.standing) for s in self.engine.sessions() for child in s.states.values())

    @property
    def tunnel_ends(self) -> set[Address]:
        """The destinations of all templates in the kernel."""
        return {policy.template.destination for policy in self.kernel.policies.values() if policy.template}

    @property
    def nothing_installed(self) -> bool:
        """No SA, and no policy that sends a packet through a tunnel."""
        outward = [policy for policy in self.kernel.policies.values() if policy.id.direction is Direction.OUT]
        return not self.kernel.sas and all(policy.action is not Action.TUNNEL for policy in outward)


class World:
    """Gateways by address. Must be made inside the running loop."""

    def __init__(self, network: Network | None = None) -> None:
        self.network = network or Network()
        self.gateways: dict[Address, Gateway] = {}
        self.others: dict[Address, Callable[[bytes, Path], None]] = {}
        """Peers that are none of our gateways: what takes their datagrams."""
        self.wire: list[tuple[float, Path, bytes]] = []
        self.keepalives: list[tuple[float, Path]] = []
        self.sources: dict[Address, Address] = {}
        """Of a gateway that routing gives another source address than its own."""
        self.names: dict[str, tuple[Address, ...]] = {}
        """What is resolved; each name that is not there is unknown."""

    def gateway(
        self,
        address: Address,
        *connections: Connection,
        seed: int = 0,
        limits: Limits | None = None,
        spis: Entropy | None = None,
        kernel: MemoryKernel | None = None,
        store: Store | None = None,
        transmit: Callable[[bytes, Path], str | None] | None = None,
        settings: Mapping[str, Any] | None = None,
        at_boot: Iterable[KernelPolicy] = (),
        programs: Programs | None = None,
        links: Links | None = None,
        routes: Routes | None = None,
        clamps: Clamps | None = None,
    ) -> Gateway:
        """`settings`: what else the file says; `at_boot`: blocks from before any ikevd ran; `programs`: run what
        children have as updown."""
        loop = asyncio.get_running_loop()
        entropy = SeededEntropy(int(address) * 1_000_003 + seed)
        kernel = kernel or MemoryKernel(clock=loop.time, entropy=spis or entropy)
        history, counters, troubles = History(loop.time), Counters(), list[str]()
        ports = Ports(
            transmit=transmit or self.carry,
            keepalive=lambda path: self.keepalives.append((loop.time(), path)),
            source_for=lambda remote: self.sources.get(address, address),
            names=Names(self.lookup),
            hooks=Hooks(programs or NoPrograms(), troubles.append),
            kernel=kernel,
            store=store or NoStore("this test wants none"),
            entropy=entropy,
            history=history,
            counters=counters,
            trouble=troubles.append,
            port=500,
            export_key=lambda sa: None,
            links=links,
            routing=Routing(routes, store, troubles.append),
            clamping=Clamping(clamps, store, troubles.append, path_mtu=links.path_mtu if links else lambda *_: 1500),
        )
        config = replace(Config(connections, limits=limits or Limits()), **(settings or {}))
        gateway = Gateway(address, Engine(config, ports, at_boot=at_boot), kernel, history, counters, troubles)
        self.gateways[address] = gateway
        return gateway

    def carry(self, octets: bytes, path: Path) -> str | None:
        """Never refuses, as a sound machine does."""
        loop = asyncio.get_running_loop()
        self.wire.append((loop.time(), path, octets))
        back = self.network.nat.arriving(path) if self.network.nat else Path(path.remote, path.local)
        receiver = self._receiver(back.local.address) if back else None
        if receiver is None or back is None:
            return None
        sender = "alice" if path.local.address == ALICE else "bob"
        for delay, arriving in self.network.deliveries(sender, octets):
            loop.call_later(delay, receiver, arriving, back)
        return None

    async def lookup(self, name: str) -> Sequence[Address]:
        """As the system resolves names."""
        if name not in self.names:
            raise OSError(0, "Name or service not known")
        return self.names[name]

    def _receiver(self, address: Address) -> Callable[[bytes, Path], None] | None:
        gateway = self.gateways.get(address)
        return gateway.engine.datagram if gateway else self.others.get(address)


def alice_and_bob(
    network: Network | None = None, view: Connection | None = None, other: Connection | None = None, seed: int = 0
) -> tuple[World, Gateway, Gateway]:
    """Two gateways; `view` is Alice's connection to Bob, `other` Bob's to Alice (else the mirror of it)."""
    view = view or connection()
    world = World(network)
    alice = world.gateway(ALICE, view, seed=seed)
    bob = world.gateway(BOB, other or mirrored(view), seed=seed + 1)
    return world, alice, bob


async def reload(gateway: Gateway, *connections: Connection, **settings: Any) -> Changes:
    """What `ikevd reload` does once the file is read; what it changes."""
    before = gateway.engine.config
    after = replace(before, connections=connections, **settings)
    found = changes(before, after)
    await gateway.engine.reload(after, found)
    return found


def ripen(session: Session) -> None:
    """The time has come to renew its ISAKMP SAs."""
    now = asyncio.get_running_loop().time()
    ripe = {cookies: replace(known, renew_at=now) for cookies, known in session.state.isakmp.items()}
    before, session.state = session.state, replace(session.state, isakmp=ripe)
    session._arm(before)


async def silence(world: World, seconds: float) -> None:
    """Nothing arrives for so long."""
    before, world.network.loss = world.network.loss, 1.0
    await asyncio.sleep(seconds)
    world.network.loss = before


async def bring_up(gateway: Gateway, child: str = "lan") -> None:
    """What `ikevd up` does."""
    (name,) = {c.name for c in gateway.engine.config.connections}
    (view,) = [c for c in gateway.engine.config.connections if c.name == name]
    await gateway.engine.session(view).want(child)
