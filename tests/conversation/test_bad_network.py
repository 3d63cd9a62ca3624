"""Main Mode, then Quick Mode, over a network that loses 30 %, doubles 10 % and reorders, by seed."""

from __future__ import annotations

from functools import cache

import pytest

from ikevd.conversation.timing import QUICKEST, Timing, pauses
from ikevd.errors import NoAnswer
from ikevd.exchanges import quick_mode
from ikevd.facts import Dropped, Sent
from ikevd.observe.words import say_error
from ikevd.policy.connection import Resend
from ikevd.sa.model import IsakmpSa
from ikevd.wire.registry import ExchangeType
from tests.builders import SeededEntropy, child, connection, mirrored
from tests.duet import Duet, Network
from tests.exchanges.phase1_pair import main_mode_between, under_isakmp_sa
from tests.sayings import said

PAIRS = 200
RESEND = Resend(interval=1.0, factor=1.8, sends=6)


def main_mode_over(network: Network, resend: Resend = RESEND) -> Duet:
    return main_mode_between(connection(resend=resend), network=network)


def quick_mode_over(network: Network, sas: tuple[IsakmpSa, IsakmpSa], resend: Resend = RESEND) -> Duet:
    alice = connection().children[0]
    bob = mirrored(connection()).children
    return under_isakmp_sa(
        ExchangeType.QUICK_MODE,
        lambda sa: lambda link, host: quick_mode.initiate(link, host, sa, alice, SeededEntropy(3)),
        lambda sa: lambda link, host: quick_mode.respond(link, host, sa, bob, SeededEntropy(4)),
        sas=sas,
        network=network,
        timing=Timing(resend=resend),
    ).run()


@cache
def outcomes() -> list[tuple[Duet, Duet | None]]:
    found: list[tuple[Duet, Duet | None]] = []
    for seed in range(PAIRS):
        network = Network(loss=0.30, duplicate=0.10, jitter=0.2, seed=seed)
        first = main_mode_over(network)
        complete = first.initiator.result and first.responder.result
        second = quick_mode_over(network, (first.initiator.result, first.responder.result)) if complete else None
        found.append((first, second))
    return found


def test_nine_in_ten_complete_both_modes_with_six_sends() -> None:
    complete = [q for _, q in outcomes() if q and q.initiator.result and q.responder.result]
    assert len(complete) >= 0.9 * PAIRS, len(complete)


def test_whoever_completes_agrees_with_the_other() -> None:
    for first, second in outcomes():
        for duet in (first, second):
            if duet and duet.initiator.result and duet.responder.result:
                if isinstance(duet.initiator.result, IsakmpSa):
                    assert duet.initiator.result.keys == duet.responder.result.keys
                else:
                    assert duet.agreed()


def test_every_other_ends_with_its_reason_and_no_message_of_the_peer_is_ever_dropped() -> None:
    """Late and doubled copies are repetitions; nothing genuine is refused."""
    for first, second in outcomes():
        for duet in (first, second):
            for side in (duet.initiator, duet.responder) if duet else ():
                assert side.result is not None or isinstance(side.error, NoAnswer) or "silent" in say_error(side.error)
                reasons = {said(fact) for fact in side.facts_of(Dropped)}
                assert reasons <= {"no message is awaited now", "message is in the clear"}, reasons


def test_nothing_is_sent_by_timer_more_often_than_configured() -> None:
    duets = [duet for pair in outcomes() for duet in pair if duet]
    copies = [fact.copy for duet in duets for side in (duet.initiator, duet.responder) for fact in side.facts_of(Sent)]
    assert max(copies) <= len(list(pauses(RESEND, 0.0)))


def test_the_same_seed_gives_the_same_run() -> None:
    network = Network(loss=0.30, duplicate=0.10, jitter=0.2, seed=7)
    again, before = main_mode_over(network), outcomes()[7][0]
    assert (again.initiator.ended_at, again.responder.ended_at) == (
        before.initiator.ended_at,
        before.responder.ended_at,
    )


# -- elapsed time, exactly --------------------------------------------------------------------------------------------

DELAY = 0.01


def clock_after(messages: int) -> float:
    """The virtual clock after that many messages. Added as the clock adds: `sum` rounds otherwise since Python 3.12."""
    clock = 0.0
    for _ in range(messages):
        clock += DELAY
    return clock


def losing_first_of_each(side: str, *, but: int = 0) -> Network:
    """`but`: so many messages arrive before."""
    seen: set[bytes] = set()
    before: list[bytes] = []

    def tamper(sender: str, datagram: bytes) -> list[bytes]:
        if sender != side or datagram in seen:
            return [datagram]
        seen.add(datagram)
        before.append(datagram)
        return [datagram] if len(before) <= but else []

    return Network(tamper=tamper)


def test_with_a_good_network_nothing_waits() -> None:
    duet = main_mode_over(Network())
    assert duet.initiator.ended_at == clock_after(6)
    assert duet.responder.ended_at == clock_after(5)


@pytest.mark.parametrize("side", ["initiator", "responder"])
@pytest.mark.parametrize(("arrive", "pauses"), [(0, 3 * [2.0]), (1, 2 * [QUICKEST])])
def test_each_message_lost_once_costs_one_pause_each_which_is_short_once_the_round_trip_is_known(
    side: str, arrive: int, pauses: list[float]
) -> None:
    duet = main_mode_over(losing_first_of_each(side, but=arrive), Resend(interval=2, factor=2, sends=3))
    assert duet.initiator.ended_at == pytest.approx(sum(pauses) + 6 * DELAY, abs=1e-9)
    assert len(duet.initiator.sent) == 6 - arrive


def test_silence_lasts_the_sum_of_the_pauses() -> None:
    duet = main_mode_over(Network(loss=1.0), Resend(interval=1, factor=2, sends=6))
    assert duet.initiator.ended_at == 1 + 2 + 4 + 8 + 16 + 32
    assert duet.responder.ended_at == 30


# -- an attacker who is faster ----------------------------------------------------------------------------------------


def forging(change: int) -> Network:
    """Before every protected message comes a copy with one octet changed."""

    def tamper(_: str, datagram: bytes) -> list[bytes]:
        if not datagram[19] & 1:
            return [datagram]
        at = change % (len(datagram) - 28) + 28
        return [datagram[:at] + bytes([datagram[at] ^ 0xFF]) + datagram[at + 1 :], datagram]

    return Network(tamper=tamper)


@pytest.mark.parametrize("change", [0, 5, 17, 40])
def test_a_forged_copy_before_every_protected_message_does_no_harm(change: int) -> None:
    first = main_mode_over(forging(change))
    sas = first.initiator.result, first.responder.result
    second = quick_mode_over(forging(change), sas)
    assert second.agreed()
    assert second.responder.ended_at == clock_after(3), "not even a pause"
    assert len(second.responder.facts_of(Dropped)) == 2


def test_a_replayed_quick_mode_under_another_message_id_is_nothing() -> None:
    first = main_mode_over(Network())
    sas = first.initiator.result, first.responder.result
    recorded = quick_mode_over(Network(), sas).initiator.sent[0]
    other = under_isakmp_sa(
        ExchangeType.QUICK_MODE,
        lambda sa: lambda link, host: quick_mode.initiate(link, host, sa, child(), SeededEntropy(3)),
        lambda sa: (
            lambda link, host: quick_mode.respond(link, host, sa, mirrored(connection()).children, SeededEntropy(4))
        ),
        sas=sas,
        message_id=77,
        network=Network(tamper=lambda _, datagram: [datagram[:20] + b"\0\0\0\x4d" + recorded[24:]]),
    ).run()
    assert isinstance(other.responder.error, NoAnswer)
    assert other.responder.sent == []
