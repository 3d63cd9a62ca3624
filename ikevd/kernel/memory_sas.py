"""The SAs of a kernel in memory: larval, installed, those of other programs, and when each ends."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from ikevd.addresses import Address
from ikevd.frozen import frozen, replace
from ikevd.host.events import SaExpired
from ikevd.host.policies import Template
from ikevd.host.sas import Counters, FoundSa, KernelSa, SaId, UdpPorts
from ikevd.kernel.limits import soft_before
from ikevd.policy.reqids import is_ours
from ikevd.sa.model import EspKeys, Spi

LARVAL_SECONDS = 30.0
"""Linux, net.core.xfrm_acq_expires."""
NOTHING_CARRIED = Counters(octets=0, packets=0)


@frozen
class Larval:
    """A reserved SPI."""

    source: Address
    reqid: int
    ends: float


@frozen
class Held:
    """An installed SA and what it carried."""

    sa: KernelSa
    keys: EspKeys
    soft: float
    """When its soft limit is reached."""
    ends: float
    dead: bool
    """It stood before under the same keys: its sequence numbers began anew, and the peer drops all that it sends."""
    counters: Counters = NOTHING_CARRIED

    @property
    def source(self) -> Address:
        return self.sa.source

    @property
    def reqid(self) -> int:
        return self.sa.reqid


@frozen
class Planted:
    """Another program's SA, or one that an earlier process of ours left."""

    source: Address
    reqid: int


Entry = Larval | Held | Planted


class SaTable:
    """By name. `tell` hears of soft and hard limits that are reached; of a larval SA nobody does."""

    def __init__(self, clock: Callable[[], float], tell: Callable[[SaExpired], None]) -> None:
        self._clock = clock
        self._tell = tell
        self.entries: dict[SaId, Entry] = {}
        self.asked: dict[int, tuple[SaId, Larval]] = {}
        """What packets ask for, by reqid: their larval SAs, which bear SPI 0."""
        self._due: list[tuple[float, int, SaId]] = []
        """A heap of what to look at when, with a number so that no two compare by SaId; some of it may be gone then."""
        self._count = itertools.count()
        self._worn: set[int] = set()
        """Hashes of each name with its keys, of the SAs that stood and are gone."""

    def reserve(self, sa: SaId, source: Address, reqid: int) -> None:
        """A larval SA."""
        larval = Larval(source, reqid, self._clock() + LARVAL_SECONDS)
        self.entries[sa] = larval
        self._look_again(larval.ends, sa)

    def ask(self, template: Template) -> bool:
        """A packet has met a tunnel without SA. False: another one has asked before."""
        now, reqid = self._clock(), template.reqid
        if reqid in self.asked and now < self.asked[reqid][1].ends:
            return False
        name = SaId(template.destination, Spi.of(template.protocol, bytes(4)))
        self.asked[reqid] = name, Larval(template.source, reqid, now + LARVAL_SECONDS)
        return True

    def found_all(self) -> list[FoundSa]:
        """As a dump shows them."""
        now = self._clock()
        asked = [(sa, larval) for sa, larval in self.asked.values() if now < larval.ends]
        return [
            *map(self.found, self.entries),
            *(FoundSa(sa, larval.source, larval.reqid, True, NOTHING_CARRIED) for sa, larval in asked),
        ]

    def install(self, sa: KernelSa, keys: EspKeys) -> None:
        """An SA with keys, in the place of a larval one or new."""
        if sa.reqid in self.asked and self.asked[sa.reqid][0].destination == sa.destination:
            del self.asked[sa.reqid]
        dead = bool(self._worn) and hash((sa.id, keys)) in self._worn
        soft, ends = self._limits(sa.lifetime.seconds)
        self._hold(sa.id, Held(sa, keys, soft, ends, dead))

    def remove(self, sa: SaId) -> Entry:
        """Whatever stands under that name."""
        entry = self.entries.pop(sa)
        if isinstance(entry, Held):
            self._worn.add(hash((sa, entry.keys)))
        return entry

    def limit(self, sa: SaId, seconds: int) -> None:
        """An installed SA of ours ends that much from now; another is left alone."""
        entry = self.entries.get(sa)
        if isinstance(entry, Held) and is_ours(entry.reqid):
            soft, ends = self._limits(seconds)
            self._hold(sa, replace(entry, soft=soft, ends=ends))

    def change_ports(self, sa: SaId, ports: UdpPorts) -> None:
        """Of an installed SA of ours, in UDP; another is left alone."""
        entry = self.entries.get(sa)
        if isinstance(entry, Held) and is_ours(entry.reqid) and entry.sa.encap:
            self.entries[sa] = replace(entry, sa=replace(entry.sa, encap=ports))

    def move(self, sa: SaId, to: KernelSa) -> bool:
        """An installed SA of ours goes on at the ends of `to`; False: there is none."""
        entry = self.entries.get(sa)
        if not isinstance(entry, Held) or not is_ours(entry.reqid):
            return False
        del self.entries[sa]
        moved = replace(entry.sa, source=to.source, destination=to.destination, encap=to.encap)
        self._hold(to.id, replace(entry, sa=moved))
        return True

    def carry(self, sa: SaId, octets: int, packets: int) -> KernelSa:
        """Count what passes through an installed SA, tell where its soft limit is reached, and end it where its
        kilobytes are used up."""
        entry = self.entries[sa]
        if not isinstance(entry, Held):
            raise ValueError(f"{sa.spi.protocol} SA {sa.spi} to {sa.destination} was not installed by add_sa")
        total = Counters(entry.counters.octets + octets, entry.counters.packets + packets)
        self.entries[sa] = replace(entry, counters=total)
        limit, soft = entry.sa.lifetime.kilobytes, entry.sa.soft_kilobytes
        if soft is not None and entry.counters.octets < soft * 1024 <= total.octets and is_ours(entry.reqid):
            self._tell(SaExpired(sa, entry.reqid, hard=False))
        if limit is not None and total.octets >= limit * 1024:
            self._end(sa)
        return entry.sa

    def tick(self) -> None:
        """End what the clock has ended."""
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            _, _, sa = heapq.heappop(self._due)
            entry = self.entries.get(sa)
            if isinstance(entry, Larval | Held) and entry.ends <= now:
                self._end(sa)
            elif isinstance(entry, Held) and entry.soft <= now:
                self._warn(entry)

    def found(self, sa: SaId) -> FoundSa:
        """As a dump shows it."""
        entry = self.entries[sa]
        if not isinstance(entry, Held):
            larval = isinstance(entry, Larval)
            return FoundSa(sa, entry.source, entry.reqid, larval, NOTHING_CARRIED)
        ends_in = entry.ends - self._clock()
        return FoundSa(sa, entry.source, entry.reqid, False, entry.counters, entry.sa.encap, ends_in)

    def _hold(self, name: SaId, entry: Held) -> None:
        self.entries[name] = entry
        self._look_again(entry.soft if entry.soft > self._clock() else entry.ends, name)

    def _limits(self, seconds: int) -> tuple[float, float]:
        """When the soft and the hard one are reached, which is so many seconds away."""
        ends = self._clock() + seconds
        return ends - soft_before(seconds), ends

    def _warn(self, entry: Held) -> None:
        self._look_again(entry.ends, entry.sa.id)
        if is_ours(entry.reqid):
            self._tell(SaExpired(entry.sa.id, entry.reqid, hard=False))

    def _look_again(self, when: float, sa: SaId) -> None:
        heapq.heappush(self._due, (when, next(self._count), sa))

    def _end(self, sa: SaId) -> None:
        entry = self.remove(sa)
        if isinstance(entry, Held) and is_ours(entry.reqid):
            self._tell(SaExpired(sa, entry.reqid, hard=True))
