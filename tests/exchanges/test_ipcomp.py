"""IPComp in Quick Mode: ESP and IPCOMP under one number, with ESP alone beside them (RFC 3173, RFC 2407)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.errors import IkeError, NoProposalChosen
from ikevd.facts import Note
from ikevd.observe.words import say_error
from ikevd.path_findings import NotCompressed, Obstacle
from ikevd.policy.child import Child
from ikevd.policy.compression import with_ipcomp
from ikevd.policy.lives import Lifetime
from ikevd.policy.proposals import parse_esp
from ikevd.sa.model import Spi
from ikevd.wire.message import Message
from ikevd.wire.payloads import IdPayload, NoncePayload, Payload, SaPayload
from ikevd.wire.registry import Encapsulation, IpcompTransform, IpsecAttribute, Protocol
from ikevd.wire.sa import Proposal, Transform
from tests.builders import ALICE, child, connection, fqdn
from tests.duet import Duet, Network, Side
from tests.exchanges.phase1_pair import main_mode_between
from tests.exchanges.quick_mode_pair import (
    NI,
    SPI,
    against_initiator,
    against_responder,
    answers,
    offer,
    quick_mode_between,
    sends_first,
    swapped,
)
from tests.nat import Nat

PLAIN, COMPRESSED = child(), child(ipcomp=True)
TRANSPORT = child(ipcomp=True, suites=tuple(replace(suite, mode=Encapsulation.TRANSPORT) for suite in child().suites))
IPCOMP = Protocol.IPCOMP
CPI = b"\x12\x34"
NR = bytes(32)


def bundle(cpi: bytes = CPI, mode: Encapsulation = Encapsulation.TUNNEL) -> tuple[Proposal, Proposal, Proposal]:
    """ESP with IPCOMP, and ESP alone."""
    one, two, three = with_ipcomp(offer(), mode, Lifetime(3600), cpi).proposals
    return one, two, three


def asking(*proposals: Proposal) -> Duet:
    """What our responder makes of them."""
    ids = COMPRESSED.local.to_id(), COMPRESSED.remote.to_id()
    return against_responder(sends_first(SaPayload.of(proposals), NoncePayload(NI), *ids), swapped(COMPRESSED))


def lacks(side: Side) -> list[Obstacle]:
    """Why nothing is compressed, as it is noted."""
    notes = (note.finding for note in side.facts_of(Note))
    return [finding.why for finding in notes if isinstance(finding, NotCompressed)]


def test_both_ends_agree_on_cpis_of_their_own() -> None:
    duet = quick_mode_between(COMPRESSED, swapped(COMPRESSED))
    ours, theirs = duet.initiator.result.cpis, duet.responder.result.cpis
    assert (ours.inbound, ours.outbound) == (theirs.outbound, theirs.inbound)
    assert {cpi.protocol for cpi in (ours.inbound, ours.outbound)} == {IPCOMP}
    assert duet.agreed()
    assert lacks(duet.initiator) == lacks(duet.responder) == []


def test_in_transport_mode_too() -> None:
    ends = replace(TRANSPORT, local=TRANSPORT.local.at(ALICE), remote=TRANSPORT.remote.at(ip_address("198.51.100.1")))
    duet = quick_mode_between(ends, swapped(ends))
    assert duet.responder.result.cpis is not None


@pytest.mark.parametrize(("alice", "bob"), [(COMPRESSED, PLAIN), (PLAIN, COMPRESSED)], ids=["initiator", "responder"])
def test_one_end_alone_does_without_and_says_so(alice: Child, bob: Child) -> None:
    duet = quick_mode_between(alice, swapped(bob))
    for side, wish in ((duet.initiator, alice.ipcomp), (duet.responder, bob.ipcomp)):
        assert side.result.cpis is None
        assert lacks(side) == [Obstacle.PEER] * wish
    assert duet.agreed()


@pytest.mark.parametrize("begins", [True, False], ids=["initiator", "responder"])
def test_behind_a_nat_it_is_neither_offered_nor_taken(begins: bool) -> None:
    network = Network(nat=Nat(ip_address("203.0.113.9"), ALICE))
    phase1 = main_mode_between(connection(local_id=fqdn("alice.example")), network=network)
    sas = phase1.initiator.result, phase1.responder.result
    duet = quick_mode_between(COMPRESSED, swapped(COMPRESSED), sas=sas, network=network)
    side = duet.initiator if begins else duet.responder
    assert side.result.cpis is None
    assert lacks(side) == [Obstacle.NAT]


def test_a_tunnel_of_another_ip_version_is_not_compressed() -> None:
    inner = child("2001:db8:1::/64", "2001:db8:2::/64", ipcomp=True)
    duet = quick_mode_between(inner, swapped(inner))
    assert lacks(duet.initiator) == lacks(duet.responder) == [Obstacle.IP_VERSION]


# -- as responder


@pytest.mark.parametrize("cpi", [CPI, b"\0\0" + CPI, b"\x01\x00", b"\xff\xff"], ids=bytes.hex)
def test_a_cpi_has_two_octets_or_four(cpi: bytes) -> None:
    esp, ipcomp, _ = bundle(cpi)
    cpis = asking(esp, ipcomp).responder.result.cpis
    assert cpis.outbound == Spi.of(IPCOMP, cpi)


@pytest.mark.parametrize("cpi", [b"", b"\x12", b"\0\1\0\0", b"\0\x02", b"\0\xff", bytes(2)], ids=bytes.hex)
def test_what_is_no_cpi_is_passed_over(cpi: bytes) -> None:
    """RFC 3173 section 3.3: below 256 a CPI stands for an algorithm by itself, or is reserved."""
    esp, ipcomp, alone = bundle(cpi)
    assert asking(esp, ipcomp, alone).responder.result.cpis is None
    refusal = asking(esp, ipcomp).responder.error
    assert isinstance(refusal, NoProposalChosen)
    assert "the peer offers ESP with IPCOMP" in say_error(refusal)


def test_the_answer_has_both_proposals_and_our_cpi_in_two_octets() -> None:
    duet = asking(*reversed(bundle()[:2]))
    second: Message = duet.initiator.result
    esp, ipcomp = second.one(SaPayload).proposals
    assert (esp.protocol, ipcomp.protocol, esp.number) == (Protocol.ESP, IPCOMP, ipcomp.number)
    assert ipcomp.spi == duet.responder.result.cpis.inbound.octets[2:]
    assert ipcomp.transforms == bundle()[1].transforms


def test_better_compressed_than_not_whatever_comes_first() -> None:
    esp, ipcomp, alone = bundle()
    turned = replace(alone, number=1), replace(esp, number=2), replace(ipcomp, number=2)
    assert asking(*turned).responder.result.cpis is not None


@pytest.mark.parametrize(
    "transform",
    [
        Transform(1, IpcompTransform.LZS, ()),
        replace(bundle(mode=Encapsulation.TRANSPORT)[1].transforms[0], number=1),
    ],
    ids=["LZS", "the other mode"],
)
def test_another_algorithm_or_mode_is_passed_over(transform: Transform) -> None:
    esp, ipcomp, alone = bundle()
    other = replace(ipcomp, transforms=(transform,))
    assert asking(esp, other, alone).responder.result.cpis is None
    both = replace(ipcomp, transforms=(transform, replace(ipcomp.transforms[0], number=2)))
    assert asking(esp, both).responder.result.cpis is not None


def test_a_transform_that_names_no_mode_has_that_of_esp() -> None:
    esp, ipcomp, _ = bundle()
    (transform,) = ipcomp.transforms
    bare = tuple(one for one in transform.attributes if one.type != IpsecAttribute.ENCAPSULATION)
    assert asking(esp, replace(ipcomp, transforms=(replace(transform, attributes=bare),))).responder.result.cpis


@pytest.mark.parametrize("more", [Protocol.AH, IPCOMP], ids=str)
def test_three_under_one_number_are_passed_over(more: Protocol) -> None:
    esp, ipcomp, _ = bundle()
    error = asking(esp, ipcomp, replace(ipcomp, protocol=more, spi=SPI)).responder.error
    assert isinstance(error, NoProposalChosen)


# -- as initiator


def answering(*proposals: Proposal, alice: Child = COMPRESSED) -> Duet:
    """What our initiator makes of that choice."""

    def make(asked: Message) -> Sequence[Payload]:
        return SaPayload.of(proposals), NoncePayload(NR), *asked.all(IdPayload)

    return against_initiator(alice, answers(make))


def error_of(duet: Duet) -> IkeError:
    error = duet.initiator.error
    assert isinstance(error, IkeError)
    return error


def offered_by(alice: Child) -> tuple[Proposal, ...]:
    """In message 1."""
    offered: list[SaPayload] = []

    def make(asked: Message) -> Sequence[Payload]:
        offered.append(asked.one(SaPayload))
        return ()

    against_initiator(alice, answers(make))
    return offered[0].proposals


def test_the_offer_has_esp_with_ipcomp_first_and_esp_alone_second() -> None:
    one, two, three = offered_by(COMPRESSED)
    assert [each.protocol for each in (one, two, three)] == [Protocol.ESP, IPCOMP, Protocol.ESP]
    assert [each.number for each in (one, two, three)] == [1, 1, 2]
    assert one.spi == three.spi
    assert len(two.spi) == 2
    assert [transform.id for transform in two.transforms] == [IpcompTransform.DEFLATE]


def test_the_offer_of_a_child_without_the_wish_has_esp_alone() -> None:
    (only,) = offered_by(PLAIN)
    assert only.protocol == Protocol.ESP


@pytest.mark.parametrize("turned", [False, True], ids=["ESP first", "IPCOMP first"])
def test_the_choice_of_both_is_taken(turned: bool) -> None:
    chosen = bundle()[1::-1] if turned else bundle()[:2]
    duet = answering(*chosen)
    assert duet.initiator.result.cpis.outbound == Spi.of(IPCOMP, CPI)


def test_strongswan_answers_with_esp_alone_besides() -> None:
    assert answering(*bundle()).initiator.result.cpis is not None


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param((*bundle()[:2], replace(bundle()[2], spi=b"\0\0\xb0\0")), id="another one besides"),
        pytest.param((bundle()[0], replace(bundle()[1], number=2)), id="two numbers"),
        pytest.param((bundle()[0], bundle(b"\0\0")[1]), id="no CPI"),
        pytest.param((bundle()[0], bundle(mode=Encapsulation.TRANSPORT)[1]), id="the other mode"),
        pytest.param((bundle()[0], replace(bundle()[1], transforms=bundle()[1].transforms * 2)), id="two transforms"),
        pytest.param((bundle()[1],), id="IPCOMP alone"),
    ],
)
def test_another_choice_is_refused(chosen: tuple[Proposal, ...]) -> None:
    assert isinstance(error_of(answering(*chosen)), NoProposalChosen)


def test_what_was_not_offered_is_refused() -> None:
    assert isinstance(error_of(answering(*bundle()[:2], alice=PLAIN)), NoProposalChosen)


def test_perfect_forward_secrecy_goes_with_it() -> None:
    pfs = child(ipcomp=True, suites=(parse_esp("aes256-sha256-modp2048"), parse_esp("aes128gcm16-modp2048")))
    assert quick_mode_between(pfs, swapped(pfs)).responder.result.cpis is not None
