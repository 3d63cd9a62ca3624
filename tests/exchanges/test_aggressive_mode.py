"""Aggressive Mode, both roles against each other (foreign peers: tests/interop)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.conversation.timing import Timing
from ikevd.errors import InvalidId, NoProposalChosen, ProbablePskMismatch
from ikevd.exchanges import aggressive_mode
from ikevd.exchanges.phase1 import Candidates
from ikevd.facts import Dropped, Heard, Sent
from ikevd.observe.words import say_error
from ikevd.policy.connection import Connection
from ikevd.policy.transforms import offer_phase1
from ikevd.wire.message import HEADER_OCTETS, Header
from ikevd.wire.registry import ExchangeType
from ikevd.wire.vendor_ids import DPD
from tests.builders import (
    AES128_SHA256_X25519,
    AES256_SHA1_MODP2048,
    SeededEntropy,
    connection,
    fqdn,
    mirrored,
    psk,
)
from tests.duet import Duet, Network


def aggressive(**changes: object) -> Connection:
    return connection(aggressive=True, local_id=fqdn("alice.example"), **changes)


def aggressive_mode_between(alice: Connection, *bob: Connection, network: Network | None = None) -> Duet:
    return Duet(
        ExchangeType.AGGRESSIVE,
        lambda link, _: aggressive_mode.initiate(link, alice, SeededEntropy(1)),
        lambda link, _: aggressive_mode.respond(link, Candidates(bob), SeededEntropy(2)),
        network=network,
        timing=Timing(resend=alice.resend),
    ).run()


def test_both_sides_hold_the_same_isakmp_sa() -> None:
    alice = aggressive()
    duet = aggressive_mode_between(alice, mirrored(alice))

    ours, theirs = duet.initiator.result, duet.responder.result
    assert ours.keys == theirs.keys
    assert ours.last_blocks == theirs.last_blocks
    assert ours.exchange == theirs.exchange == ExchangeType.AGGRESSIVE
    assert str(theirs.remote_id) == "alice.example"


def test_three_messages_cross() -> None:
    alice = aggressive()
    duet = aggressive_mode_between(alice, mirrored(alice))

    labels = [fact.label for fact in duet.responder.facts if isinstance(fact, Sent | Heard)]
    assert labels == ["AM1", "AM2", "AM3"]


@pytest.mark.parametrize("encrypted", [True, False])
def test_message_3_may_be_encrypted_or_in_the_clear(encrypted: bool) -> None:
    alice = aggressive(encrypt_third=encrypted)
    duet = aggressive_mode_between(alice, mirrored(alice))

    third = duet.initiator.sent[1]
    assert Header.decode_untrusted(third).encrypted is encrypted
    assert duet.initiator.result.last_blocks == duet.responder.result.last_blocks


def test_the_identity_in_message_1_chooses_the_connection_and_its_secret() -> None:
    alice = aggressive(psk=psk("of alice"))
    bob = mirrored(alice)
    carol = replace(bob, name="carol", remote_id=fqdn("carol.example"), psk=psk("of carol"))

    assert aggressive_mode_between(alice, carol, bob).responder.result.connection == "alice"


def test_an_unknown_identity_ends_it_before_any_diffie_hellman_and_without_an_answer() -> None:
    alice = aggressive()
    bob = replace(mirrored(alice), remote_id=fqdn("carol.example"))

    responder = aggressive_mode_between(alice, bob).responder
    assert isinstance(responder.error, InvalidId)
    assert "alice.example (FQDN)" in say_error(responder.error)
    assert responder.sent == []


def test_another_key_is_called_a_probable_mismatch_and_names_where_it_is_defined() -> None:
    alice = aggressive(psk=psk("one secret", "alice.yaml:7:5"))
    bob = replace(mirrored(alice), psk=psk("another", "bob.yaml:9:5"))
    duet = aggressive_mode_between(alice, bob)

    assert isinstance(duet.initiator.error, ProbablePskMismatch)
    assert "alice.yaml:7:5" in say_error(duet.initiator.error)


def test_a_peer_with_a_key_of_its_own_cannot_claim_anothers_identity() -> None:
    alice = aggressive(psk=psk("of alice"))
    mallory = replace(alice, psk=psk("of mallory"))
    bob = mirrored(alice)
    duet = aggressive_mode_between(
        mallory, bob, replace(bob, name="mallory", psk=mallory.psk, remote_id=fqdn("m.example"))
    )

    assert duet.responder.result is None


def test_only_transforms_of_one_group_are_offered() -> None:
    alice = aggressive(suites=(AES128_SHA256_X25519, AES256_SHA1_MODP2048))
    bob = replace(mirrored(alice), suites=(AES256_SHA1_MODP2048,))

    error = aggressive_mode_between(alice, bob).responder.error
    assert isinstance(error, NoProposalChosen)
    assert "(theirs curve25519, ours modp2048)" in say_error(error)


def test_the_responder_takes_the_group_that_the_public_value_is_of() -> None:
    alice = aggressive(suites=(AES256_SHA1_MODP2048, AES128_SHA256_X25519))
    bob = replace(mirrored(alice), suites=(AES128_SHA256_X25519, AES256_SHA1_MODP2048))

    offer = offer_phase1(alice.suites, alice.lifetime)
    choice, _ = Candidates((bob,)).choose(offer, bytes(256))
    assert choice.suite == AES256_SHA1_MODP2048


def test_message_3_is_sent_again_until_the_peer_must_have_it() -> None:
    alice, seen = aggressive(), list[bytes]()

    def lose_third(sender: str, datagram: bytes) -> list[bytes]:
        seen.append(datagram)
        third = sender == "initiator" and len(seen) > 2
        return [] if third and len(seen) < 5 else [datagram]

    duet = aggressive_mode_between(alice, mirrored(alice), network=Network(tamper=lose_third))
    assert duet.responder.result is not None


def test_message_2_is_never_sent_by_timer() -> None:
    alice = aggressive()
    deaf = Network(tamper=lambda sender, datagram: [datagram] if sender == "initiator" else [])
    duet = aggressive_mode_between(replace(alice, resend=replace(alice.resend, sends=1)), mirrored(alice), network=deaf)

    assert len(duet.responder.sent) == 1


def test_message_2_answers_each_copy_of_message_1() -> None:
    alice = aggressive()
    deaf = Network(tamper=lambda sender, datagram: [datagram] if sender == "initiator" else [])
    duet = aggressive_mode_between(replace(alice, resend=replace(alice.resend, sends=4)), mirrored(alice), network=deaf)

    assert len(duet.responder.sent) == 4


def test_a_forged_message_2_is_dropped_and_the_genuine_one_accepted() -> None:
    alice = aggressive(nat_methods=())  # so that HASH_R stands last but for the vendor ID of DPD
    behind = 4 + len(DPD)

    def forge(sender: str, datagram: bytes) -> list[bytes]:
        if sender == "initiator":
            return [datagram]
        last = len(datagram) - behind - 1
        hash_r_altered = datagram[:last] + bytes([datagram[last] ^ 1]) + datagram[last + 1 :]
        return [hash_r_altered, datagram] if len(datagram) > HEADER_OCTETS else [datagram]

    duet = aggressive_mode_between(
        replace(alice, nat_methods=()), mirrored(replace(alice, nat_methods=())), network=Network(tamper=forge)
    )
    assert duet.initiator.result is not None
    assert [fact.error for fact in duet.initiator.facts_of(Dropped)] == ["ProbablePskMismatch"]


@pytest.mark.parametrize("seed", range(200))
def test_over_a_bad_network_both_sides_or_neither_hold_the_sa(seed: int) -> None:
    alice = aggressive()
    network = Network(loss=0.2, duplicate=0.1, jitter=0.5, seed=seed)
    duet = aggressive_mode_between(alice, mirrored(alice), network=network)

    if duet.initiator.result is None:
        assert duet.responder.result is None
