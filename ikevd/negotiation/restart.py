"""The start of a process after another one: each peer of the store goes on or is dismissed, and what the other process
left in the kernel is taken over, turned or removed.

In one order, so that no traffic of a configured child leaves in the clear, and that whoever is killed in between leaves
the rest to the next one: what is to be turned or removed is stored; what passes outside and all gates are put; the rest
goes, each of it once what replaces it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ikevd.crypto.secret import Secret
from ikevd.errors import IkeError
from ikevd.host.policies import KernelPolicy
from ikevd.negotiation.in_kernel import InKernel
from ikevd.negotiation.leavings import Ground, Known, Leavings, judge
from ikevd.negotiation.ledger import Kept
from ikevd.negotiation.link_blocks import put_unreachable
from ikevd.negotiation.link_leavings import LinkLeavings
from ikevd.negotiation.outside import Outside
from ikevd.negotiation.paced import FEW, apart, paced
from ikevd.negotiation.peers import Peers
from ikevd.negotiation.placed import PlacedRows
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.remains import Remains
from ikevd.negotiation.reports import report
from ikevd.negotiation.session import Session
from ikevd.negotiation.wanted import wanted
from ikevd.observe.words import say_error
from ikevd.policy.digest import digest
from ikevd.policy.settings import Config
from ikevd.store.interface import ExchangeState, Placed, PlacedPolicy, StoredPeer
from ikevd.store.scalars import Unreadable


@dataclass(slots=True)
class _Sorted:
    """The peers of the store."""

    same: int = 0
    """Which go on."""
    changed: list[tuple[StoredPeer, Session]] = field(default_factory=list)
    """With the session that their new connection has for them."""
    gone: list[StoredPeer] = field(default_factory=list)
    """Of which the file knows nothing any more."""
    lost: list[StoredPeer] = field(default_factory=list)
    """That cannot be taken over: a bug, or a limit, which costs that one peer."""


class Restart:
    """Done once, before any datagram is heard."""

    def __init__(
        self,
        config: Config,
        ports: Ports,
        peers: Peers,
        outside: Outside,
        rows: PlacedRows,
        remains: Remains,
        link_leavings: LinkLeavings,
        at_boot: Iterable[KernelPolicy] = (),
    ) -> None:
        """`at_boot`: what was installed before any ikevd ran."""
        self._config = config
        self._ports = ports
        self._peers = peers
        self._outside = outside
        self._at_boot = Placed(tuple(PlacedPolicy(policy.id, policy.reqid) for policy in at_boot))
        self._ground = Ground.of(config.listen, ports.port, ports.nat_port)
        self._rows = rows
        self._remains = remains
        self._link_leavings = link_leavings
        self.half_way: list[tuple[ExchangeState, Kept]] = []
        """Phase 1s that peers which go on had begun."""

    async def run(self) -> int:
        """Gives the number of peers that go on. Raises `KernelRefused` where the kernel does not tell what stands."""
        stored, placed = await self._stored()
        found, known = await InKernel.read(self._ports.kernel), Known(self._ground)
        self._peers.standby.found(found)
        peers = await self._sort(stored, found, known)
        known.add_placed((*placed.values(), self._at_boot))
        unknown_too = self._config.remove_unknown and self._ground.everywhere
        left = await judge(found, known, await wanted(self._peers, self._outside), unknown_too=unknown_too)
        self._rows.read(placed)
        await self._remains.add(left)
        self._ports.routing.inherit(placed, unknown=unknown_too)
        self._ports.clamping.inherit(placed, unknown=unknown_too)
        await self._link_leavings.of_restart(placed, self._config.connections, unknown=unknown_too)
        await self._rows.ask_for(self._outside.policies.values(), self._config)
        async for one in paced(peers.lost):
            self._peers.forget(one.state.key)
        await self._stand(left, peers.changed)
        await put_unreachable(self._ports.links, self._peers)
        self._peers.standby.settle()
        self._hear_former_traffic(found)
        await self._part(peers)
        if not self._remains.over:
            await self._remains.go(await wanted(self._peers, self._outside))
        await self._link_leavings.go()
        return peers.same

    async def _stored(self) -> tuple[list[StoredPeer], dict[str, Placed]]:
        store = self._ports.store
        try:
            peers = [one async for one in paced(store.load(), FEW)]
            return peers, {name: one async for name, one in paced(store.placed(), FEW)}
        except Unreadable as flaw:
            self._ports.trouble(f"the peers of the process before are lost: {flaw}")
            return [], {}

    async def _sort(self, stored: Sequence[StoredPeer], found: InKernel, known: Known) -> _Sorted:
        """Those whose connection is what it was go on at once."""
        peers, digests = _Sorted(), dict[str, Secret]()
        pause = apart(len(stored))
        async for one in paced(stored, FEW):
            connection = self._peers.connection_of(one.state.key)
            if connection is None:
                self._learn(known, one)
                peers.gone.append(one)
                continue
            if connection.name not in digests:
                digests[connection.name] = digest(connection)
            equal = one.digest == digests[connection.name]
            try:
                session = self._peers.former(connection, one.state, equal=equal)
                if equal:
                    session.restore(one, found, overdue_after=peers.same * pause)
                    self.half_way += session.half_way(one)
            except Exception as bug:  # one peer is lost, and no other
                self._give_up(one, bug)
                self._learn(known, one)
                peers.lost.append(one)
                continue
            if equal:
                known.take(session.believed)
                peers.same += 1
            else:
                self._learn(known, one)
                peers.changed.append((one, session))
        return peers

    def _learn(self, known: Known, one: StoredPeer) -> None:
        try:
            known.add_former(one.state)
        except Exception as bug:
            self._report(one, bug)

    def _give_up(self, one: StoredPeer, bug: Exception) -> None:
        self._report(one, bug)
        self._peers.give_up(one.state.key)

    def _report(self, one: StoredPeer, bug: Exception) -> None:
        name = one.state.key.connection
        if isinstance(bug, IkeError):
            self._ports.trouble(f"{name}: a peer of the process before is given up: {say_error(bug)}")
            return
        self._ports.trouble(f"{name}: a peer of the process before is given up: its record cannot be used")
        report(f"at a stored peer of {name}", bug)

    async def _stand(self, left: Leavings, changed: Iterable[tuple[StoredPeer, Session]]) -> None:
        """From here on nothing of a configured child leaves in the clear. What stands already is turned."""
        await self._outside.put(left.turned)
        if left.turned:
            async for session in paced(self._peers):
                session.inherit(left.turned)
        async for one, session in paced(changed, FEW):
            try:
                session.dismiss(one, replaced=True)
            except Exception as bug:
                self._give_up(one, bug)
                self._peers.forget(one.state.key)
                self._peers.renew(one.state.key).inherit(left.turned)
        async for session in paced(self._peers):
            session.start()
        async for session in paced(self._peers):
            await session.settled()

    def _hear_former_traffic(self, found: InKernel) -> None:
        """A packet that has met a trap while nobody listened: the kernel asks for no second time."""
        for reqid in found.asked():
            if its := self._peers.by_reqid(reqid):
                session, child = its
                session.acquired(child)

    async def _part(self, peers: _Sorted) -> None:
        """From those with which nothing goes on."""
        async for one in paced(peers.gone, FEW):
            self._peers.keep_down(one.state)
            try:
                self._peers.dismiss(one)
            except Exception as bug:
                self._report(one, bug)
                self._peers.forget(one.state.key)
                self._peers.bequeath(one.state)
        async for one in paced(peers.lost):
            self._ports.hooks.undo(one.state)
            self._peers.keep_down(one.state)
            self._peers.bequeath(one.state)
