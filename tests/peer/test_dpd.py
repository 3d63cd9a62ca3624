"""What the peer asks of us by dead peer detection (RFC 3706), and which of its messages show that it lives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.peer.effects import Say
from ikevd.peer.isakmp_state import IsakmpState, Liveness, Stage
from ikevd.peer.message_facts import HeardDpd, Informed
from ikevd.peer.notices import r_u_there, r_u_there_ack
from ikevd.peer.state import PeerState
from ikevd.peer.timing import ANSWERS, ANSWERS_TO_COPIES
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import NotifyType, Protocol
from tests.builders import ALICE_TO_BOB
from tests.peer.records import NOW, A, effects_of, isakmp, isakmp_sa, peer, told

SPEAKS = replace(isakmp_sa(), dpd=True)
ANSWERED = "say once under A: R_U_THERE_ACK for " + A.octets.hex()


def speaking(live: Liveness | None = None, **changes: object) -> IsakmpState:
    """Its peer announced dead peer detection, and was heard of last 10 s ago."""
    return isakmp(A, sa=SPEAKS, liveness=live, **changes)


def heard(said: NotifyPayload) -> HeardDpd:
    return HeardDpd(A, said, ALICE_TO_BOB)


def asks(number: int) -> HeardDpd:
    return heard(r_u_there(A, number))


def answers(number: int) -> HeardDpd:
    return heard(r_u_there_ack(A, number.to_bytes(4, "big")))


def when_heard(state: PeerState) -> float:
    return state.isakmp[A].heard


# -- what it asks


def test_an_r_u_there_is_answered_under_its_isakmp_sa() -> None:
    after, effects = told(peer(speaking()), asks(77))
    assert effects[-1] == ANSWERED
    assert when_heard(after) == NOW


def test_the_answer_bears_the_number_that_came() -> None:
    (said,) = [effect for effect in effects_of(peer(speaking()), asks(77)) if isinstance(effect, Say)]
    (payload,) = said.payloads
    assert isinstance(payload, NotifyPayload)
    assert payload.data == (77).to_bytes(4, "big")


def test_one_under_an_isakmp_sa_that_leaves_is_answered() -> None:
    assert ANSWERED in told(peer(speaking(stage=Stage.LEAVING, leave_at=NOW + 5)), asks(1))[1]


def test_one_under_an_isakmp_sa_that_is_gone_means_nothing() -> None:
    assert told(peer(), asks(1)) == (peer(), [])


def test_one_beside_other_payloads_is_answered_too() -> None:
    assert ANSWERED in told(peer(speaking()), Informed(A, (r_u_there(A, 5),)))[1]


@pytest.mark.parametrize(
    ("number", "new"),
    [(6, True), (9, True), (5, False), (4, False), (5 + 2**31, False)],
    ids=["the next one", "some were lost", "the same again", "an old one", "half the circle away"],
)
def test_it_is_answered_whatever_its_number_but_only_a_new_one_shows_life(number: int, new: bool) -> None:
    """Somebody may repeat what it has recorded; isakmpd repeats a number itself."""
    after, effects = told(peer(speaking(Liveness(100, theirs=5))), asks(number))
    assert effects[-1] == ANSWERED
    assert when_heard(after) == (NOW if new else 990.0)
    assert after.isakmp[A].liveness.theirs == (number if new else 5)  # type: ignore[union-attr]


def test_its_numbers_wrap() -> None:
    after, _ = told(peer(speaking(Liveness(100, theirs=2**32 - 1))), asks(0))
    assert when_heard(after) == NOW


@pytest.mark.parametrize(("number", "life"), [(6, False), (63, False), (64, True)])
def test_what_a_process_before_may_have_heard_shows_no_life_and_is_nothing_odd(number: int, life: bool) -> None:
    after, effects = told(peer(speaking(Liveness(100, theirs=5, reserved=63))), asks(number))
    assert effects[-1] == ANSWERED
    assert when_heard(after) == (NOW if life else 990.0)
    assert after.isakmp[A].liveness.theirs == number  # type: ignore[union-attr]
    assert "record of A: the peer asks" not in str(effects)


@pytest.mark.parametrize(
    ("said", "note"),
    [
        (replace(r_u_there(A, 6), spi=A.responder + A.initiator), "with the two cookies swapped"),
        (replace(r_u_there(A, 6), spi=b""), "with cookies that are not those of its ISAKMP SA"),
        (replace(r_u_there(A, 6), data=b""), "without a sequence number"),
        (r_u_there(A, 5), "with a sequence number that it has used before"),
    ],
)
def test_what_is_odd_about_it_is_noted_once_and_it_is_answered(said: NotifyPayload, note: str) -> None:
    first, effects = told(peer(speaking(Liveness(100, theirs=5))), heard(said))
    assert f"record of A: the peer asks whether we live (R-U-THERE) {note}: answered" in effects
    assert effects[-1] == ANSWERED
    assert note not in str(told(first, heard(said))[1])


def test_a_peer_that_did_not_announce_dead_peer_detection_is_answered_and_that_is_noted() -> None:
    _, effects = told(peer(isakmp()), asks(1))
    assert "though it did not announce dead peer detection" in effects[-2]
    assert effects[-1] == ANSWERED


def test_no_more_than_a_few_are_answered_within_a_second() -> None:
    state, answered = peer(speaking()), 0
    for number in range(100):
        state, effects = told(state, asks(number), now=NOW + number / 200)
        answered += ANSWERED in effects
    assert answered == ANSWERS
    assert ANSWERED in told(state, asks(100), now=NOW + 1)[1]


def test_no_flood_of_copies_leaves_the_peers_own_question_without_an_answer() -> None:
    state, answered = peer(speaking(Liveness(100, theirs=50))), 0
    for copy in range(100):
        state, effects = told(state, asks(50), now=NOW + copy / 200)
        answered += ANSWERED in effects
    assert answered == ANSWERS_TO_COPIES
    assert ANSWERED in told(state, asks(51), now=NOW + 0.6)[1]


def test_what_comes_in_place_of_a_number_is_cut_in_the_answer() -> None:
    """No answer is longer than the question, however that was made."""
    long = NotifyPayload(Protocol.ISAKMP, NotifyType.R_U_THERE, A.octets, bytes(1000))
    (said,) = [effect for effect in effects_of(peer(speaking()), heard(long)) if isinstance(effect, Say)]
    assert len(said.payloads[0].body) < 40


# -- what it answers


@pytest.mark.parametrize(
    ("number", "life"),
    [(100, True), (99, True), (98, False), (101, False)],
    ids=["to the last question", "to the one before", "to one before these", "to none"],
)
def test_only_an_answer_to_what_we_ask_now_shows_life(number: int, life: bool) -> None:
    asked = Liveness(100, look_at=NOW + 1, asked=2, asked_at=NOW - 2)
    after, _ = told(peer(speaking(asked)), answers(number))
    assert when_heard(after) == (NOW if life else 990.0)
    assert after.isakmp[A].liveness == (replace(asked, asked=0, look_at=NOW + 30) if life else asked)


def test_where_nothing_was_asked_an_answer_means_nothing() -> None:
    before = peer(speaking(Liveness(100, look_at=NOW + 1)))
    assert told(before, answers(100)) == (before, [])
