"""Quick Mode, both roles against each other under one ISAKMP SA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from ikevd.conversation.timing import Timing
from ikevd.crypto import groups
from ikevd.errors import (
    IkeError,
    InvalidHash,
    InvalidId,
    InvalidKey,
    KernelRefused,
    Malformed,
    NoAnswer,
    NoProposalChosen,
)
from ikevd.exchanges import phase2, quick_mode
from ikevd.exchanges.link import HostCall, Link, OpenInbound, OpenOutbound, ReserveSpi
from ikevd.facts import Dropped, Fact, Heard, Repeated, Sent
from ikevd.policy.model import Child, Lifetime, Resend
from ikevd.policy.selectors import TrafficSelector
from ikevd.policy.transforms import offer_phase2
from ikevd.sa.model import IpsecSa, IsakmpSa, Spi
from ikevd.wire.message import Message
from ikevd.wire.payloads import HashPayload, IdPayload, KePayload, NoncePayload, Payload
from ikevd.wire.registry import ExchangeType, Group, IdType
from ikevd.wire.sa import SaPayload
from tests.builders import ALICE, BOB, ESP_AES128_SHA256, ESP_AES256_SHA1, SeededEntropy, child
from tests.duet import Duet, HostInMemory, Network
from tests.exchanges.phase1_pair import MESSAGE_ID, under_isakmp_sa

PFS = replace(ESP_AES128_SHA256, group=Group.CURVE25519)
NI = SeededEntropy(3).octets(32)
SPI = bytes.fromhex("0000a000")


def swapped(ours: Child) -> Child:
    """The same child as the other side configures it."""
    return replace(ours, local=ours.remote, remote=ours.local)


def quick_mode_between(alice: Child, *bob: Child, **options: Any) -> Duet:
    return under_isakmp_sa(
        ExchangeType.QUICK_MODE,
        lambda sa: lambda link, host: quick_mode.initiate(link, host, sa, alice, SeededEntropy(3)),
        lambda sa: lambda link, host: quick_mode.respond(link, host, sa, bob, SeededEntropy(4)),
        **options,
    ).run()


Script = Callable[[Link, IsakmpSa], Any]


def against_responder(script: Script, *bob: Child, **options: Any) -> Duet:
    """A hand-written initiator against our responder."""

    async def play(link: Link, sa: IsakmpSa) -> Any:
        return await script(link, sa)

    return under_isakmp_sa(
        ExchangeType.QUICK_MODE,
        lambda sa: lambda link, _: play(link, sa),
        lambda sa: lambda link, host: quick_mode.respond(link, host, sa, bob, SeededEntropy(4)),
        **options,
    ).run()


def against_initiator(alice: Child, script: Script, **options: Any) -> Duet:
    """Our initiator against a hand-written responder."""

    async def play(link: Link, sa: IsakmpSa) -> Any:
        return await script(link, sa)

    return under_isakmp_sa(
        ExchangeType.QUICK_MODE,
        lambda sa: lambda link, host: quick_mode.initiate(link, host, sa, alice, SeededEntropy(3)),
        lambda sa: lambda link, _: play(link, sa),
        **options,
    ).run()


def sends_first(*payloads: Payload) -> Script:
    """A peer whose first message holds these payloads behind a right HASH(1), and that then answers as it should."""

    async def script(link: Link, sa: IsakmpSa) -> Message:
        first = phase2.with_hash_1(sa, link.message_id, *payloads)
        second: Message = await link.ask(
            *first, accept=lambda message: phase2.accept_hash_2(sa, link.message_id, NI, message)
        )
        await link.answer(phase2.hash_3(sa, link.message_id, NI, second.one(NoncePayload).body))
        return second

    return script


def answers(make: Callable[[Message], Sequence[Payload]]) -> Script:
    """A peer that answers message 1 with what `make` makes of it, behind a right HASH(2)."""

    async def script(link: Link, sa: IsakmpSa) -> None:
        asked = await link.receive(lambda message: phase2.accept_hash_1(sa, link.message_id, message))
        ni_b = asked.one(NoncePayload).body
        await link.answer(*phase2.with_hash_2(sa, link.message_id, ni_b, *make(asked)))

    return script


def offer(*suites: Any, spi: bytes = SPI) -> SaPayload:
    return offer_phase2(suites or (ESP_AES128_SHA256,), Lifetime(3600), spi)


def opened(host: HostInMemory) -> list[type[HostCall]]:
    return [type(call) for call in host.opened]


# -- what is agreed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", [ESP_AES128_SHA256, PFS, replace(PFS, group=Group.MODP_2048)])
def test_both_sides_hold_the_same_pair_of_sas(suite: Any) -> None:
    alice = child(suites=(suite,))
    duet = quick_mode_between(alice, swapped(alice))

    ours: IpsecSa = duet.initiator.result
    theirs: IpsecSa = duet.responder.result
    assert ours.suite == theirs.suite == suite
    assert (ours.inbound, ours.outbound) == (theirs.outbound, theirs.inbound)
    assert ours.inbound.encryption != ours.outbound.encryption
    assert len(ours.inbound.encryption) == 16
    assert (ours.local_selector, ours.remote_selector) == (theirs.remote_selector, theirs.local_selector)
    assert (ours.local, ours.remote, theirs.local, theirs.remote) == (ALICE, BOB, BOB, ALICE)
    assert (ours.initiator, theirs.initiator) == (True, False)
    assert ours.replay_window == theirs.replay_window == 128


def test_three_messages_cross_each_sent_once() -> None:
    duet = quick_mode_between(child(), swapped(child()))
    labels = [fact.label for fact in duet.initiator.facts if isinstance(fact, Sent | Heard)]
    assert labels == ["QM1", "QM2", "QM3"]
    assert duet.responder.ended_at == 0.03, "nothing was sent by timer"


def test_without_pfs_no_ke_crosses_and_with_it_both_do() -> None:
    for suite, names in ((ESP_AES128_SHA256, 0), (PFS, 2)):
        alice = child(suites=(suite,))
        facts = quick_mode_between(alice, swapped(alice)).initiator.facts
        assert sum("KE" in fact.payloads for fact in facts if isinstance(fact, Sent | Heard)) == names


def test_the_responder_picks_by_its_own_order_and_the_shorter_life() -> None:
    alice = child(suites=(ESP_AES256_SHA1, ESP_AES128_SHA256), lifetime=Lifetime(7200, 4096))
    bob = replace(swapped(alice), suites=(ESP_AES128_SHA256, ESP_AES256_SHA1), lifetime=Lifetime(3600))
    duet = quick_mode_between(alice, bob)
    assert duet.initiator.result.suite == duet.responder.result.suite == ESP_AES128_SHA256
    assert duet.responder.result.lifetime == Lifetime(3600, 4096)


def test_two_quick_modes_under_one_sa_have_their_own_keys_and_iv_chains() -> None:
    first = quick_mode_between(child(), swapped(child()))
    second = quick_mode_between(child(), swapped(child()), message_id=MESSAGE_ID + 1)
    assert second.initiator.result is not None
    assert first.initiator.sent[0][28:44] != second.initiator.sent[0][28:44]
    for side in (first, second):
        assert side.initiator.result.inbound == side.responder.result.outbound
    assert first.initiator.result.inbound.encryption != second.initiator.result.inbound.encryption


# -- selectors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("local", "remote"),
    [
        ("10.1.0.5", "10.2.0.0/24"),
        ("10.1.0.10-10.1.0.20", "10.2.0.0/24"),
        ("10.1.0.0/24[tcp/443]", "10.2.0.0/24[tcp]"),
        ("10.1.0.0/24[icmp]", "0.0.0.0/0[icmp]"),
        ("2001:db8:1::/48", "2001:db8:2::5"),
        ("2001:db8::1-2001:db8::9", "::/0"),
    ],
)
def test_every_kind_of_selector_is_agreed(local: str, remote: str) -> None:
    wanted = {"local": TrafficSelector.parse(local), "remote": TrafficSelector.parse(remote)}
    alice = replace(child(), **wanted)  # type: ignore[arg-type]
    assert quick_mode_between(alice, swapped(alice)).responder.result.local_selector == alice.remote


IDCR = child().remote.to_id()


@pytest.mark.parametrize(
    "idci",
    [
        IdPayload(IdType.IPV4_SUBNET, 0, 0, ip_address("10.1.0.5").packed + b"\xff\xff\xff\xff"),
        IdPayload(IdType.IPV4_ADDR, 0, 0, ip_address("10.1.0.5").packed),
        IdPayload(IdType.IPV4_RANGE, 0, 0, ip_address("10.1.0.5").packed * 2),
    ],
    ids=["/32", "address", "range of one"],
)
def test_an_address_is_its_own_subnet_and_the_ids_come_back_octet_by_octet(idci: IdPayload) -> None:
    bob = swapped(child("10.1.0.5/32"))
    duet = against_responder(sends_first(offer(), NoncePayload(NI), idci, IDCR), bob)
    assert duet.initiator.result.all(IdPayload) == (idci, IDCR)
    assert duet.responder.result.remote_selector == bob.remote


def test_a_range_that_is_a_subnet_comes_back_as_a_range() -> None:
    whole = ip_address("10.1.0.0").packed + ip_address("10.1.0.255").packed
    idci = IdPayload(IdType.IPV4_RANGE, 0, 0, whole)
    duet = against_responder(sends_first(offer(), NoncePayload(NI), idci, IDCR), swapped(child()))
    assert duet.initiator.result.all(IdPayload)[0] == idci
    assert duet.responder.result is not None


def test_no_ids_mean_the_addresses_of_the_peers() -> None:
    bob = replace(child(), local=TrafficSelector.of_address(BOB), remote=TrafficSelector.of_address(ALICE))
    duet = against_responder(sends_first(offer(), NoncePayload(NI)), child("1.0.0.0/8", "2.0.0.0/8"), bob)
    assert duet.responder.result.local_selector == bob.local
    assert duet.initiator.result.all(IdPayload) == ()


def test_an_initiator_of_host_to_host_bears_an_answer_without_ids() -> None:
    alice = replace(child(), local=TrafficSelector.of_address(ALICE), remote=TrafficSelector.of_address(BOB))
    duet = against_initiator(alice, answers(lambda _: (offer(), NoncePayload(NI))))
    assert duet.initiator.result is not None


def test_other_selectors_are_refused_with_both_pairs_and_the_peers_spi() -> None:
    duet = quick_mode_between(child("10.9.0.0/24"), swapped(child()))
    error = duet.responder.error
    assert isinstance(error, InvalidId)
    assert "the peer asks for 10.2.0.0/24 === 10.9.0.0/24" in str(error)
    assert "lan has 10.2.0.0/24 === 10.1.0.0/24" in str(error)
    assert "wrong way round" not in str(error)
    assert len(error.spi) == 4
    assert duet.responder.host.opened == []


def test_selectors_the_wrong_way_round_are_called_so() -> None:
    error = quick_mode_between(child(), child()).responder.error
    assert isinstance(error, InvalidId)
    assert "the peer has local and remote the wrong way round" in str(error)


def test_a_difference_in_protocol_or_port_is_a_difference() -> None:
    alice = replace(child(), local=TrafficSelector.parse("10.1.0.0/24[tcp/443]"))
    assert isinstance(quick_mode_between(alice, swapped(child())).responder.error, InvalidId)


@pytest.mark.parametrize(
    ("ids", "error", "said"),
    [
        ((IDCR,), Malformed, "1 ID payloads in Quick Mode; two or none"),
        ((IDCR, IDCR, IDCR), Malformed, "3 ID payloads"),
        ((IDCR, IdPayload(IdType.FQDN, 0, 0, b"bob.example")), InvalidId, "type FQDN selects no traffic"),
        ((IDCR, IdPayload(IdType(99), 0, 0, b"")), InvalidId, "IDTYPE_99 selects no traffic"),
        ((IDCR, IdPayload(IdType.IPV4_ADDR, 0, 0, b"")), Malformed, "an address of 0 octets, not 4"),
        ((IDCR, IdPayload(IdType.IPV4_ADDR, 0, 0, bytes(16))), Malformed, "an address of 16 octets, not 4"),
        ((IDCR, IdPayload(IdType.IPV6_SUBNET, 0, 0, bytes(8))), Malformed, "an address of 4 octets, not 16"),
        ((IDCR, IdPayload(IdType.IPV4_SUBNET, 0, 0, b"\n\1\0\0\xff\0\xff\0")), InvalidId, "is not contiguous"),
        ((IDCR, IdPayload(IdType.IPV4_RANGE, 0, 0, b"\n\1\0\2\n\1\0\1")), InvalidId, "ends before it begins"),
    ],
)
def test_ids_that_select_no_traffic_are_refused(ids: tuple[IdPayload, ...], error: type[IkeError], said: str) -> None:
    duet = against_responder(sends_first(offer(), NoncePayload(NI), *ids), swapped(child()))
    assert isinstance(duet.responder.error, error)
    assert said in str(duet.responder.error)
    assert duet.responder.host.opened == []


def test_the_initiator_refuses_narrowed_selectors() -> None:
    narrowed = child("10.1.0.0/25").local.to_id()
    duet = against_initiator(child(), answers(lambda _: (offer(), NoncePayload(NI), narrowed, IDCR)))
    assert isinstance(duet.initiator.error, InvalidId)
    assert "other traffic selectors than 10.1.0.0/24 === 10.2.0.0/24" in str(duet.initiator.error)
    assert duet.initiator.host.opened == []


# -- proposals and PFS ------------------------------------------------------------------------------------------------


def test_no_common_proposal_names_the_nearest_miss_and_the_peers_spi() -> None:
    error = quick_mode_between(
        child(suites=(ESP_AES256_SHA1,)), swapped(child(suites=(PFS, ESP_AES128_SHA256)))
    ).responder.error
    assert isinstance(error, NoProposalChosen)
    assert "it differs in key_bits (256 against 128), integrity (HMAC_SHA1 against HMAC_SHA2_256)" in str(error)
    assert len(error.spi) == 4


@pytest.mark.parametrize(
    ("suite", "ke", "error", "said"),
    [
        (PFS, (), NoProposalChosen, "PFS with CURVE25519 was agreed, but the peer sent no KE payload"),
        (ESP_AES128_SHA256, (KePayload(bytes(32)),), NoProposalChosen, "names no PFS group"),
        (PFS, (KePayload(b"\2" * 256),), InvalidKey, "32"),
        (PFS, (KePayload(bytes(32)),), InvalidKey, ""),
        (PFS, (KePayload(b""),), InvalidKey, ""),
        (PFS, (KePayload(b"\2" * 32),) * 2, Malformed, "2 KePayloads"),
    ],
    ids=["missing", "unasked", "another group's", "zero", "empty", "twice"],
)
def test_a_ke_that_does_not_fit_the_chosen_transform_is_refused(
    suite: Any, ke: tuple[KePayload, ...], error: type[IkeError], said: str
) -> None:
    first: tuple[Payload, ...] = (offer(suite), NoncePayload(NI), *ke, child().local.to_id(), IDCR)
    duet = against_responder(sends_first(*first), swapped(child(suites=(suite,))))
    assert isinstance(duet.responder.error, error)
    assert said in str(duet.responder.error)
    assert duet.responder.error.spi == SPI
    assert duet.responder.host.opened == []


@pytest.mark.parametrize("ke", [(), (KePayload(bytes(32)),), (KePayload(groups.generate(Group.MODP_2048).public),)])
def test_the_initiator_refuses_an_answer_without_a_fitting_ke(ke: tuple[KePayload, ...]) -> None:
    ids = child().local.to_id(), IDCR
    duet = against_initiator(child(suites=(PFS,)), answers(lambda _: (offer(PFS), NoncePayload(NI), *ke, *ids)))
    assert isinstance(duet.initiator.error, NoProposalChosen | InvalidKey)
    assert duet.initiator.host.opened == []


@pytest.mark.parametrize("spi", [0, 1, 255])
def test_a_reserved_spi_of_the_peer_is_refused(spi: int) -> None:
    octets, ids = Spi(spi).octets, (child().local.to_id(), IDCR)
    as_responder = against_responder(sends_first(offer(spi=octets), NoncePayload(NI), *ids), swapped(child()))
    as_initiator = against_initiator(child(), answers(lambda _: (offer(spi=octets), NoncePayload(NI), *ids)))
    for side in (as_responder.responder, as_initiator.initiator):
        assert isinstance(side.error, Malformed)
        assert f"the peer's ESP SPI {Spi(spi)} is a reserved one" in str(side.error)
        assert side.host.opened == []


def test_the_initiator_refuses_a_choice_that_it_did_not_offer() -> None:
    ids = child().local.to_id(), IDCR
    duet = against_initiator(child(), answers(lambda _: (offer(ESP_AES256_SHA1), NoncePayload(NI), *ids)))
    assert isinstance(duet.initiator.error, NoProposalChosen)
    assert "which we did not offer" in str(duet.initiator.error)


# -- HASH(1), HASH(2), HASH(3) ----------------------------------------------------------------------------------------

FIRST = (offer(), NoncePayload(NI), child().local.to_id(), IDCR)


def without_hash(sa: IsakmpSa, message_id: int) -> tuple[Payload, ...]:
    return FIRST


def wrong_hash(sa: IsakmpSa, message_id: int) -> tuple[Payload, ...]:
    return HashPayload(bytes(32)), *FIRST


def empty_hash(sa: IsakmpSa, message_id: int) -> tuple[Payload, ...]:
    return HashPayload(b""), *FIRST


def hash_behind(sa: IsakmpSa, message_id: int) -> tuple[Payload, ...]:
    proof, *rest = phase2.with_hash_1(sa, message_id, *FIRST)
    return *rest, proof


def payload_in_front(sa: IsakmpSa, message_id: int) -> tuple[Payload, ...]:
    return FIRST[0], *phase2.with_hash_1(sa, message_id, *FIRST)


def hash_of_another_message(sa: IsakmpSa, message_id: int) -> tuple[Payload, ...]:
    return phase2.with_hash_1(sa, message_id + 1, *FIRST)


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
    assert (dropped.error, "HASH(1)" in dropped.reason) == (error.__name__, True)
    assert isinstance(duet.responder.error, NoAnswer)
    assert duet.responder.sent == []


@pytest.mark.parametrize("proof", [(), (HashPayload(bytes(32)),), (HashPayload(b""),)])
def test_hash_2_must_hold_before_the_initiator_opens_anything(proof: tuple[Payload, ...]) -> None:
    async def script(link: Link, sa: IsakmpSa) -> None:
        await link.receive(lambda message: message)
        await link.answer(*proof, *FIRST)

    duet = against_initiator(child(), script)
    assert "HASH(2)" in duet.initiator.facts_of(Dropped)[0].reason
    assert isinstance(duet.initiator.error, NoAnswer)
    assert "HASH(2)" in str(duet.initiator.error)
    assert duet.initiator.host.opened == []


@pytest.mark.parametrize("proof", [(NoncePayload(NI),), (HashPayload(bytes(32)),), (HashPayload(b""),)])
def test_hash_3_must_hold_before_the_responder_opens_outbound(proof: tuple[Payload, ...]) -> None:
    async def script(link: Link, sa: IsakmpSa) -> None:
        await link.ask(*phase2.with_hash_1(sa, link.message_id, *FIRST), accept=lambda message: message)
        await link.answer(*proof)

    duet = against_responder(script, swapped(child()))
    assert "HASH(3)" in duet.responder.facts_of(Dropped)[0].reason
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
    assert str(duet.responder.error).startswith("no QM3 to 3 sends in 7 s")
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

    def serve(self, call: HostCall) -> object:
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
