"""One authenticated peer of one connection: what may be asked and told of it. Sessions share nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence, Set

from ikevd.addresses import Address
from ikevd.conversation.inputs import Beginning
from ikevd.exchanges.link import OpenInbound
from ikevd.frozen import replace
from ikevd.host.events import Packet
from ikevd.host.links import Route, Thing
from ikevd.host.policies import KernelPolicy, PolicyId
from ikevd.host.sas import SaId
from ikevd.negotiation.apply import LetGo
from ikevd.negotiation.at_work import AtWork
from ikevd.negotiation.in_kernel import InKernel
from ikevd.negotiation.kernel_side import Again
from ikevd.negotiation.learner import Learner
from ikevd.negotiation.ledger import Kept
from ikevd.negotiation.link_side import LinksAgain, LinkSide
from ikevd.negotiation.work import Ask, Happening
from ikevd.peer import command_facts, facts, kernel_facts
from ikevd.peer.child_state import ChildState
from ikevd.peer.desired import View
from ikevd.peer.isakmp_state import IsakmpState, Stage
from ikevd.peer.state import PeerState
from ikevd.policy.connection import Connection
from ikevd.store.difference import heard_at_the_latest
from ikevd.store.interface import ExchangeState, StoredPeer

RESTS = 3.0
"""Seconds in which a Quick Mode of ours hears, after a restart, what the peer has repeated meanwhile. strongSwan keeps
three exchanges of an ISAKMP SA in mind (`max_ikev1_exchanges`): an R-U-THERE, its answer and a Delete, and it can no
more read message 3."""


class Session(Learner):
    """A `Learner`, as the rest of the daemon sees it."""

    _started = False

    # -- what the operator and the kernel say -------------------------------------------------------------------

    def want(self, child: str) -> asyncio.Future[None]:
        """Bring a child up; the future holds the outcome of the present attempt."""
        future = self._waiters.wait(child)
        self.post(command_facts.Wanted(child))
        return future

    def rekey(self, children: Sequence[str], *, phase1: bool) -> list[asyncio.Future[None]]:
        """Negotiate children anew and, before them, `phase1`; each future holds the outcome for one child."""
        futures = [self._waiters.wait(child) for child in children]
        self.post(command_facts.RekeyWanted(tuple(children), phase1))
        return futures

    def unwant(self, *children: str, in_clear: bool = False) -> None:
        """Take children down and tell the peer. `in_clear`: their traffic passes in the clear from then on."""
        self.post(command_facts.Unwanted(children, in_clear))

    def end(self, *, announce: bool = True) -> None:
        """Take everything down. `announce`: what no ISAKMP SA could protect is said under one made for it."""
        self.post(command_facts.Ended(announce))

    def gone(self, child: str, sa: SaId, *, expired: bool) -> None:
        """The kernel ended an SA whose lifetime is over, or somebody removed it before its time."""
        self._kernel.believed.gone(child, sa)
        self.post(kernel_facts.Expired(child, sa.spi) if expired else kernel_facts.Vanished(child, sa.spi))

    def acquired(self, child: str, packet: Packet | None = None) -> None:
        """A packet has met the trap of a child, which tells nothing new while that one begins or stands."""
        known = self.states.get(child, ChildState())
        if not (known.wanted or known.carries):
            self.post(kernel_facts.Acquired(child, packet))

    def concerned(self, policies: Set[PolicyId]) -> bool:
        """May a change of one of these be of any matter to it?"""
        return self._kernel.concerned(self.state, policies)

    def about_to_look(self) -> None:
        """Dumps begin, for `look`."""
        self._kernel.believed.about_to_look()

    def look(self, child: str, found: InKernel) -> bool:
        """Learn what these dumps show that others have changed of a child. False: we are changing it ourselves."""
        news = self._kernel.look(self.state, child, found)
        self.post(*(news or ()))
        return news is not None

    def bring_again(self, child: str) -> None:
        """Bring the kernel to what the child desires now, whatever is believed of its policies."""
        self._kernel.believed.doubt(child)
        self.post(Again(child))

    # -- from one process, or file, to the next ------------------------------------------------------------------

    def start(self) -> None:
        """No traffic of its children leaves in the clear from here on; what an earlier process left undone is done."""
        if not self._started:
            self._started = True
            names = [child.name for child in self.connection.children]
            self.post(*(Again(name) for name in names if self._kernel.is_wanting(self.state, name)))

    def start_links(self) -> None:
        """Its interface stands as it shall from here on, if it has one, and so do its routes."""
        self._lead_routes()
        if self._links is not None:
            self._links.open()
            self.post(LinksAgain())

    def unreachable_routes(self) -> frozenset[Route]:
        """What is to be unreachable before `start_links`."""
        return self._links.unreachable(self.state) if self._links is not None else frozenset()

    def doubt_links(self) -> None:
        """Interfaces, addresses or routes of this machine are others now, perhaps its own."""
        self._ports.clamping.follow(self, self.connection, self.state)
        if self._links is not None:
            self._links.doubt()

    def inherit(self, turned: Mapping[PolicyId, KernelPolicy]) -> None:
        """These policies stand since an earlier process: those of them whose selectors are ours are turned."""
        self._kernel.inherit(self.state, turned)

    def restore(self, stored: StoredPeer, found: InKernel, overdue_after: float = 0.0) -> None:
        """Go on where an earlier process was, with what the kernel holds; what was due waits so many seconds more."""
        happenings = self._read(stored, overdue_after)
        revived = self._at_work.under_way
        asks = [ask for ask in happenings if isinstance(ask, Ask) and isinstance(ask.call, OpenInbound)]
        lost = self._kernel.take_over(stored.state, found, {ask.work.attempt for ask in asks}, overdue_after)
        self._lead_routes()
        self.post(facts.Restarted(revived), *lost, *happenings)

    def reload(
        self,
        connection: Connection,
        fact: command_facts.Reloaded | None,
        turned: Mapping[PolicyId, KernelPolicy],
        configured: Connection | None = None,
    ) -> list[LetGo]:
        """The file was read again. `fact`: what it says otherwise of the connection; None: nothing. Gives what stands
        of children that end, see `KernelSide.reload`. `configured`: as at the beginning."""
        self.connection = connection
        self._contacts.changed(self)
        self._at_work.reload(connection)
        if fact is None:
            return []
        changed, let_go = self._kernel.reload(connection, fact.ended, turned)
        self._ledger.reload(configured or connection)
        if self._links is not None:
            self._links.reload(connection)
        else:
            self._links = LinkSide.of(connection, self._ports, self._agenda)
        self.post(fact, *map(Again, changed))
        return let_go

    def leave(self) -> list[LetGo]:
        """The connection is gone from the file: the peer is told, nobody is called for it, and nothing is put any more.
        Gives what stands, which is removed elsewhere."""
        self.connection = replace(self.connection, children=(), interface=None)
        self._ports.routing.release(self)
        self._ports.clamping.release(self)
        if self._links is not None:
            self._links.close()
        _, let_go = self._kernel.reload(self.connection)
        self.end(announce=False)
        return let_go

    def has_peer_at(self, address: Address) -> bool:
        """Is there an ISAKMP SA with a peer at that address?"""
        return any(one.stage is Stage.READY and one.path.remote.address == address for one in self.live)

    def keep(self, beginning: Beginning) -> Kept | None:
        """Where a phase 1 of the peer's is stored; None: nothing is stored at all."""
        return Kept(self._ledger, beginning) if self._ledger.open else None

    def half_way(self, stored: StoredPeer) -> list[tuple[ExchangeState, Kept]]:
        """The phase 1s of the peer's that an earlier process had not completed."""
        phase_ones = [one for key, one in stored.exchanges.items() if not key.message_id]
        return [(one, Kept.read(self._ledger, one)) for one in phase_ones if not one.inputs.beginning.initiator]

    def dismiss(self, stored: StoredPeer, *, replaced: bool) -> None:
        """The connection that an earlier process had with the peer has changed, or (not `replaced`) is gone: tell the
        peer. What stands in the kernel is removed elsewhere."""
        self._ledger.renews = replaced
        self._read(replace(stored, exchanges={}))
        for key in stored.exchanges:
            if not key.message_id:
                self._ledger.forget_exchange(key.cookies, key.message_id)
        self.post(facts.Dismissed(replaced))

    def _read(self, stored: StoredPeer, overdue_after: float = 0.0) -> list[Happening]:
        read = heard_at_the_latest(stored.state, self._ports.now())
        self.state = replace(read, children={**self.state.children, **read.children})
        self._ledger.read(stored.state)
        happenings = self._at_work.restore(stored)
        modes = self.state.quick_modes
        if any(attempt in modes and modes[attempt].ours for attempt in self._at_work.under_way):
            self._rests_until = self._ports.now() + RESTS
        self._arm(PeerState(stored.state.key), self._ports.now() + overdue_after)
        return happenings

    async def hand_over(self) -> None:
        """The process ends and another one goes on: nothing is said, and all stays as it is."""
        await self.settled()
        await self._kernel.hand_over(self.state)
        self.close()

    def forget(self) -> None:
        """Nothing of the peer is left."""
        self._ports.hooks.forget(self)
        self._ledger.gone()

    # -- how it stands ------------------------------------------------------------------------------------------

    @property
    def at_work(self) -> AtWork:
        """Its exchanges."""
        return self._at_work

    @property
    def now(self) -> float:
        """On the clock of its records."""
        return self._ports.now()

    @property
    def live(self) -> list[IsakmpState]:
        """The ISAKMP SAs, oldest first."""
        return list(self.state.isakmp.values())

    @property
    def peer_addresses(self) -> Iterator[Address]:
        """To which its SAs lead."""
        yield from (known.path.remote.address for known in self.state.isakmp.values())
        yield from (pair.sa.remote for child in self.state.children.values() for pair in child.pairs)

    @property
    def states(self) -> Mapping[str, ChildState]:
        """The children, by name."""
        return self.state.children

    def carried_by(self, child: str) -> str | None:
        """The connection that carries what the child is for, where it is another one (`backup_of`)."""
        holder = self._standby.holder(self.connection.name, child)
        return holder.connection if holder is not None else None

    @property
    def route_problem(self) -> str | None:
        """Why a route of its connection cannot be set, in words."""
        return self._ports.routing.refused.get(self.connection.name)

    @property
    def mss_problem(self) -> str | None:
        """Why TCP connections through its tunnels are not kept short enough, in words."""
        return self._ports.clamping.refused.get(self.connection.name)

    @property
    def desired(self) -> Iterator[View]:
        """What shall stand in the kernel, child by child."""
        return (self._kernel.desired(self.state, child.name) for child in self.connection.children)

    @property
    def policies(self) -> Iterator[Mapping[PolicyId, KernelPolicy]]:
        """Of that, the policies."""
        return (self._kernel.policies(self.state, child.name) for child in self.connection.children)

    @property
    def believed(self) -> Iterator[tuple[int, Set[SaId], Set[PolicyId]]]:
        """What is believed to stand in the kernel, child by child: reqid, SAs, policies."""
        return ((child.reqid, *self._kernel.believed.held(child.name)) for child in self.connection.children)

    @property
    def idle(self) -> bool:
        """Does nothing stand, is nothing under way, and waits no fact?"""
        return self.state.rests and self.empty

    async def clear(self) -> None:
        """Remove all that stands in the kernel, blocks included."""
        await self._kernel.believed.clear()

    def stop_links(self) -> None:
        """Of its interface nothing is put any more."""
        if self._links is not None:
            self._links.close()

    async def clear_links(self, which: Callable[[Thing], bool]) -> None:
        """Remove these of its interface, addresses and routes for good."""
        if self._links is not None:
            await self._links.remove(which)

    def close(self) -> None:
        """Forget everything without a word: after `end` and its farewells."""
        self._ports.hooks.forget(self)
        self._ports.routing.release(self)
        self._ports.clamping.release(self)
        self._agenda.close()
        self._at_work.close()
