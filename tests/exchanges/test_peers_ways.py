"""Odd but common ways of peers in phase 1 that must be understood. Those of Cisco: tests/persona; of phase 2 and of
Informational messages: tests/hostile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.conversation.seal import seal
from ikevd.exchanges.link import Situation
from ikevd.policy.choose import Phase1Offer, choose_phase2, describe
from ikevd.policy.lives import Lifetime
from ikevd.policy.transforms import offer_phase1, offer_phase2
from ikevd.sa.model import Cookies
from ikevd.wire.message import HEADER_OCTETS, Header, Message, encode_chain, first_type
from ikevd.wire.payloads import Payload, VidPayload
from ikevd.wire.registry import AuthMethod
from ikevd.wire.sa import SaPayload
from tests.builders import (
    AES128_SHA256_X25519,
    AES256_SHA1_MODP2048,
    ALICE_TO_BOB,
    ESP_AES128_SHA256,
    ESP_AES256_SHA1,
    connection,
)
from tests.duet import Network
from tests.exchanges.phase1_pair import main_mode_between

HOUR = Lifetime(3600)


def rewritten(datagram: bytes, payloads: tuple[Payload, ...]) -> bytes:
    """The same message with other payloads, in the clear."""
    header = Header.decode_untrusted(datagram)
    situation = Situation(Cookies(header.initiator, header.responder), 0, ALICE_TO_BOB)
    (octets,) = seal(situation, header.exchange, first_type(payloads), encode_chain(payloads))
    return octets


def payloads_of(datagram: bytes) -> tuple[Payload, ...]:
    header = Header.decode_untrusted(datagram)
    return Message.decode_untrusted(header, datagram[HEADER_OCTETS:]).payloads if not header.encrypted else ()


def test_vendor_ids_may_stand_before_the_sa_payload() -> None:
    """FreeS/WAN and libreswan did so; RFC 2408 section 4.1 wants the SA payload first."""

    def vendor_ids_first(_: str, datagram: bytes) -> list[bytes]:
        found = payloads_of(datagram)
        if not any(isinstance(payload, SaPayload) for payload in found):
            return [datagram]
        order = sorted(found, key=lambda payload: isinstance(payload, SaPayload))
        return [rewritten(datagram, tuple(order))]

    duet = main_mode_between(connection(), network=Network(tamper=vendor_ids_first))
    assert duet.initiator.result.keys == duet.responder.result.keys


@pytest.mark.parametrize("count", [20, 40])
def test_many_vendor_ids_are_borne(count: int) -> None:
    def more(_: str, datagram: bytes) -> list[bytes]:
        found = payloads_of(datagram)
        if not any(isinstance(payload, SaPayload) for payload in found):
            return [datagram]
        extra = tuple(VidPayload(number.to_bytes(16, "big")) for number in range(count))
        return [rewritten(datagram, (*found, *extra))]

    duet = main_mode_between(connection(), network=Network(tamper=more))
    assert duet.initiator.result.keys == duet.responder.result.keys


def test_beside_rsa_transforms_the_one_with_a_pre_shared_key_is_chosen() -> None:
    """The method is that of the transform, not of the first one that has any."""
    rsa = replace(AES128_SHA256_X25519, auth=AuthMethod.RSA_SIG)
    offer = offer_phase1((rsa, replace(rsa, key_bits=256), AES128_SHA256_X25519), HOUR)
    choice = Phase1Offer(offer).choose((AES128_SHA256_X25519,))

    assert choice.suite.auth == AuthMethod.PSK
    assert [transform.number for transform in choice.answer.proposals[0].transforms] == [3]
    assert "RSA_SIG" in describe(rsa)


@pytest.mark.parametrize("numbers", [(0, 1), (0, 7), (200, 3), (1, 0)])
def test_proposals_may_be_numbered_from_0_and_with_gaps(numbers: tuple[int, int]) -> None:
    offers = (
        offer_phase2((ESP_AES256_SHA1,), HOUR, b"\0\0\1\1"),
        offer_phase2((ESP_AES128_SHA256,), HOUR, b"\0\0\1\2"),
    )
    proposals = tuple(replace(sa.proposals[0], number=n) for sa, n in zip(offers, numbers, strict=True))
    choice = choose_phase2(SaPayload(proposals), (ESP_AES128_SHA256,), HOUR)

    assert (choice.proposal.number, choice.peer_spi) == (numbers[1], b"\0\0\1\2")


def test_isakmp_proposals_may_be_numbered_with_gaps() -> None:
    first, second = offer_phase1((AES256_SHA1_MODP2048,), HOUR), offer_phase1((AES128_SHA256_X25519,), HOUR)
    offer = SaPayload((replace(first.proposals[0], number=0), replace(second.proposals[0], number=5)))

    assert Phase1Offer(offer).choose((AES128_SHA256_X25519,)).answer.proposals[0].number == 5
