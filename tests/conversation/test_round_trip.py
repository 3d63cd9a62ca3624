"""What is repeated follows the round trip, where that is known (RFC 2408 section 5.1)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ikevd.conversation.timing import LATELY, RoundTrip, pauses
from ikevd.facts import Sent
from ikevd.policy.connection import Resend
from tests.conversation.test_bad_network import main_mode_over, quick_mode_over
from tests.duet import Network

DEFAULT = Resend()


def copies(resend: Resend, round_trip: float | None) -> list[float]:
    """When each copy leaves."""
    found = [0.0]
    for pause in pauses(resend, round_trip):
        found.append(found[-1] + pause)
    return [round(when, 2) for when in found[:-1]]


def test_while_the_round_trip_is_not_known_the_configured_copies_are_sent() -> None:
    assert copies(DEFAULT, None) == [0, 1, 2.8, 6.04, 11.87, 22.37]


def test_once_it_is_known_further_copies_fill_the_first_six_seconds() -> None:
    quick = [0, 0.5, 1, 1.6, 2.2, 2.8, 3.34, 3.88, 4.42, 4.96, 5.5, 6.04]
    assert copies(DEFAULT, 0.3) == [*quick, 11.87, 22.37]


@pytest.mark.parametrize("round_trip", [0.0, 0.001, 0.3])
def test_they_are_half_a_second_apart_at_least(round_trip: float) -> None:
    assert min(pauses(DEFAULT, round_trip)) >= 0.5


def test_a_peer_that_takes_long_gets_no_more_than_are_configured() -> None:
    assert copies(DEFAULT, 3.0) == copies(DEFAULT, None)


@pytest.mark.parametrize("resend", [DEFAULT, Resend(10, 1, 6), Resend(0.2, 1, 3), Resend(1, 3, 2)])
@pytest.mark.parametrize("round_trip", [0.001, 0.3, 1.0])
def test_the_wait_ends_when_it_would_have_ended(resend: Resend, round_trip: float) -> None:
    known, unknown = list(pauses(resend, round_trip)), list(pauses(resend))
    assert sum(known) == pytest.approx(sum(unknown))
    assert len(known) <= len(unknown) + 12


def test_a_message_of_the_peer_that_may_be_a_repetition_never_makes_it_longer() -> None:
    known = RoundTrip()
    known.at_most(1.3)
    known.at_most(0.3)
    known.at_most(4.3)
    assert known.seconds == 0.3


def test_a_message_that_had_to_be_repeated_counts_as_a_loss_for_the_next_few() -> None:
    known, lossy = RoundTrip(), list[bool]()
    for seconds, copies_of_one in ((0.1, 1), (0.6, 2), *((0.1, 1) for _ in range(LATELY))):
        known.measured(seconds, copies_of_one)
        lossy.append(known.loses)
    assert lossy == [False, *(True for _ in range(LATELY)), False]


@pytest.mark.parametrize("seconds", [1.2, 3.0])
def test_copies_that_the_round_trip_explains_are_no_loss_and_shorten_nothing(seconds: float) -> None:
    known = RoundTrip()
    for _ in range(3):
        known.measured(seconds, sum(when < seconds for when in copies(DEFAULT, known.seconds)))
    assert known.seconds == seconds
    assert not known.loses
    assert copies(DEFAULT, known.seconds) == copies(DEFAULT, None)


def test_a_way_that_becomes_longer_is_known_after_a_few_messages() -> None:
    known = RoundTrip(0.1)
    for _ in range(6):
        known.measured(1.2, sum(when < 1.2 for when in copies(DEFAULT, known.seconds)))
    assert known.seconds == 1.2
    assert not known.loses


def test_a_loss_makes_the_next_message_wait_hardly_longer() -> None:
    known = RoundTrip(0.1)
    known.measured(0.6, 2)
    assert copies(DEFAULT, known.seconds) == copies(DEFAULT, 0.1)


def losing_the_first_message() -> Network:
    seen: list[bytes] = []

    def all_but_the_first(_: object, datagram: bytes) -> list[bytes]:
        seen.append(datagram)
        return [datagram] if len(seen) > 1 else []

    return Network(tamper=all_but_the_first)


@pytest.mark.parametrize(("make", "times"), [(Network, 1), (losing_the_first_message, 3)])
def test_message_3_of_quick_mode_is_sent_three_times_at_once_where_messages_get_lost(
    make: Callable[[], Network], times: int
) -> None:
    """strongSwan, as responder, asks for a lost one after 4 s only, and receives nothing until it has come."""
    first = main_mode_over(Network())
    duet = quick_mode_over(make(), (first.initiator.result, first.responder.result))
    assert duet.agreed()
    assert [fact.copy for fact in duet.initiator.facts_of(Sent) if fact.label == "QM3"] == list(range(1, times + 1))


def test_a_peer_that_does_not_answer_is_not_called_quickly_again() -> None:
    asked = main_mode_over(Network(tamper=lambda sender, datagram: [datagram] if datagram[19] & 1 == 0 else []))
    assert asked.initiator.error is not None
    assert asked.initiator.conversation.round_trip is None
