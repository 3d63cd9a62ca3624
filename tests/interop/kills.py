"""An ikevd that is killed at one moment after the other under a flood ping, and all that must hold after each."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from ikevd.control.client import ControlError
from ikevd.wire.registry import ExchangeType
from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.flood_ping import FloodPing
from tests.interop.keyed_sas import Sa, keyed_sas
from tests.interop.moments import Moment, Place, Watch
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology
from tests.interop.vici import Section

STANDS, OTHER = "lan", "other"
"""The child that the flood ping crosses, and the one that comes and goes."""
QUICKLY = "retransmit_tries = 1000\nretransmit_timeout = 1.0\nretransmit_base = 1.0"
"""charon says again what is unanswered every second, however long the next process takes on a busy machine."""
PATIENTLY = "{interval: 1s, factor: 1, sends: 20}"
"""So does ikevd, as far as its file allows."""
WITHIN = 40.0
"""Seconds until a moment comes; what has not come by then is told as missed, and ikevd is killed all the same. A pair
that was replaced stays for half a minute."""
LINES, OCTETS = 2000, 40_000
"""Of a log, in a failure: what went wrong may have begun two kills before."""
HEARD_WITHIN = 5.0
"""Seconds in which a Delete is heard, if ever."""


def site_of(topology: Topology, *options: str) -> Site:
    """Two children between the gateways."""
    other = (OTHER, "10.1.1.0/24", "10.2.1.0/24")
    children = ((STANDS, topology.gw_a.net, topology.gw_b.net), other)
    return Site(topology.gw_a, topology.gw_b, children=children, options=options, retransmit=PATIENTLY)


class Opposite(Protocol):
    """The gateway that is not killed."""

    def begin(self, child: str) -> None:
        """Bring it up; it may fail."""

    def end(self, child: str) -> None:
        """Take it down; it may fail."""

    def rekey(self, child: str) -> None:
        """Begin to negotiate it anew; that may fail."""

    def renew(self) -> None:
        """Begin a phase 1 in the place of the one that stands; that may fail."""

    def main_modes(self) -> int:
        """How many it has begun or heard."""

    def isakmp_sas(self) -> set[str]:
        """Their cookies."""

    def serving(self) -> set[str]:
        """Those of ISAKMP SAs that it has not replaced itself."""

    def tail(self) -> str:
        """The end of its log."""


@dataclass
class OppositeStrongSwan:
    """charon."""

    charon: StrongSwan

    def begin(self, child: str) -> None:
        with suppress(AssertionError):
            self.charon.initiate(child, timeout=20)

    def end(self, child: str) -> None:
        with suppress(AssertionError):
            self.charon.terminate(child, timeout=20)

    def rekey(self, child: str) -> None:
        with suppress(AssertionError):
            self.charon.rekey(child)

    def renew(self) -> None:
        with suppress(AssertionError):
            self.charon.renew()

    def main_modes(self) -> int:
        return self.charon.log.count("Main Mode IKE_SA")

    def tail(self) -> str:
        return self.charon.tail(LINES)

    def isakmp_sas(self) -> set[str]:
        return {_cookies(sa) for sa in self.charon.list_sas()}

    def serving(self) -> set[str]:
        return {_cookies(sa) for sa in self.charon.list_sas() if sa["state"] == "ESTABLISHED"}


@dataclass
class OppositeIkevd:
    """Another ikevd."""

    ikevd: Ikevd

    def begin(self, child: str) -> None:
        list(self.ikevd.client.up(child, 20))

    def end(self, child: str) -> None:
        list(self.ikevd.client.down(child, 20))

    def rekey(self, child: str) -> None:
        list(self.ikevd.client.rekey(child, 20))

    def renew(self) -> None:
        list(self.ikevd.client.rekey(STANDS, 20, phase1=True))

    def main_modes(self) -> int:
        return sum(record["exchange"] == ExchangeType.MAIN_MODE.name for record in self.ikevd.client.trace(last=1000))

    def tail(self) -> str:
        return self.ikevd.log[-OCTETS:]

    def isakmp_sas(self) -> set[str]:
        return {sa["cookies"] for sa in self.ikevd.status()["connections"][0]["isakmp"]}

    def serving(self) -> set[str]:
        return serving(self.ikevd)


def serving(ikevd: Ikevd) -> set[str]:
    """The cookies of the ISAKMP SAs that it has not retired."""
    return {sa["cookies"] for sa in ikevd.status()["connections"][0]["isakmp"] if not sa["retired"]}


def _cookies(sa: Section) -> str:
    return f"{sa['initiator-spi']}:{sa['responder-spi']}"


class Act(Enum):
    """What is under way when ikevd is killed."""

    NOTHING = "a tunnel stands"
    UP = "our Quick Mode"
    DOWN = "our Delete"
    PEER_UP = "the peer's Quick Mode"
    PEER_DOWN = "the peer's Delete"
    HAND_OVER = "SIGTERM"
    START = "the start of the next process"
    REKEY = "our rekeying"
    PEER_REKEY = "the peer's rekeying"
    FORMER_ENDS = "the end of a pair that we have replaced"
    RENEW = "our renewal of the ISAKMP SA"
    PEER_RENEW = "the peer's renewal of the ISAKMP SA"
    PROBES = "R-U-THERE of either side"


@dataclass(frozen=True)
class Point:
    """Where an ikevd is killed. Without a moment: at once."""

    act: Act
    moment: Moment | None = None

    def __str__(self) -> str:
        return f"{self.act.value}, {self.moment}" if self.moment else self.act.value


def _points() -> Iterator[Point]:
    here, there, delete = "Quick Mode from here", "Quick Mode from there", "Informational from "
    ours = [(Place.WIRE, here, 1), (Place.WIRE, there, 1), (Place.WIRE, here, 2)]
    theirs = [(Place.WIRE, there, 1), (Place.WIRE, here, 1), (Place.WIRE, there, 2)]
    kernel = [(Place.KERNEL, "UPDSA", 1), (Place.KERNEL, "NEWSA", 1), (Place.KERNEL, "UPDPOLICY", 1)]
    store = [(Place.STORE, "written", count) for count in (1, 4, 8)]
    ends = [(Place.KERNEL, "DELSA", 1), (Place.KERNEL, "DELSA", 2), (Place.KERNEL, "UPDPOLICY", 1), store[0]]
    yield Point(Act.NOTHING)
    for act, moments in (
        (Act.UP, [*ours, *kernel, *store]),
        (Act.PEER_UP, [*theirs, *kernel, *store]),
        (Act.DOWN, [(Place.WIRE, delete + "here", 1), *ends]),
        (Act.PEER_DOWN, [(Place.WIRE, delete + "there", 1), *ends]),
        (Act.HAND_OVER, [(Place.KERNEL, "UPDSA", 1), (Place.KERNEL, "UPDSA", 2)]),
        (Act.START, [store[0], (Place.KERNEL, "UPDPOLICY", 1), (Place.STORE, "written", 3)]),
    ):
        yield from (Point(act, Moment(*moment)) for moment in moments)


POINTS = tuple(_points())
MAY_TAKE_A_DELETE_ALONG = {
    Point(Act.PEER_DOWN, Moment(Place.WIRE, "Informational from there")),
    Point(Act.PEER_DOWN, Moment(Place.STORE, "written")),
}
"""Between the arrival of the Delete and the end of the transaction that stores it: seen from outside, a transaction
begins to be written before it counts."""


@dataclass
class Toll:
    """What the kills cost."""

    lost: list[tuple[Point, int]] = field(default_factory=list)
    missed: Counter[Point] = field(default_factory=Counter)
    unheard: Counter[Point] = field(default_factory=Counter)
    """Deletes that a process had read and not yet stored: lost as on the wire, since nobody says them twice."""

    def __str__(self) -> str:
        histogram = sorted(Counter(lost for _, lost in self.lost).items())
        packets = ", ".join(f"{lost} lost: {kills} kills" for lost, kills in histogram)
        missed = "; ".join(f"{point}: {count}" for point, count in self.missed.items())
        unheard = "; ".join(f"{point}: {count}" for point, count in self.unheard.items())
        return (
            f"{len(self.lost)} kills; {packets}; moments that did not come: {missed or 'none'}; "
            f"Deletes of the peer that died with the process that had read them: {unheard or 'none'}"
        )


@dataclass(frozen=True)
class Standing:
    """What a restart must leave as it is."""

    sas: frozenset[Sa]
    policies: frozenset[tuple[str, ...]]
    isakmp: frozenset[str]
    main_modes: int


class Restarts:
    """A tunnel between `ikevd` and its opposite, up from the start; see `kill`."""

    def __init__(self, topology: Topology, ikevd: Ikevd, opposite: Opposite) -> None:
        self._topology = topology
        self._ikevd = ikevd
        self._opposite = opposite
        self.toll = Toll()
        ikevd.up(STANDS)
        eventually(self._agreed, lambda sas: len(sas) == 2)
        eventually(lambda: ikevd.status()["socket_holder"]["problem"] is None)

    def standing(self) -> Standing:
        """Of gateway A, and what the opposite knows of it."""
        here = self._topology.gw_a
        policies = frozenset((p.src, p.dst, p.direction, p.action, str(p.priority)) for p in here.xfrm_policy())
        isakmp = frozenset(self._opposite.isakmp_sas())
        return Standing(frozenset(keyed_sas(here)), policies, isakmp, self._opposite.main_modes())

    def kill(self, point: Point) -> int:
        """Kill ikevd there and start another, and see `_holds`. The number of packets lost."""
        before = self.standing()
        with FloodPing(self._topology.host_a, self._topology.host_b.address) as flood:
            try:
                with self._under_way(point):
                    self._ikevd.kill()
                    self._ikevd.start()
                self._holds(point, before)
            except AssertionError as error:
                error.add_note(self._told(point))
                raise
            lost = flood.lost()
        print(f"{point}: {lost} packets lost", flush=True)
        self.toll.lost.append((point, lost))
        return lost

    def _holds(self, point: Point, before: Standing) -> None:
        """The tunnel stands as it was, what was half-way is there on both sides or on none, Quick Modes and Deletes of
        both sides go on under the old ISAKMP SA."""
        if point in MAY_TAKE_A_DELETE_ALONG:
            self._take_down_what_the_peer_has_deleted(point)
        self._other_is_whole(before)
        self._goes_on(before)

    def hand_over(self) -> int:
        """SIGTERM and another ikevd: the tunnel stands as it was. The number of packets lost."""
        before = self.standing()
        with FloodPing(self._topology.host_a, self._topology.host_b.address) as flood:
            self._ikevd.stop()
            assert self.standing() == before
            self._ikevd.start()
            self._goes_on(before)
            return flood.lost()

    def _goes_on(self, before: Standing) -> None:
        """Both sides bring the other child up and down again, whatever became of it; nothing else has changed."""
        for up, down in ((self._up, self._opposite.end), (self._opposite.begin, self._down)):
            up(OTHER)
            eventually(self._agreed, lambda sas: len(sas) == 4)
            down(OTHER)
            eventually(self._agreed, lambda sas: len(sas) == 2)
        eventually(self.standing, before.__eq__)

    def _other_is_whole(self, before: Standing) -> None:
        """The child that was under way stands on both sides or on neither."""
        sas = eventually(self._agreed)
        assert before.sas <= sas, f"the tunnel is lost: {before.sas} was, {sas} is"
        assert len(sas) in (2, 4)

    def _take_down_what_the_peer_has_deleted(self, point: Point) -> None:
        """Where the peer's Delete is lost, only an operator, or the end of its life, ends the pair (until DPD does)."""
        with suppress(AssertionError):
            eventually(self._agreed, within=HEARD_WITHIN)
            return
        here, there = (keyed_sas(node) for node in (self._topology.gw_a, self._topology.gw_b))
        assert here > there, "the peer holds what ikevd has not"
        self.toll.unheard[point] += 1
        self._down(OTHER)

    def _agreed(self) -> frozenset[Sa]:
        """The SAs of both sides; empty where they differ."""
        here, there = (keyed_sas(node) for node in (self._topology.gw_a, self._topology.gw_b))
        return frozenset(here) if here == there else frozenset()

    @contextmanager
    def _under_way(self, point: Point) -> Iterator[None]:
        """Begin what is under way and wait for the moment; afterwards wait for the end of what was begun."""
        if point.act in (Act.DOWN, Act.PEER_DOWN):
            self._up(OTHER)
            eventually(self._agreed, lambda sas: len(sas) == 4)
        if point.moment is None:
            yield
            return
        if point.act is Act.START:
            self._ikevd.kill()
        with Watch(point.moment, self._topology.gw_a, self._ikevd.directory / "run" / "store") as watch:
            thread = threading.Thread(target=self._act(point.act))
            thread.start()
            if not watch.wait(WITHIN):
                self.toll.missed[point] += 1
            yield
        thread.join()

    def _told(self, point: Point) -> str:
        """All that may tell why it went wrong."""
        sas = [f"{node.name}: {sorted(keyed_sas(node))}" for node in (self._topology.gw_a, self._topology.gw_b)]
        return "\n".join([f"--- killed at {point}", *sas, self._ikevd.log[-OCTETS:], self._opposite.tail()])

    def _act(self, act: Act) -> Callable[[], object]:
        return {
            Act.UP: lambda: self._up(OTHER),
            Act.DOWN: lambda: self._down(OTHER),
            Act.PEER_UP: lambda: self._opposite.begin(OTHER),
            Act.PEER_DOWN: lambda: self._opposite.end(OTHER),
            Act.HAND_OVER: lambda: self._ikevd.process.send_signal(signal.SIGTERM),
            Act.START: self._ikevd.launch,
            Act.REKEY: self._rekey,
            Act.PEER_REKEY: lambda: self._opposite.rekey(STANDS),
            Act.FORMER_ENDS: self._rekey,
            Act.RENEW: lambda: self._rekey(phase1=True),
            Act.PEER_RENEW: self._opposite.renew,
            Act.PROBES: lambda: None,
        }[act]

    def _rekey(self, *, phase1: bool = False) -> None:
        with suppress(ControlError):
            list(self._ikevd.client.rekey(STANDS, 20, phase1=phase1))

    def _up(self, child: str) -> None:
        with suppress(ControlError):
            list(self._ikevd.client.up(child, 20))

    def _down(self, child: str) -> None:
        with suppress(ControlError):
            list(self._ikevd.client.down(child, 20))
