"""The peer, behind a NAT, may have another address: it is asked there, then all that went to the old one follows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.addresses import Path
from ikevd.peer.decide import decide
from ikevd.peer.dpd import FAR, NUMBERS, TOO_NEAR, liveness_of, numbered, reach
from ikevd.peer.draft import Draft
from ikevd.peer.isakmp_state import Liveness
from ikevd.peer.message_facts import Heard, HeardDpd
from ikevd.peer.notices import r_u_there, r_u_there_ack
from ikevd.peer.path_facts import CameTwice, Mapped
from ikevd.peer.roaming import MAX_WRONG
from ikevd.peer.state import PeerState
from ikevd.wire.payloads import NotifyPayload
from tests.peer.mapped import FURTHER, THERE, behind_nat, in_udp, path, places, up, with_dpd
from tests.peer.records import NOW, SALT, VIEW, A, B, ours, pair, peer, told


def asked_there(state: PeerState) -> PeerState:
    return told(state, Heard(A, THERE))[0]


def answer(state: PeerState, to: int = 0) -> NotifyPayload:
    """To the question number `to`, counted back from the last one."""
    number = liveness_of(state.isakmp[A], SALT).number - to
    return r_u_there_ack(A, number.to_bytes(4, "big"))


OLD, NEW = ["198.51.100.1:40001"] * 2, ["203.0.113.9:41000"] * 2


@pytest.mark.parametrize("fact", [Heard(A, THERE), Mapped("lan", ours(), THERE.remote)], ids=["message", "packet"])
def test_what_comes_from_another_address_has_the_peer_asked_there_and_moves_nothing(fact: Heard | Mapped) -> None:
    after, effects = told(peer(with_dpd(), lan=up(in_udp())), fact)
    assert places(after) == OLD
    assert effects[0] == "say once under A to 203.0.113.9:41000: R_U_THERE for 41414141414141416161616161616161"
    assert "it may have moved; it is asked there" in effects[1]


def test_its_answer_from_there_moves_all() -> None:
    other = replace(behind_nat(B), sa=replace(behind_nat(B).sa, dpd=True))
    before = asked_there(peer(with_dpd(), other, lan=up(in_udp())))
    after, effects = told(before, HeardDpd(A, answer(before), THERE))
    assert places(after) == [NEW[0], *NEW]
    assert after.isakmp[A].roaming is None
    assert effects[:2] == ["follow A to 203.0.113.9:41000", "follow B to 203.0.113.9:41000"]
    assert "it, or that NAT, has another address; 1 IPsec SA pair went there" in effects[2]


@pytest.mark.parametrize("came", [path(40001), FURTHER], ids=["the old address", "a third one"])
def test_an_answer_from_elsewhere_moves_nothing(came: Path) -> None:
    before = asked_there(peer(with_dpd(), lan=up(in_udp())))
    after, _ = told(before, HeardDpd(A, answer(before), came))
    assert places(after) == OLD


def test_an_answer_from_the_old_address_ends_the_doubt() -> None:
    """Somebody has carried the question to where the peer always was."""
    before = asked_there(peer(with_dpd(), lan=up(in_udp())))
    after, _ = told(before, HeardDpd(A, answer(before), path(40001)), HeardDpd(A, answer(before), THERE))
    assert places(after) == OLD


def test_nor_does_an_answer_to_another_question_or_a_question() -> None:
    before = asked_there(peer(with_dpd(), lan=up(in_udp())))
    for said in (answer(before, to=1), r_u_there(A, 7)):
        after, _ = told(before, HeardDpd(A, said, THERE))
        assert places(after) == OLD


def test_any_number_of_messages_from_there_is_no_answer() -> None:
    """As from whoever sends copies of what the peer says."""
    after, effects = told(peer(with_dpd(), lan=up(in_udp())), *[Heard(A, THERE)] * 5)
    assert places(after) == OLD
    assert effects == [], "asked once"


def test_the_number_of_the_question_is_one_that_only_this_process_knows_before() -> None:
    known = replace(with_dpd(), liveness=Liveness(2**31 - 1))
    salts = (b"one", b"two")
    after = [decide(VIEW, peer(known), Heard(A, THERE), NOW, salt)[0].isakmp[A].liveness for salt in salts]
    numbers = {live.number for live in after if live is not None}
    assert len(numbers) == 2
    assert all(0 <= number - 2**31 < FAR for number in numbers)


def test_however_often_a_peer_is_asked_where_it_is_our_numbers_never_wrap() -> None:
    live, reaches = Liveness(2**31 - 1), list[int]()
    while reach(live) >= TOO_NEAR:
        draft = Draft(VIEW, peer(with_dpd()), NOW, SALT)
        before, live = live, numbered(draft, A, live, proves=True)
        assert before.number < live.number <= before.number + FAR
        reaches.append(reach(live))
    assert reaches == sorted(reaches, reverse=True)
    assert 600 < len(reaches) < 800
    assert NUMBERS - live.number > 10**8, "for the questions that count by one"


def test_where_they_are_nearly_used_up_nobody_is_asked_and_the_isakmp_sa_is_renewed() -> None:
    known = replace(with_dpd(), liveness=Liveness(NUMBERS - 2**26), renew_at=NOW + 9000)
    after, effects = told(peer(known, lan=up(in_udp())), Heard(A, THERE), Heard(A, THERE))
    assert effects == []
    assert (after.isakmp[A].renew_at, after.isakmp[A].roaming) == (NOW, None)
    assert places(after) == OLD


def test_so_is_the_first_number_of_all() -> None:
    salts = (b"one", b"two")
    numbers = {liveness_of(with_dpd(), salt).number for salt in salts}
    assert len(numbers) == 2
    assert all(number < 2**31 for number in numbers)


def test_who_tries_many_numbers_is_heard_no_more_until_the_peer_is_asked_again() -> None:
    before = asked_there(peer(with_dpd(), lan=up(in_udp())))
    guessed, _ = told(before, *[HeardDpd(A, answer(before, to=wrong), THERE) for wrong in range(1, MAX_WRONG + 1)])
    after, _ = told(guessed, HeardDpd(A, answer(before), THERE))
    assert places(after) == OLD
    again, _ = told(guessed, Heard(A, THERE), now=NOW + 2)
    moved, _ = told(again, HeardDpd(A, answer(again), THERE), now=NOW + 2)
    assert places(moved) == NEW


def test_the_answer_to_a_question_that_was_open_before_still_shows_life() -> None:
    asked = replace(with_dpd(), liveness=Liveness(100, look_at=NOW + 9, asked=2, asked_at=NOW - 2))
    before, _ = told(peer(asked, lan=up(in_udp())), Mapped("lan", ours(), THERE.remote))
    for number in (99, 100):
        after, _ = told(before, HeardDpd(A, r_u_there_ack(A, number.to_bytes(4, "big")), path(40001)))
        assert liveness_of(after.isakmp[A], SALT).asked == 0
    old, _ = told(before, HeardDpd(A, r_u_there_ack(A, (98).to_bytes(4, "big")), path(40001)))
    assert liveness_of(old.isakmp[A], SALT).asked == 2


def test_it_is_asked_again_a_while_later() -> None:
    before = asked_there(peer(with_dpd(), lan=up(in_udp())))
    _, effects = told(before, Heard(A, THERE), now=NOW + 2)
    assert effects[0].startswith("say once under A to 203.0.113.9:41000: R_U_THERE")


def test_a_message_from_the_old_address_ends_the_doubt() -> None:
    before = asked_there(peer(with_dpd(), lan=up(in_udp())))
    late = answer(before)
    after, _ = told(before, Heard(A, path(40001)), HeardDpd(A, late, THERE))
    assert places(after) == OLD


def test_so_does_the_message_itself_of_which_a_copy_came_first() -> None:
    once = asked_there(peer(with_dpd(dpd=False), lan=up(in_udp())))
    after, _ = told(once, CameTwice(A), Heard(A, THERE))
    assert places(after) == OLD


def test_without_dead_peer_detection_the_second_message_moves_all() -> None:
    before = peer(with_dpd(dpd=False), lan=up(in_udp()))
    once, effects = told(before, Heard(A, THERE))
    assert places(once) == OLD
    assert "its next message from there moves it" in effects[0]
    twice, _ = told(once, Heard(A, THERE))
    assert places(twice) == NEW


def test_but_no_packets_do_for_the_kernel_does_not_tell_what_the_old_address_still_sends() -> None:
    packet = Mapped("lan", ours(), THERE.remote)
    after, effects = told(peer(with_dpd(dpd=False), lan=up(in_udp())), packet, packet, packet)
    assert places(after) == OLD
    assert effects == []


def test_two_messages_from_two_addresses_are_not_two_from_one() -> None:
    after, _ = told(peer(with_dpd(dpd=False), lan=up(in_udp())), Heard(A, THERE), Heard(A, FURTHER), Heard(A, THERE))
    assert places(after) == OLD


def test_without_a_nat_in_front_of_the_peer_nothing_moves_and_nobody_is_asked() -> None:
    plain = behind_nat(remote=False)
    before = peer(replace(plain, sa=replace(plain.sa, dpd=True)), lan=up(in_udp(behind_nat=False)))
    for fact in (Heard(A, THERE), Mapped("lan", ours(), THERE.remote)):
        after, effects = told(before, fact, fact)
        assert places(after) == OLD
        assert effects == []


def test_a_pair_without_an_isakmp_sa_stays() -> None:
    before = peer(lan=up(in_udp()))
    assert told(before, Mapped("lan", ours(), THERE.remote)) == (before, [])


def test_a_question_from_there_is_answered_there() -> None:
    _, effects = told(peer(with_dpd(), lan=up(pair())), HeardDpd(A, r_u_there(A, 7), THERE))
    assert any(effect.startswith("say once under A to 203.0.113.9:41000: R_U_THERE_ACK") for effect in effects)
