"""A peer whose messages come from two places in turn is followed so many times in a minute, then where it answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.peer.dpd import liveness_of
from ikevd.peer.facts import Fact
from ikevd.peer.isakmp_state import IsakmpState
from ikevd.peer.message_facts import Heard, HeardDpd
from ikevd.peer.notices import r_u_there_ack
from ikevd.peer.path_facts import Mapped
from ikevd.peer.state import PeerState
from ikevd.peer.timing import MOVES, MOVES_WITHIN
from tests.builders import BOB
from tests.peer.mapped import FURTHER, THERE, in_udp, path, places, ports, up, with_dpd
from tests.peer.records import NOW, SALT, A, ours, peer, told

ONE, OTHER = path(40001), path(40002)


def flapping(state: PeerState, times: int, now: float = NOW) -> tuple[PeerState, list[str]]:
    """Messages from the two ports in turn; all that followed from them."""
    effects = list[str]()
    for number in range(times):
        state, more = told(state, Heard(A, (OTHER, ONE)[number % 2]), now=now + number / 100)
        effects += more
    return state, effects


def before(*, dpd: bool = True) -> PeerState:
    return peer(with_dpd(dpd=dpd), lan=up(in_udp()))


def isakmp_of(state: PeerState) -> IsakmpState:
    return state.isakmp[A]


def follows(effects: list[str]) -> int:
    return sum(effect.startswith("follow") for effect in effects)


def test_it_is_followed_so_often_and_no_more() -> None:
    after, effects = flapping(before(), 100)
    assert follows(effects) == MOVES
    assert ports(after) == [40001]
    assert isakmp_of(after).path == ONE


def test_the_record_says_so_once() -> None:
    _, effects = flapping(before(), 100)
    said = [effect for effect in effects if "comes from several places in turn" in effect]
    assert len(said) == 1
    assert "it was followed 6 times within 60 s: it stays at 198.51.100.1:40001 until it answers from" in said[0]


def test_it_is_asked_where_it_is_but_not_at_each_message() -> None:
    _, effects = flapping(before(), 100)
    assert sum("R_U_THERE" in effect for effect in effects) == 1


def test_where_it_answers_it_is_followed_to() -> None:
    stays, _ = flapping(before(), MOVES + 1)
    number = liveness_of(isakmp_of(stays), SALT).number
    after, _ = told(stays, HeardDpd(A, r_u_there_ack(A, number.to_bytes(4, "big")), OTHER))
    assert ports(after) == [40002]
    assert isakmp_of(after).path == OTHER


def test_an_answer_from_where_it_was_ends_the_doubt() -> None:
    stays, _ = flapping(before(), MOVES + 1)
    number = liveness_of(isakmp_of(stays), SALT).number
    ack = r_u_there_ack(A, number.to_bytes(4, "big"))
    after, _ = told(stays, HeardDpd(A, ack, ONE), HeardDpd(A, ack, OTHER))
    assert ports(after) == [40001]


def test_without_dead_peer_detection_it_stays_until_the_minute_is_over() -> None:
    stays, effects = flapping(before(dpd=False), 100)
    assert follows(effects) == MOVES
    assert not any("R_U_THERE" in effect for effect in effects)
    after, _ = told(stays, Heard(A, OTHER), now=NOW + MOVES_WITHIN + 1)
    assert ports(after) == [40002]


def test_packets_count_as_messages_do() -> None:
    state, effects = before(), list[str]()
    for number in range(100):
        fact: Fact = Mapped("lan", ours(), Endpoint(BOB, 40002 - number % 2))
        state, more = told(state, fact, now=NOW + number / 100)
        effects += more
    assert follows(effects) == MOVES


@pytest.mark.parametrize("dpd", [True, False])
def test_addresses_are_bounded_too_even_if_it_answers_from_each(dpd: bool) -> None:
    state, moves = before(dpd=dpd), 0
    for number in range(100):
        there: Path = (THERE, FURTHER)[number % 2]
        at = places(state)
        state, _ = told(state, Heard(A, there), now=NOW + number / 10)
        asked = liveness_of(isakmp_of(state), SALT).number
        fact: Fact = HeardDpd(A, r_u_there_ack(A, asked.to_bytes(4, "big")), there) if dpd else Heard(A, there)
        state, _ = told(state, fact, now=NOW + number / 10)
        moves += places(state) != at
    assert MOVES <= moves <= 2 * MOVES


def test_a_minute_later_it_is_followed_at_once_again() -> None:
    stays, _ = flapping(before(), 100)
    quiet = replace(stays, isakmp={A: replace(isakmp_of(stays), roaming=None)})
    after, effects = told(quiet, Heard(A, OTHER), now=NOW + MOVES_WITHIN + 2)
    assert ports(after) == [40002]
    assert follows(effects) == 1
