"""Facts in any order, most about what was never there: decide raises nothing, and its records fit one another."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from ikevd.addresses import Path
from ikevd.errors import Abandoned, IkeError, InvalidId, KernelRefused, NoAnswer, PeerDeleted, PeerRefused
from ikevd.peer import command_facts, exchange_facts, facts, kernel_facts, message_facts
from ikevd.peer.child import MAX_PAIRS
from ikevd.peer.child_state import Half
from ikevd.peer.decide import decide
from ikevd.peer.due import next_due, serves
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Fact
from ikevd.peer.informed import MAX_HELD
from ikevd.peer.isakmp import MAX_ISAKMP_SAS
from ikevd.peer.isakmp_state import Stage
from ikevd.peer.notices import delete_ipsec, delete_isakmp
from ikevd.peer.state import PeerState
from ikevd.peer.volume_facts import Counted, Spent, Used
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.sa.model import Cookies, Spi
from ikevd.store.codec import decode, encode
from ikevd.wire.payloads import NotifyPayload, Payload
from ikevd.wire.registry import NotifyType, Protocol
from tests.builders import ALICE_TO_BOB, BOB_TO_ALICE
from tests.peer.records import SALT, VIEW, ipsec, isakmp_sa, ours, peer, theirs

NAMES = ("lan", "dmz", "removed from the configuration")
NO = NotifyType.NO_PROPOSAL_CHOSEN
ERRORS: tuple[IkeError, ...] = (
    Abandoned("x"),
    InvalidId("x"),
    KernelRefused("x", 12),
    NoAnswer("x"),
    PeerDeleted("x"),
    PeerRefused("x", NO),
)


class Dice:
    """Of small numbers, so that facts often meet."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    @property
    def name(self) -> str:
        return self._random.choice(NAMES)

    @property
    def attempt(self) -> Attempt:
        return Attempt(self._random.randrange(-6, 14))

    @property
    def under(self) -> Cookies:
        return Cookies(bytes([self._random.randrange(12)]) * 8, bytes(8))

    @property
    def spi(self) -> Spi:
        return self._random.choice((ours, theirs))(self._random.randrange(9))

    @property
    def view(self) -> Connection:
        """Each child starts as it likes; the peer may call, too."""
        starts = [self._random.choice(list(Start)) for _ in VIEW.children]
        patience = self._random.choice((None, 60))
        children = zip(VIEW.children, starts, strict=True)
        return replace(VIEW, children=tuple(replace(one, start=start, inactivity=patience) for one, start in children))

    @property
    def error(self) -> IkeError:
        return self._random.choice(ERRORS)

    @property
    def path(self) -> Path:
        return self._random.choice((ALICE_TO_BOB, BOB_TO_ALICE))

    @property
    def yes(self) -> bool:
        return self._random.random() < 0.5

    @property
    def seconds(self) -> float:
        return self._random.choice((0.0, 0.0, 0.1, 1.0, 5.0, 60.0))

    @property
    def payload(self) -> Payload:
        refusal = NotifyPayload(Protocol.ESP, NO, self._random.choice((b"", self.spi.octets)))
        return self._random.choice((delete_ipsec(self.spi, self.spi), delete_isakmp(self.under), refusal))

    def fact(self, state: PeerState) -> Fact:
        """One of all sorts, now and then one that fits."""
        fitting = self._random.choice((*state.quick_modes, self.attempt))
        sa = ipsec(self._random.randrange(9), self.name, initiator=self.yes)
        phase1 = self._random.choice((state.phase1, None, self.attempt))
        makes: tuple[Callable[[], Fact], ...] = (
            lambda: command_facts.Wanted(self.name),
            lambda: command_facts.Unwanted((self.name,), self.yes),
            lambda: command_facts.Ended(self.yes),
            lambda: exchange_facts.PhaseOneUp(phase1, isakmp_sa(self.under, initiator=self.yes, seconds=100)),
            lambda: exchange_facts.PhaseOneUp(None, isakmp_sa(self.under, initiator=self.yes, seconds=100)),
            lambda: exchange_facts.PhaseOneFailed(phase1 or self.attempt, self.error),
            lambda: exchange_facts.QuickModeBegan(Attempt(-self._random.randrange(1, 99)), self.under),
            lambda: exchange_facts.Reserved(fitting, self.name, self.spi),
            lambda: exchange_facts.Opening(fitting, sa, self._random.choice(list(Half))),
            lambda: exchange_facts.Opening(fitting, sa, self._random.choice(list(Half))),
            lambda: exchange_facts.QuickModeUp(fitting, sa),
            lambda: exchange_facts.QuickModeFailed(fitting, self.error, self.yes, self.yes),
            lambda: message_facts.Heard(self.under, self.path),
            lambda: message_facts.Informed(self.under, tuple(self.payload for _ in range(self._random.randrange(4)))),
            lambda: message_facts.Worn(self.under),
            lambda: Spent(self.under),
            lambda: kernel_facts.KernelRefused(fitting, self.error, self._random.choice((None, self.name))),
            lambda: kernel_facts.Expired(self.name, self.spi),
            lambda: kernel_facts.Vanished(self.name, self.spi),
            lambda: kernel_facts.Acquired(self.name),
            lambda: Used(self.name, self.spi, self.yes),
            lambda: Counted(self.name, self.yes),
            lambda: kernel_facts.Unplaced(self.name, self.error.finding),
            lambda: kernel_facts.Placed(self.name),
            lambda: kernel_facts.Unlinked(self.error.finding),
            lambda: kernel_facts.Linked(),
            lambda: facts.Due(),
            lambda: facts.Restarted(frozenset(key for key in state.quick_modes if self.yes)),
            lambda: facts.Dismissed(self.yes),
            lambda: facts.Owed((self.spi,)),
        )
        return self._random.choice(makes)()


def unfit(state: PeerState) -> Iterator[str]:
    """In what the records do not fit one another."""
    for name, child in state.children.items():
        if len(child.standing) > MAX_PAIRS:
            yield f"{name} has {len(child.standing)} pairs"
        if child.attempt is not None and not state.quick_modes[child.attempt].ours:
            yield f"{name} believes in an attempt of the peer's"
        tries = child.attempt is not None or name in state.waiting or child.retry_at is not None
        if child.wanted and not child.standing and not tries:
            yield f"{name} is wanted, and nobody tries"
        if name in state.waiting and (child.attempt is not None or child.retry_at is not None):
            yield f"{name} waits and tries at once"
        if {pair.attempt for pair in child.pairs} - {None, *state.quick_modes}:
            yield f"{name} has a pair that nobody makes"
    for mode in state.quick_modes.values():
        found = state.isakmp.get(mode.under)
        if not mode.ending and (found is None or found.stage is not Stage.READY):
            yield "a Quick Mode goes on under an ISAKMP SA that leaves"
    for found in state.isakmp.values():
        if (found.stage is Stage.LEAVING) and found.leave_at is None:
            yield "an ISAKMP SA leaves for ever"
        if max(len(found.refusals), len(found.early_deletes)) > MAX_HELD:
            yield "more is kept than may be"
    if sum(found.stage is not Stage.LEAVING for found in state.isakmp.values()) > MAX_ISAKMP_SAS:
        yield "too many ISAKMP SAs"
    if state.waiting and state.phase1 is None and not any(map(serves, state.isakmp.values())):
        yield "children wait, and no phase 1 is under way"
    if len(set(state.waiting)) < len(state.waiting):
        yield "a child waits twice"


@pytest.mark.parametrize("seed", [*range(20), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(20, 40))])
def test_whatever_comes_the_records_fit_one_another(seed: int) -> None:
    dice, state, now = Dice(seed), peer(serial=0), 0.0
    view = dice.view
    for _ in range(150):
        now += dice.seconds
        fact = dice.fact(state)
        state, _ = decide(view, state, fact, now, SALT)
        assert list(unfit(state)) == [], fact
        if isinstance(fact, facts.Due):
            assert (next_due(state) or now + 1) > now
    assert decode(PeerState, encode(state)) == state
