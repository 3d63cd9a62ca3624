"""The file was read again: what it says otherwise is carried out, and no tunnel of which it says the same notices.

In one order, as at a restart with another file, so that no traffic of a configured child leaves in the clear, and
that a process that is killed in between leaves the rest to the next one: what ends is noted in the store; what passes
outside and all gates are put; each peer is told what concerns it; the rest goes once what replaces it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ikevd.boot.blocks import gates
from ikevd.errors import LimitReached
from ikevd.frozen import frozen
from ikevd.host.policies import KernelPolicy, PolicyId
from ikevd.negotiation.apply import LetGo
from ikevd.negotiation.in_kernel import InKernel
from ikevd.negotiation.leavings import Ground, Known, Leavings, judge
from ikevd.negotiation.link_blocks import put_unreachable
from ikevd.negotiation.link_leavings import LinkLeavings
from ikevd.negotiation.outside import Outside
from ikevd.negotiation.paced import FEW, paced
from ikevd.negotiation.peers import Peers
from ikevd.negotiation.placed import PlacedRows
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.remains import Remains
from ikevd.negotiation.session import Session
from ikevd.negotiation.wanted import wanted
from ikevd.peer import command_facts
from ikevd.peer.links import all_links
from ikevd.peer.state import PeerState
from ikevd.policy.changes import ChangedConnection, Changes, Reach
from ikevd.policy.connection import Connection
from ikevd.policy.reqids import Holder
from ikevd.policy.settings import Config
from ikevd.store.interface import Placed, PlacedPolicy


@frozen
class _Changed:
    """What a peer's session learns."""

    connection: Connection
    """From here on, with the peer's own reqids."""
    configured: Connection
    """As the file has it."""
    fact: command_facts.Reloaded


@dataclass(slots=True)
class _Sorted:
    """The sessions."""

    gone: list[Session] = field(default_factory=list)
    """Of peers that no connection has any more."""
    changed: dict[Session, _Changed] = field(default_factory=dict)
    same: list[Session] = field(default_factory=list)
    fresh: list[Session] = field(default_factory=list)
    """Of peers that no connection had before."""
    holders: list[Holder] = field(default_factory=list)
    """Whose reqids may be free at the end."""


class Reload:
    """Done for one file."""

    def __init__(
        self,
        ports: Ports,
        peers: Peers,
        outside: Outside,
        rows: PlacedRows,
        remains: Remains,
        link_leavings: LinkLeavings,
        ground: Ground,
    ) -> None:
        self._ports = ports
        self._peers = peers
        self._outside = outside
        self._rows = rows
        self._remains = remains
        self._link_leavings = link_leavings
        self._ground = ground

    async def run(
        self, config: Config, found: Changes, outside: Mapping[PolicyId, KernelPolicy], in_kernel: InKernel
    ) -> None:
        """`config`: the new one; `found`: what it changes; `outside`: what passes outside by it; `in_kernel`: what
        stands, read just before."""
        dropped = [policy for name, policy in self._outside.policies.items() if name not in outside]
        former = [thing for connection in self._peers.all_configured() for thing in all_links(connection)]
        sessions = await self._sort(config, found)
        left = await self._judge(sessions, outside, dropped, in_kernel)
        await self._remains.add(left)
        self._link_leavings.add(former, config.connections)
        await self._rows.ask_for(outside.values(), config)
        await self._outside.change(outside, left.turned)
        await self._stand(sessions, left)
        await put_unreachable(self._ports.links, self._peers)
        await self._part(sessions.gone)
        await self._remains.go(await wanted(self._peers, self._outside))
        await self._link_leavings.go()
        async for session in paced(self._peers):
            session.start_links()
        self._peers.release(sessions.holders)

    async def _sort(self, config: Config, found: Changes) -> _Sorted:
        sessions, changed = _Sorted(self._peers.reload(config.connections)), {one.name: one for one in found.changed}
        known = set(self._peers)
        for session in sessions.gone:
            sessions.holders += self._peers.holders(session)
        async for session in paced(known):
            change = changed.get(session.connection.name)
            try:
                connection = self._peers.of_session(session)
            except LimitReached as full:
                self._ports.trouble(f"{session.connection.name}: a peer is given up: {full}")
                self._peers.take_out(session)
                sessions.gone.append(session)
                continue
            if change is None:
                session.reload(connection, None, {})
                sessions.same.append(session)
            else:
                fact = _fact(session, connection, change)
                sessions.changed[session] = _Changed(connection, self._peers.configured(connection.name), fact)
                sessions.holders += self._peers.holders(session)
        async for session in paced(self._peers.gatekeepers()):
            if session not in known:
                sessions.fresh.append(session)
        return sessions

    async def _judge(
        self,
        sessions: _Sorted,
        outside: Mapping[PolicyId, KernelPolicy],
        dropped: Iterable[KernelPolicy],
        found: InKernel,
    ) -> Leavings:
        known = Known(self._ground)
        known.policies.update(PlacedPolicy(policy.id, policy.reqid) for policy in dropped)
        async for session in paced(sessions.gone, FEW):
            _learn(known, session, session.states)
        async for session, change in paced(sessions.changed.items(), FEW):
            _learn(known, session, _ending(session, change))
        return await judge(found, known, {**outside, **await self._wanted(sessions)}, unknown_too=False)

    async def _wanted(self, sessions: _Sorted) -> Mapping[PolicyId, KernelPolicy]:
        """By the children, from here on."""
        found = dict[PolicyId, KernelPolicy]()
        async for session in paced((*sessions.same, *sessions.fresh)):
            for policies in session.policies:
                found.update(policies)
        async for session, change in paced(sessions.changed.items(), FEW):
            found.update((policy.id, policy) for policy in gates(change.connection))
            ending = _ending(session, change)
            for child, policies in zip(session.connection.children, session.policies, strict=True):
                found.update(policies if child.name not in ending else {})
        return found

    async def _stand(self, sessions: _Sorted, left: Leavings) -> None:
        """From here on nothing of a configured child leaves in the clear. What stands already is turned."""
        async for session in paced(sessions.fresh):
            session.inherit(left.turned)
        async for session, change in paced(sessions.changed.items(), FEW):
            await session.settled()
            await self._take(session.reload(change.connection, change.fact, left.turned, change.configured))
        for place in self._peers.recoupled:
            for session in self._peers.of(place.connection):
                session.inherit(left.turned)
                session.bring_again(place.child)
        async for session in paced(sessions.fresh):
            session.start()
        async for session in paced((*sessions.changed, *sessions.fresh)):
            await session.settled()

    async def _part(self, gone: Sequence[Session]) -> None:
        async for session in paced(gone, FEW):
            await session.settled()
            former = session.state
            await self._take(session.leave())
            self._peers.part(session, former)

    async def _take(self, let_go: Iterable[LetGo]) -> None:
        """To be removed: known but for what came since the kernel was read."""
        left = Leavings()
        for one in let_go:
            left.sas += one.sas
            left.policies += [PlacedPolicy(policy.id, policy.reqid) for policy in one.policies]
        await self._remains.add(left)


def _fact(session: Session, connection: Connection, change: ChangedConnection) -> command_facts.Reloaded:
    """Of one peer. Under a new phase 1 every child is negotiated anew."""
    before, now = ({child.name for child in one.children} for one in (session.connection, connection))
    reach = {name: change.reach_of(name) for name in before & now}
    ended = frozenset(name for name, one in reach.items() if one is Reach.REPLACED)
    renewed = frozenset(child.name for child in change.children if child.reach is Reach.RENEWED) - ended
    return command_facts.Reloaded(ended, renewed if change.reach is Reach.OURS else frozenset(), change.reach)


def _ending(session: Session, change: _Changed) -> frozenset[str]:
    """Of its children those whose pairs end."""
    now = {child.name for child in change.connection.children}
    gone = {child.name for child in session.connection.children} - now
    return change.fact.ended | gone


def _learn(known: Known, session: Session, ending: Iterable[str]) -> None:
    """What of a peer is of no use any more."""
    names = frozenset(ending)
    local = session.connection.local
    ends = (local,) if local is not None else ()
    for child, (reqid, sas, policies) in zip(session.connection.children, session.believed, strict=True):
        if child.name in names:
            known.add_placed((Placed(tuple(PlacedPolicy(name, reqid) for name in policies), tuple(sas), ends),))
    children = {name: child for name, child in session.states.items() if name in names}
    known.add_former(PeerState(session.state.key, isakmp=session.state.isakmp, children=children))
