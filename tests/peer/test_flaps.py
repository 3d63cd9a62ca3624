"""Pairs that go soon after they were made, again and again: the pauses between the Quick Modes grow, and only a pair
that stood for a while resets them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from ikevd.peer.child_state import ChildState, Flaps, Half, PairState
from ikevd.peer.decide import decide
from ikevd.peer.due import child_due
from ikevd.peer.effects import BeginQuickMode
from ikevd.peer.exchange_facts import Opening, QuickModeUp
from ikevd.peer.facts import Due, Fact
from ikevd.peer.flaps import has_used_up
from ikevd.peer.kernel_facts import Vanished
from ikevd.peer.message_facts import Informed
from ikevd.peer.state import PeerState
from ikevd.peer.timing import LAST_RETRY, SOONEST_BY_PEER, SOONEST_BY_VOLUME, SPREAD, STEADY, backoff
from ikevd.policy.lives import Lifetime
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import NotifyType, Protocol
from tests.peer.records import NOW, SALT, VIEW, A, ipsec, isakmp, ours, pair, peer, theirs
from tests.peer.rows import UP, deleted

Spoiler = Callable[[int], Fact]
"""What befalls the `number`-th pair."""


def deleted_by_peer(number: int) -> Fact:
    return deleted(theirs(number))


def removed(number: int) -> Fact:
    return Vanished("lan", ours(number))


def lost_at_peer(number: int) -> Fact:
    return Informed(A, (NotifyPayload(Protocol.ESP, NotifyType.INVALID_SPI, theirs(number).octets),))


def used_up_at_peer(number: int) -> Fact:
    """Its own kernel has ended the pair, which had carried a volume."""
    return replace(deleted(theirs(number)), used_up=(ours(number),))


class Story:
    """A peer under one ISAKMP SA, whose every Quick Mode ends well at once."""

    def __init__(self, *pairs: PairState) -> None:
        self.now = NOW
        self.state: PeerState = peer(isakmp(heard=NOW), lan=ChildState(wanted=True, pairs=pairs), serial=100)
        self.begun: list[float] = []

    def learn(self, fact: Fact) -> int | None:
        """The number of the pair that follows at once, if one does."""
        self.state, effects = decide(VIEW, self.state, fact, self.now, SALT)
        for effect in effects:
            if isinstance(effect, BeginQuickMode):
                self.begun.append(self.now)
                sa = ipsec(effect.attempt)
                for half in Half:
                    self.state, _ = decide(VIEW, self.state, Opening(effect.attempt, sa, half), self.now, SALT)
                self.state, _ = decide(VIEW, self.state, QuickModeUp(effect.attempt, sa), self.now, SALT)
                return effect.attempt
        return None

    def until_another(self) -> int:
        """Time goes on until a pair is made."""
        while True:
            due = child_due(self.child)
            assert due is not None
            self.now = max(due, self.now)
            self.state = replace(self.state, isakmp={A: isakmp(heard=self.now, expires=self.now + 86400)})
            if made := self.learn(Due(("lan",))):
                return made

    @property
    def child(self) -> ChildState:
        return self.state.children["lan"]

    def pauses(self) -> Iterator[float]:
        return (after - before for before, after in zip(self.begun, self.begun[1:], strict=False))


GROWING = [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0]


@pytest.mark.parametrize("spoil", [deleted_by_peer, removed])
def test_a_child_whose_every_pair_goes_at_once_waits_longer_each_time(spoil: Spoiler) -> None:
    story = Story()
    story.state = replace(story.state, waiting=("lan",))
    made = story.learn(Due(("lan",)))
    for _ in GROWING:
        assert made is not None
        story.learn(spoil(made))
        made = story.until_another()
    for wanted, pause in zip(GROWING, story.pauses(), strict=True):
        assert wanted * (1 - SPREAD) <= pause <= wanted


@pytest.mark.parametrize("spoil", [deleted_by_peer, removed])
def test_so_does_one_whose_former_pair_carries_on_in_its_last_minutes(spoil: Spoiler) -> None:
    story = Story(pair(1, born=NOW - 3400, expires=NOW + 2000, rekey_at=NOW))
    made = story.until_another()
    for _ in GROWING:
        story.learn(spoil(made))
        assert [one.sa.inbound for one in story.child.standing] == [ours(1)]
        made = story.until_another()
    assert list(story.pauses()) == GROWING


def test_a_peer_that_says_it_has_lost_every_pair_gets_another_one_seldomer_each_time() -> None:
    story = Story(pair(1))
    made = story.learn(lost_at_peer(1))
    while len(story.begun) < 12:
        story.now += 1
        story.state, _ = decide(VIEW, story.state, Due(("lan",)), story.now, SALT)  # the former pairs go
        story.state = replace(story.state, isakmp={A: isakmp(heard=story.now, expires=story.now + 86400)})
        assert made is not None
        made = story.learn(lost_at_peer(made)) or made
    pauses = list(story.pauses())
    assert pauses[0] == 10
    assert pauses == sorted(pauses)
    assert pauses[-1] == LAST_RETRY


@pytest.mark.parametrize(("age", "number"), [(STEADY + backoff(3) - 1, 4), (STEADY + backoff(3), 1)])
def test_a_pair_that_stood_for_a_while_resets_the_pauses(age: float, number: int) -> None:
    """The next one is a first one again. `age`: of the pair before."""
    flaps = Flaps(3, NOW - age - 10)
    standing = (pair(1, born=NOW - age), pair(2, born=NOW - 1))
    story = Story()
    story.state = peer(isakmp(), lan=replace(UP, pairs=standing, flaps=flaps))
    story.learn(deleted_by_peer(2))
    assert story.child.flaps == Flaps(number, NOW)


def test_a_pair_from_before_the_first_of_them_resets_nothing() -> None:
    story = Story()
    standing = (pair(1, born=NOW - 3000), pair(2, born=NOW - 1))
    story.state = peer(isakmp(), lan=replace(UP, pairs=standing, flaps=Flaps(3, NOW - 20)))
    story.learn(deleted_by_peer(2))
    assert story.child.flaps == Flaps(4, NOW)


def test_a_peer_that_deletes_what_was_replaced_right_away_does_nothing_odd() -> None:
    story = Story()
    story.state = peer(isakmp(), lan=replace(UP, pairs=(pair(1, born=NOW - 5), pair(2, born=NOW - 1))))
    story.learn(deleted_by_peer(1))
    assert story.child.flaps is None


@pytest.mark.parametrize("initiator", [True, False])
def test_a_pair_that_has_carried_a_volume_until_the_peer_deletes_it_is_made_anew_as_where_ours_is_used_up(
    *, initiator: bool
) -> None:
    story = Story()
    standing = replace(pair(1, born=NOW - 0.5), sa=ipsec(1, initiator=initiator))
    story.state = peer(isakmp(), lan=replace(UP, pairs=(standing,)))
    story.learn(used_up_at_peer(1))
    assert (story.child.flaps, story.child.failures) == (None, 0)
    assert story.child.retry_at == NOW - 0.5 + (SOONEST_BY_VOLUME if initiator else SOONEST_BY_PEER)


def test_however_often_that_happens_the_pauses_do_not_grow() -> None:
    story = Story()
    story.state = replace(story.state, waiting=("lan",))
    made = story.learn(Due(("lan",)))
    for _ in GROWING:
        assert made is not None
        story.learn(used_up_at_peer(made))
        made = story.until_another()
    assert list(story.pauses()) == [SOONEST_BY_VOLUME] * len(GROWING)


@pytest.mark.parametrize(
    ("kilobytes", "least"), [(None, 1_048_576), (4_608_000, 1_048_576), (1000, 512_000)], ids=["none", "large", "small"]
)
def test_a_volume_is_a_megabyte_or_half_of_what_was_agreed_on(kilobytes: int | None, least: int) -> None:
    sa = ipsec(1, lifetime=Lifetime(3600, kilobytes))
    assert [has_used_up(sa, octets) for octets in (least - 1, least)] == [False, True]
