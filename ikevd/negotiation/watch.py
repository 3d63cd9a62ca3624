"""The kernel is watched: what others did to SAs and policies of ours, and what follows.

An event is a hint. One SA that was removed is gone for good: nobody has its keys. For all else a dump tells what
stands, one for however many events came; what we change ourselves meanwhile is left to the next one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ikevd.addresses import Endpoint
from ikevd.errors import IkeError
from ikevd.host.events import (
    KernelEvent,
    Lost,
    Packet,
    PoliciesFlushed,
    PolicyChanged,
    PolicyRemoved,
    SaAsked,
    SaExpired,
    SaMapped,
    SaRemoved,
    SasFlushed,
)
from ikevd.host.policies import PolicyId
from ikevd.host.sas import SaId
from ikevd.negotiation.in_kernel import InKernel
from ikevd.negotiation.outside import Outside
from ikevd.negotiation.peers import Peers
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.session import Session
from ikevd.observe.words import say_error
from ikevd.peer.path_facts import Mapped
from ikevd.peer.volume_facts import SoftExpired

SETTLE = 0.1
"""Seconds from an event to the dump: others come with it."""
PAUSE, LAST_PAUSE = 0.4, 6.4
"""Seconds from one dump to the next; longer each time while only our own changes ask for another."""
MAPPING_PAUSE = 1.0
"""Seconds for which packets by one SA move nothing after one of them did."""
MAX_NAMES = 1000
"""Changed policies that are told apart; of more, all are looked at."""
STEP = 100
"""Children that are looked at before others have their turn."""


@dataclass(slots=True)
class _Doubt:
    """What has to be read again."""

    everything: bool = False
    policies: set[PolicyId] = field(default_factory=set)

    def add(self, policy: PolicyId) -> None:
        self.policies.add(policy)
        if len(self.policies) > MAX_NAMES:
            self.policies.clear()
            self.everything = True

    def __bool__(self) -> bool:
        return self.everything or bool(self.policies)


class Watch:
    """Of all sessions of one daemon."""

    def __init__(self, peers: Peers, outside: Outside, ports: Ports) -> None:
        self._peers = peers
        self._outside = outside
        self._ports = ports
        self._doubt = _Doubt()
        self._reading: asyncio.Task[None] | None = None
        self._closed = False
        self._mapped_at: dict[SaId, float] = {}
        """When a packet from elsewhere was last heeded, of each SA."""

    def event(self, event: KernelEvent) -> None:
        """Of the kernel."""
        match event:
            case SaExpired(name, reqid, hard):
                if found := self._peers.by_reqid(reqid):
                    self._expired(*found, name, hard=hard)
            case SaMapped(name, reqid, place):
                self._mapped(name, reqid, place)
            case SaRemoved(name, reqid):
                if found := self._peers.by_reqid(reqid):
                    found[0].gone(found[1], name, expired=False)
            case SaAsked(reqid, packet):
                self._asked(reqid, packet)
            case PolicyChanged(policy) | PolicyRemoved(policy):
                self._doubt.add(policy)
            case SasFlushed() | PoliciesFlushed() | Lost():
                self._doubt.everything = True
        if self._doubt and self._reading is None and not self._closed:
            self._reading = asyncio.get_running_loop().create_task(self._read())

    def close(self) -> None:
        """Put nothing back any more."""
        self._closed = True
        if self._reading is not None:
            self._reading.cancel()

    def _mapped(self, sa: SaId, reqid: int, place: Endpoint) -> None:
        """One packet a second and SA says where the peer is: a kernel that does not count tells of each."""
        now = self._ports.now()
        if now < self._mapped_at.get(sa, -MAPPING_PAUSE) + MAPPING_PAUSE:
            return
        if len(self._mapped_at) >= MAX_NAMES:
            self._mapped_at = {sa: at for sa, at in self._mapped_at.items() if now < at + MAPPING_PAUSE}
        self._mapped_at[sa] = now
        if found := self._peers.by_reqid(reqid):
            session, child = found
            session.post(Mapped(child, sa.spi, place))
            self._peers.follow(session)

    def _asked(self, reqid: int, packet: Packet | None) -> None:
        """A packet has met the trap of a child."""
        if found := self._peers.by_reqid(reqid):
            session, child = found
            session.acquired(child, packet)

    def _expired(self, session: Session, child: str, sa: SaId, *, hard: bool) -> None:
        """A limit of an SA is reached."""
        if hard:
            session.gone(child, sa, expired=True)
        else:
            session.post(SoftExpired(child, sa.spi))

    # -- dumps --------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """As long as there is doubt."""
        pause = PAUSE
        try:
            await asyncio.sleep(SETTLE)
            while self._doubt:
                doubt, self._doubt = self._doubt, _Doubt()
                if doubt.everything or await self._concerned(doubt.policies):
                    settled = await self._look()
                    pause = PAUSE if settled else min(2 * pause, LAST_PAUSE)
                    self._doubt.everything |= not settled
                await asyncio.sleep(pause)
        finally:
            self._reading = None

    async def _concerned(self, policies: set[PolicyId]) -> bool:
        if self._outside.concerned(policies):
            return True
        for number, session in enumerate(self._peers):
            if session.concerned(policies):
                return True
            if number % STEP == STEP - 1:
                await asyncio.sleep(0)
        return False

    async def _look(self) -> bool:
        """Is nothing left that has to be looked at once more?"""
        sessions = list(self._peers)
        for session in sessions:
            session.about_to_look()
        try:
            found = await InKernel.read(self._ports.kernel)
        except IkeError as refusal:
            self._ports.trouble(f"what stands in the kernel cannot be read, and is tried again: {say_error(refusal)}")
            return False
        for reqid in found.asked():
            self._asked(reqid, None)
        await self._outside.put_back(found)
        settled, number = not self._outside.lacks, 0
        for session in sessions:
            for child in session.connection.children:
                settled &= session.look(child.name, found)
                number += 1
                if number % STEP == 0:
                    await asyncio.sleep(0)
        return settled
