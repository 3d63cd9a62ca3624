"""AH and sequence numbers of 64 bits in Quick Mode (RFC 2407 section 4.4.3, RFC 4304)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.errors import NoProposalChosen
from ikevd.observe.words import say_error
from ikevd.policy.algorithms import INTEGRITIES, HashRow
from ikevd.policy.child import Child
from ikevd.policy.proposals import parse_ah, parse_esp
from ikevd.wire.payloads import NoncePayload, SaPayload
from ikevd.wire.registry import AhTransform, Encapsulation, IpsecAttribute, Protocol
from ikevd.wire.sa import Proposal
from tests.builders import ALICE, ESP_AES128_SHA256, child, connection, fqdn
from tests.duet import Network
from tests.exchanges.phase1_pair import main_mode_between
from tests.exchanges.quick_mode_pair import (
    NI,
    against_responder,
    offer,
    quick_mode_between,
    sends_first,
    swapped,
)
from tests.nat import Nat

AH = child(suites=(parse_ah("sha256"),))
ESN = child(suites=(parse_esp("aes256-sha256-esn"),))


@pytest.mark.parametrize("row", INTEGRITIES.values(), ids=lambda row: row.word)
def test_ah_is_negotiated_with_every_hash(row: HashRow) -> None:
    ah = child(suites=(parse_ah(row.word),))
    duet = quick_mode_between(ah, swapped(ah))

    for side in (duet.initiator, duet.responder):
        assert side.result.suite == ah.suites[0]
        assert side.result.inbound.protocol == side.result.outbound.protocol == Protocol.AH
    assert duet.agreed()


@pytest.mark.parametrize("mode", [Encapsulation.TUNNEL, Encapsulation.TRANSPORT], ids=str)
def test_ah_has_both_modes_and_perfect_forward_secrecy(mode: Encapsulation) -> None:
    ah = child(suites=(replace(parse_ah("sha1-curve25519"), mode=mode),))
    duet = quick_mode_between(ah, swapped(ah))
    assert duet.responder.result.suite == ah.suites[0]


def test_a_transform_whose_identifier_and_hash_differ_is_refused() -> None:
    ids = AH.local.to_id(), AH.remote.to_id()
    (proposal,) = offer(*AH.suites).proposals
    wrong = replace(proposal.transforms[0], id=AhTransform.MD5)
    mixed = SaPayload.of((Proposal(1, Protocol.AH, proposal.spi, (wrong,)),))
    duet = against_responder(sends_first(mixed, NoncePayload(NI), *ids), swapped(AH))

    assert isinstance(duet.responder.error, NoProposalChosen)
    assert "a transform of AH with the ID MD5 and HMAC_SHA2_256" in say_error(duet.responder.error)


def test_esp_and_ah_do_not_meet() -> None:
    for ours, theirs in ((AH, child()), (child(), AH)):
        duet = quick_mode_between(ours, swapped(theirs))
        error = duet.responder.error
        assert isinstance(error, NoProposalChosen)
        assert say_error(error).endswith(f"the peer offers {ours.protocol}; wanted is {theirs.protocol}")


@pytest.mark.parametrize("ours", [AH, child()], ids=["ah", "esp"])
def test_a_bundle_of_both_is_refused_in_words(ours: Child) -> None:
    (esp,) = offer(ESP_AES128_SHA256).proposals
    (ah,) = offer(*AH.suites).proposals
    bundle = SaPayload.of((replace(ah, number=1), replace(esp, number=1)))
    ids = AH.local.to_id(), AH.remote.to_id()
    duet = against_responder(sends_first(bundle, NoncePayload(NI), *ids), swapped(ours))

    assert isinstance(duet.responder.error, NoProposalChosen)
    assert "AH with ESP" in say_error(duet.responder.error)
    assert "must be off there" in say_error(duet.responder.error)


@pytest.mark.parametrize("behind", ["initiator", "responder"])
def test_ah_cannot_pass_a_nat_and_says_so(behind: str) -> None:
    network = Network(nat=Nat(ip_address("203.0.113.9"), ALICE))
    duet = main_mode_between(connection(local_id=fqdn("alice.example")), network=network)
    sas = duet.initiator.result, duet.responder.result
    if behind == "initiator":
        error = quick_mode_between(AH, swapped(AH), sas=sas, network=network).initiator.error
        where = "in front of this side"
    else:
        ids = AH.local.to_id(), AH.remote.to_id()
        script = sends_first(offer(*AH.suites), NoncePayload(NI), *ids)
        error = against_responder(script, swapped(AH), sas=sas, network=network).responder.error
        where = "in front of the peer"

    assert isinstance(error, NoProposalChosen)
    assert f"a NAT {where} alters them: AH cannot pass" in say_error(error)


@pytest.mark.parametrize("words", ["aes256-sha256-esn", "aes128gcm16-esn", "aes128-sha1-curve25519-esn"])
def test_sequence_numbers_of_64_bits_are_negotiated(words: str) -> None:
    long = child(suites=(parse_esp(words),))
    duet = quick_mode_between(long, swapped(long))
    assert duet.initiator.result.suite == duet.responder.result.suite == long.suites[0]
    assert duet.responder.result.suite.esn


def test_ah_has_them_too() -> None:
    long = child(suites=(parse_ah("sha256-esn"),))
    assert quick_mode_between(long, swapped(long)).responder.result.suite.esn


def test_one_end_that_wants_them_is_told_what_differs() -> None:
    duet = quick_mode_between(ESN, swapped(child(suites=(parse_esp("aes256-sha256"),))))
    assert isinstance(duet.responder.error, NoProposalChosen)
    assert say_error(duet.responder.error).endswith(
        "they differ in the sequence numbers (theirs of 64 bits (esn), ours of 32 bits)"
    )


def test_a_peer_may_say_in_so_many_words_that_it_wants_the_usual_ones() -> None:
    """Old strongSwan sends the attribute with the value 0."""
    plain = child()
    (proposal,) = offer(*plain.suites).proposals
    (transform,) = proposal.transforms
    attribute = next(one for one in transform.attributes if one.type == IpsecAttribute.ENCAPSULATION)
    said = replace(transform, attributes=(*transform.attributes, replace(attribute, type=11, value=bytes(2))))
    ids = plain.local.to_id(), plain.remote.to_id()
    script = sends_first(SaPayload.of((replace(proposal, transforms=(said,)),)), NoncePayload(NI), *ids)
    assert not against_responder(script, swapped(plain)).responder.result.suite.esn
