"""What must hold of one machine after every fact: its records are bounded, and whatever is there has an owner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ikevd.addresses import Address
from ikevd.negotiation.asleep import Asleep
from ikevd.negotiation.kernel_side import Again
from ikevd.negotiation.session import Session
from ikevd.negotiation.times import Subject
from ikevd.negotiation.work import Work
from ikevd.peer.child import MAX_PAIRS
from ikevd.peer.child_state import ChildState
from ikevd.sa.model import Cookies, Spi
from ikevd.store.memory import MemoryStore
from tests.soak.machine import MortalMachine
from tests.soak.verdict import but_heard

AT_MOST = {
    "ISAKMP SAs": 8,
    "Quick Modes": 8,
    "children that wait": 3,
    "Deletes to say": 24,
    "Deletes said": 24,
    "early Deletes": 8,
    "times on the agenda": 60,
    "exchanges in the store": 60,
    "octets in the store": 128 * 1024,
}
"""Of one peer with three children."""
REPLACED_FOR = 60.0
"""Seconds for which a pair may stand beside its newer one: 30 (docs/life.md), and what restarts add."""


class Bounds:
    """`wrong` tells what was ever beyond them, each thing once; `most` what was ever reached."""

    def __init__(self) -> None:
        self.facts = 0
        self.most = Counter[str]()
        self.wrong: dict[str, str] = {}
        self._replaced: dict[tuple[Address, str], tuple[Spi, float]] = {}
        """Of each child the pair that stands beside its newer one, and since when."""

    def look(self, machine: MortalMachine, now: float) -> None:
        """A fact was stored."""
        self.facts += 1
        if session := machine.session:
            for what, count in _counts(machine, session):
                self.most[what] = max(self.most[what], count)
                if count > AT_MOST[what]:
                    self._say(f"more than {AT_MOST[what]} {what}", now)
            for name, child in session.states.items():
                if len(child.standing) > MAX_PAIRS:
                    self._say(f"more than {MAX_PAIRS} pairs of {name}", now)
                self._look_for_replaced(machine.address, name, child, now)

    def _look_for_replaced(self, address: Address, name: str, child: ChildState, now: float) -> None:
        spi, since = self._replaced.pop((address, name), (None, now))
        older = child.standing[:-1]
        if not older:
            return
        oldest = older[0].sa.inbound
        if oldest != spi:
            since = now
        self._replaced[address, name] = oldest, since
        if now - since > REPLACED_FOR:
            self._say(f"a pair of {name} that was replaced stays", now)

    def look_for_owners(self, machine: MortalMachine, now: float) -> None:
        """No fact waits: each time on the agenda is that of something."""
        if (session := machine.session) and session.empty:
            for key in session._agenda._times:
                if not _has_owner(session, key):
                    self._say(f"a time without an owner: {key}", now)

    def look_at_store(self, machine: MortalMachine, now: float) -> None:
        """No fact waits: the store holds what the session believes. Dear: for samples."""
        if (session := machine.session) and session.empty:
            stored = [one.state for one in MemoryStore(machine.disk).load()]
            nothing = not stored and session.idle  # it knows nothing of the peer yet
            if not nothing and [but_heard(one) for one in stored] != [but_heard(session.state)]:
                self._say("the store and the session disagree", now)

    def _say(self, what: str, now: float) -> None:
        self.wrong.setdefault(what, f"{what} at {now:.3f}")


def _counts(machine: MortalMachine, session: Session) -> Iterator[tuple[str, int]]:
    state = session.state
    yield "ISAKMP SAs", len(state.isakmp)
    yield "Quick Modes", len(state.quick_modes)
    yield "children that wait", len(state.waiting)
    yield "Deletes to say", len(state.deletes_to_send)
    yield "Deletes said", len(state.deletes_said)
    yield "early Deletes", sum(len(known.early_deletes) for known in state.isakmp.values())
    yield "times on the agenda", len(session._agenda._times)
    for rows in machine.disk.peers.values():
        yield "exchanges in the store", len(rows.exchanges)
        octets = (rows.isakmp, rows.children, rows.exchanges)
        yield "octets in the store", sum(len(one) for kind in octets for one in kind.values())


def _has_owner(session: Session, key: object) -> bool:
    """Is there what something is to be done about?"""
    state = session.state
    match key:
        case Cookies():
            return key in state.isakmp
        case str():
            return key in state.children
        case Again():
            return key.child in state.children
        case Work():
            ends = key.forget_at is not None  # as a last word under an ISAKMP SA that never stood
            return ends or key.under is None or key.under.sa.cookies in state.isakmp
        case Asleep():
            return bool(state.isakmp)
        case Subject.DELETES:
            return bool(state.deletes_said)
        case Subject.WAITING:
            return bool(state.waiting)
        case Subject.ONE_WAY:
            return state.one_way is not None
    return key is Subject.KEEPALIVE
