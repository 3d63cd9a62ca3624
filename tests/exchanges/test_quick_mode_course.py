"""Quick Mode: proofs before anything is opened, losses, and this machine refusing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ikevd.conversation.timing import Timing
from ikevd.errors import (
    IkeError,
    InvalidHash,
    KernelRefused,
    Malformed,
    NoAnswer,
)
from ikevd.exchanges import phase2, quick_mode
from ikevd.exchanges.link import HostAnswer, HostCall, Link, OpenInbound, OpenOutbound, ReserveSpi
from ikevd.facts import Dropped, Fact, Heard, Repeated, Sent
from ikevd.observe.words import say_error
from ikevd.policy.connection import Resend
from ikevd.sa.model import IsakmpSa
from ikevd.wire.payloads import HashPayload, NoncePayload, Payload
from ikevd.wire.registry import ExchangeType
from tests.builders import SeededEntropy, child
from tests.duet import Duet, HostInMemory, Network
from tests.exchanges.phase1_pair import under_isakmp_sa
from tests.exchanges.quick_mode_pair import (
    IDCR,
    NI,
    against_initiator,
    against_responder,
    offer,
    opened,
    quick_mode_between,
    swapped,
)
from tests.sayings import said

# -- HASH(1), HASH(2), HASH(3) ----------------------------------------------------------------------------------------

FIRST = (offer(), NoncePayload(NI), child().local.to_id(), IDCR)


def without_hash(sa: IsakmpSa, message_id: int) -> tuple[Payload, ...]:
    return FIRST


def wrong_hash(sa: IsakmpSa, message_id: int) -> tuple[Payload, ...]:
    return HashPayload(bytes(32)), *FIRST


def empty_hash(sa: IsakmpSa, message_id: int) -> tuple[Payload, ...]:
    return HashPayload(b""), *FIRST


def hash_behind(sa: IsakmpSa, message_id: int) -> tuple[Payload, ...]:
    proof, *rest = phase2.Hashes(sa, message_id).with_1(*FIRST)
    return *rest, proof


def payload_in_front(sa: IsakmpSa, message_id: int) -> tuple[Payload, ...]:
    return FIRST[0], *phase2.Hashes(sa, message_id).with_1(*FIRST)


def hash_of_another_message(sa: IsakmpSa, message_id: int) -> tuple[Payload, ...]:
    return phase2.Hashes(sa, message_id + 1).with_1(*FIRST)


@pytest.mark.parametrize(
    ("forge", "error"),
    [
        (without_hash, Malformed),
        (wrong_hash, InvalidHash),
        (empty_hash, InvalidHash),
        (hash_behind, Malformed),
        (payload_in_front, Malformed),
        (hash_of_another_message, InvalidHash),
    ],
)
def test_no_payload_is_looked_at_before_hash_1_holds_first(
    forge: Callable[[IsakmpSa, int], tuple[Payload, ...]], error: type[IkeError]
) -> None:
    async def script(link: Link, sa: IsakmpSa) -> None:
        await link.ask(*forge(sa, link.message_id), accept=lambda message: message)

    duet = against_responder(script, swapped(child()))
    (dropped, *_) = duet.responder.facts_of(Dropped)
    assert (dropped.error, "HASH(1)" in said(dropped)) == (error.__name__, True)
    assert isinstance(duet.responder.error, NoAnswer)
    assert duet.responder.sent == []


@pytest.mark.parametrize("proof", [(), (HashPayload(bytes(32)),), (HashPayload(b""),)])
def test_hash_2_must_hold_before_the_initiator_opens_anything(proof: tuple[Payload, ...]) -> None:
    async def script(link: Link, sa: IsakmpSa) -> None:
        await link.receive(lambda message: message)
        await link.answer(*proof, *FIRST)

    duet = against_initiator(child(), script)
    assert "HASH(2)" in said(duet.initiator.facts_of(Dropped)[0])
    assert isinstance(duet.initiator.error, NoAnswer)
    assert "HASH(2)" in say_error(duet.initiator.error)
    assert duet.initiator.host.opened == []


@pytest.mark.parametrize("proof", [(NoncePayload(NI),), (HashPayload(bytes(32)),), (HashPayload(b""),)])
def test_hash_3_must_hold_before_the_responder_opens_outbound(proof: tuple[Payload, ...]) -> None:
    async def script(link: Link, sa: IsakmpSa) -> None:
        await link.ask(*phase2.Hashes(sa, link.message_id).with_1(*FIRST), accept=lambda message: message)
        await link.answer(*proof)

    duet = against_responder(script, swapped(child()))
    assert "HASH(3)" in said(duet.responder.facts_of(Dropped)[0])
    assert isinstance(duet.responder.error, NoAnswer)
    assert opened(duet.responder.host) == [OpenInbound]


# -- losses -----------------------------------------------------------------------------------------------------------


def losing(*lost: tuple[str, int]) -> Network:
    """Loses the datagrams that are named by sender and number, counted from 1."""
    counts = {"initiator": 0, "responder": 0}

    def tamper(sender: str, datagram: bytes) -> list[bytes]:
        counts[sender] += 1
        return [] if (sender, counts[sender]) in lost else [datagram]

    return Network(tamper=tamper)


def test_message_2_is_sent_by_timer_until_message_3_comes_and_each_copy_is_answered() -> None:
    """The first two copies of message 3 are lost: only repetitions of message 2 bring another one."""
    timing = Timing(resend=Resend(interval=1, factor=2, sends=4))
    network = losing(("initiator", 2), ("initiator", 3))
    duet = quick_mode_between(child(), swapped(child()), network=network, timing=timing)

    assert [fact.copy for fact in duet.responder.facts_of(Sent)] == [1, 2, 3]
    assert duet.initiator.facts_of(Repeated) == [Repeated("QM2", answered=True)] * 2
    assert duet.initiator.sent[1] == duet.initiator.sent[2] == duet.initiator.sent[3]
    assert duet.responder.ended_at == pytest.approx(0.01 + 1 + 2 + 0.02)
    assert duet.initiator.ended_at == 0.02


def test_a_lost_message_2_comes_again_by_both_timers_and_is_accepted_once() -> None:
    timing = Timing(resend=Resend(interval=1, factor=2, sends=4))
    duet = quick_mode_between(child(), swapped(child()), network=losing(("responder", 1)), timing=timing)
    assert [fact.label for fact in duet.initiator.facts_of(Heard)] == ["QM2"]
    assert duet.responder.result is not None
    assert opened(duet.responder.host) == [OpenInbound, OpenOutbound]


def test_a_responder_whose_message_3_never_comes_gives_up_after_the_configured_sends() -> None:
    timing = Timing(resend=Resend(interval=1, factor=2, sends=3))
    network = Network(tamper=lambda sender, datagram: [datagram] if len(datagram) > 80 else [])
    duet = quick_mode_between(child(), swapped(child()), network=network, timing=timing)
    assert isinstance(duet.responder.error, NoAnswer)
    assert say_error(duet.responder.error).startswith("no QM3: QM2 was sent 3 times in 7 s")
    assert duet.responder.ended_at == 0.01 + 1 + 2 + 4


# -- the host ---------------------------------------------------------------------------------------------------------

REFUSAL = KernelRefused("the kernel refused: no buffer space", 105)


@pytest.mark.parametrize(("refused", "left"), [(ReserveSpi, []), (OpenInbound, []), (OpenOutbound, [OpenInbound])])
@pytest.mark.parametrize("role", ["initiator", "responder"])
def test_a_refusal_of_the_kernel_ends_the_exchange_and_nothing_more_is_opened(
    role: str, refused: type[HostCall], left: list[type[HostCall]]
) -> None:
    failing, working = HostInMemory(refused, REFUSAL), HostInMemory()
    hosts = (failing, working) if role == "initiator" else (working, failing)
    duet = quick_mode_between(child(), swapped(child()), hosts=hosts)
    side = duet.initiator if role == "initiator" else duet.responder
    assert side.error is REFUSAL
    assert opened(failing) == left
    if role == "initiator":
        assert len(side.sent) == (0 if refused is ReserveSpi else 1), "message 3 never left"


class Journal(HostInMemory):
    """Notes each call among the facts of its side."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: list[Fact] = []
        self.calls: list[tuple[str, int]] = []

    def serve(self, call: HostCall) -> HostAnswer | IkeError:
        self.calls.append((type(call).__name__, sum(isinstance(fact, Sent) for fact in self.facts)))
        return super().serve(call)


def journaled() -> tuple[Duet, Journal, Journal]:
    alice, bob = Journal(), Journal()
    duet = under_isakmp_sa(
        ExchangeType.QUICK_MODE,
        lambda sa: lambda link, host: quick_mode.initiate(link, host, sa, child(), SeededEntropy(3)),
        lambda sa: lambda link, host: quick_mode.respond(link, host, sa, (swapped(child()),), SeededEntropy(4)),
        hosts=(alice, bob),
    )
    alice.facts, bob.facts = duet.initiator.facts, duet.responder.facts
    return duet.run(), alice, bob


def test_the_order_of_what_is_opened_and_what_is_sent() -> None:
    """Each call with the number of messages that its side had sent before it."""
    _, alice, bob = journaled()
    assert alice.calls == [("ReserveSpi", 0), ("OpenInbound", 1), ("OpenOutbound", 1)], "both before message 3"
    assert bob.calls == [("ReserveSpi", 0), ("OpenInbound", 0), ("OpenOutbound", 1)], "inbound before message 2"


def test_what_is_opened_is_what_is_returned() -> None:
    duet, alice, bob = journaled()
    assert [call.sa for call in alice.opened if not isinstance(call, ReserveSpi)] == [duet.initiator.result] * 2
    assert [call.sa for call in bob.opened if not isinstance(call, ReserveSpi)] == [duet.responder.result] * 2
