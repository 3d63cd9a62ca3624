"""INVALID-COOKIE and INVALID-SPI: unproven they only ask, proven they bring a new pair; neither ends anything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.peer import hints
from ikevd.peer.child_state import ChildState
from ikevd.peer.decide import decide
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Fact
from ikevd.peer.isakmp_state import IsakmpState, Liveness, Stage
from ikevd.peer.message_facts import Hinted, Informed
from ikevd.peer.state import PeerState
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import NotifyType, Protocol
from tests.peer.records import LAN, NOW, SALT, VIEW, A, B, in_words, isakmp, mode, pair, peer, theirs, told

COOKIE, SPI = Hinted(NotifyType.INVALID_COOKIE, A), Hinted(NotifyType.INVALID_SPI)
UP = ChildState(wanted=True, pairs=(pair(1),))


def asked() -> IsakmpState:
    """Of a peer that can be asked whether it lives."""
    return isakmp(liveness=Liveness(number=7, look_at=NOW + 20))


def proven(number: int = 1) -> Informed:
    return Informed(A, (NotifyPayload(Protocol.ESP, NotifyType.INVALID_SPI, theirs(number).octets),))


def unchanged(before: PeerState, after: PeerState) -> bool:
    """Does all stand that stood?"""
    stages = [known.stage for known in after.isakmp.values()] == [known.stage for known in before.isakmp.values()]
    return stages and after.children["lan"].standing == before.children["lan"].standing


# -- unproven


@pytest.mark.parametrize("fact", [COOKIE, SPI], ids=["cookie", "SPI"])
def test_a_peer_that_can_be_asked_is_asked_at_once_and_nothing_ends(fact: Fact) -> None:
    before = peer(asked(), lan=UP)
    after, effects = told(before, fact)
    assert any("under A: R_U_THERE" in effect for effect in effects)
    assert unchanged(before, after)
    assert not any(effect.startswith("begin") for effect in effects)


@pytest.mark.parametrize("fact", [COOKIE, SPI], ids=["cookie", "SPI"])
def test_one_that_cannot_be_asked_is_called_beside_what_stands(fact: Fact) -> None:
    before = peer(isakmp(), lan=UP)
    after, effects = told(before, fact)
    assert effects[0] == "begin phase 1 as 11"
    assert "called anew beside what stands" in effects[1]
    assert unchanged(before, after)


@pytest.mark.parametrize(
    ("stands", "pause", "again"),
    [(asked(), 29.0, False), (asked(), 30.0, True), (isakmp(), 299.0, False), (isakmp(), 300.0, True)],
    ids=["asked", "asked again", "called", "called again"],
)
def test_however_often_it_comes_it_is_heeded_seldom(stands: IsakmpState, pause: float, again: bool) -> None:
    _, effects = told(peer(stands, lan=UP, hinted_at=NOW - pause), COOKIE)
    assert bool(effects) is again


def test_a_peer_from_anywhere_is_not_called() -> None:
    anywhere = replace(VIEW, remote=None)
    assert in_words(decide(anywhere, peer(isakmp(), lan=UP), COOKIE, NOW, SALT)[1]) == []


def test_beside_a_phase_1_under_way_no_other_begins() -> None:
    assert told(peer(isakmp(), lan=UP, phase1=Attempt(9)), COOKIE)[1] == []


@pytest.mark.parametrize(
    "stands",
    [(), (isakmp(B),), (isakmp(stage=Stage.LEAVING),), (isakmp(retired=True), isakmp(B))],
    ids=["none", "another", "leaving", "replaced"],
)
def test_of_an_isakmp_sa_that_does_not_stand_it_means_nothing(stands: tuple[IsakmpState, ...]) -> None:
    before = peer(*stands, lan=UP)
    assert told(before, COOKIE) == (before, [])


# -- proven


def test_a_pair_that_the_peer_has_lost_is_replaced_by_a_quick_mode_and_stays_until_then() -> None:
    before = peer(asked(), lan=UP)
    after, effects = told(before, proven())
    assert "begin lan as 11 under A" in effects
    assert unchanged(before, after)


def test_one_is_begun_however_often_the_peer_says_it() -> None:
    after, _ = told(peer(asked(), lan=UP), proven())
    assert not any("begin" in effect for effect in told(after, proven())[1])


def test_of_a_pair_that_is_young_or_gives_way_already_it_means_nothing() -> None:
    for given in (pair(1, born=NOW - 9), pair(1, leave_at=NOW + 9)):
        before = peer(asked(), lan=ChildState(wanted=True, pairs=(given, pair(2))))
        assert not any("begin" in effect for effect in told(before, proven())[1])


def test_of_a_template_it_means_nothing_for_its_part_is_the_peers_to_ask_for() -> None:
    template = replace(VIEW, children=(replace(LAN, template=True),))
    _, effects = decide(template, peer(asked(), lan=UP), proven(), NOW, SALT)
    assert not any("begin" in effect for effect in in_words(effects))


def test_with_an_spi_that_nobody_sends_to_it_is_a_refusal_of_the_quick_mode_under_way() -> None:
    _, effects = told(peer(asked(), lan=UP, modes={9: mode()}), proven(5))
    assert any(effect.startswith("abort 9") for effect in effects)


def test_who_sends_to_an_spi_is_known() -> None:
    assert hints.holder(peer(lan=UP), theirs(1)) == "lan"
    assert hints.holder(peer(lan=UP), theirs(2)) is None
