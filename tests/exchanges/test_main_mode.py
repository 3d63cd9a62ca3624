"""Main Mode, both roles against each other (foreign peers: tests/interop)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cache

import pytest

from ikevd.conversation.timing import QUICKEST
from ikevd.crypto.groups import KeyPair
from ikevd.errors import InvalidId, InvalidKey, NoAnswer, NoProposalChosen, ProbablePskMismatch
from ikevd.exchanges import main_mode
from ikevd.exchanges.phase1 import Candidates, accept_first_key_exchange
from ikevd.facts import Dropped, Heard, Note, Sent
from ikevd.observe.words import say_error
from ikevd.policy.connection import Resend
from ikevd.policy.lives import Lifetime, LifetimeCheck
from ikevd.policy.nat import Encap
from ikevd.wire.message import Header, Message
from ikevd.wire.payloads import KePayload, NoncePayload
from ikevd.wire.registry import ExchangeType, Flags, Group, PayloadType
from tests.builders import (
    AES128_SHA256_X25519,
    AES256_SHA1_MODP2048,
    SeededEntropy,
    connection,
    fqdn,
    key_pair,
    mirrored,
    psk,
)
from tests.duet import Duet, Network
from tests.exchanges.phase1_pair import main_mode_between
from tests.sayings import said

OBEY, STRICT, CLAIM, EXACT = LifetimeCheck


def test_both_sides_hold_the_same_isakmp_sa() -> None:
    alice = connection()
    duet = main_mode_between(alice, mirrored(alice))

    ours, theirs = duet.initiator.result, duet.responder.result
    assert ours.keys == theirs.keys
    assert ours.cookies == theirs.cookies
    assert ours.cookies.responder == b"responde"
    assert (ours.initiator, theirs.initiator) == (True, False)
    assert ours.last_blocks[0] == theirs.last_blocks[0]


def test_six_messages_cross_each_sent_once() -> None:
    alice = connection()
    duet = main_mode_between(alice, mirrored(alice))

    labels = [fact.label for fact in duet.initiator.facts if isinstance(fact, Sent | Heard)]
    assert labels == ["MM1", "MM2", "MM3", "MM4", "MM5", "MM6"]
    assert duet.initiator.ended_at is not None
    assert duet.initiator.ended_at < 1, "nothing was sent by timer"


def test_the_evidence_holds_the_payloads_of_encrypted_messages_and_of_no_others() -> None:
    alice = connection()
    duet = main_mode_between(alice, mirrored(alice))

    ours, theirs = (
        {fact.label: fact.chain for fact in side.facts if isinstance(fact, Sent | Heard)}
        for side in (duet.initiator, duet.responder)
    )
    assert ours == theirs
    assert [label for label, chain in ours.items() if chain] == ["MM5", "MM6"]
    assert ours["MM5"][:2] == bytes([PayloadType.HASH, 0])


def test_the_responder_picks_by_its_own_order() -> None:
    alice = connection(suites=(AES128_SHA256_X25519, AES256_SHA1_MODP2048))
    bob = replace(mirrored(alice), suites=(AES256_SHA1_MODP2048, AES128_SHA256_X25519))

    assert main_mode_between(alice, bob).initiator.result.suite == AES256_SHA1_MODP2048


def test_no_common_proposal_names_the_nearest_miss() -> None:
    alice = connection(suites=(replace(AES128_SHA256_X25519, group=Group.MODP_1024),))
    bob = replace(mirrored(alice), suites=(AES256_SHA1_MODP2048, AES128_SHA256_X25519))

    error = main_mode_between(alice, bob).responder.error
    assert isinstance(error, NoProposalChosen)
    assert "they differ in the group (theirs modp1024, ours curve25519)" in say_error(error)


def test_another_key_is_called_a_probable_mismatch_on_both_sides_and_names_where_it_is_defined() -> None:
    alice = connection(psk=psk("one secret", "alice.yaml:7:5"))
    bob = replace(mirrored(alice), psk=psk("another", "bob.yaml:9:5"))
    duet = main_mode_between(alice, bob)

    assert isinstance(duet.initiator.error, ProbablePskMismatch)
    assert "alice.yaml:7:5" in say_error(duet.initiator.error)
    assert isinstance(duet.responder.error, ProbablePskMismatch)
    assert "bob.yaml:9:5" in say_error(duet.responder.error)


def test_each_secret_of_the_candidates_is_tried_at_message_5() -> None:
    alice = connection(psk=psk("second"), local_id=fqdn("alice.example"))
    wrong = replace(mirrored(alice), name="other", psk=psk("first"), remote_id=fqdn("carol.example"))
    right = mirrored(alice)

    assert main_mode_between(alice, wrong, right).responder.result.connection == "alice"


def test_no_more_secrets_are_tried_than_the_limit_allows_and_the_evidence_says_so() -> None:
    alice = connection(psk=psk("third"), local_id=fqdn("alice.example"))
    bob = mirrored(alice)
    others = [replace(bob, name=key, psk=psk(key), remote_id=fqdn(f"{key}.example")) for key in ("first", "second")]
    duet = Duet(
        ExchangeType.MAIN_MODE,
        lambda link, _: main_mode.initiate(link, alice, SeededEntropy(1)),
        lambda link, _: main_mode.respond(link, Candidates((*others, bob), max_secrets=2), SeededEntropy(2)),
    ).run()

    assert isinstance(duet.responder.error, ProbablePskMismatch)
    assert any("1 secrets of this peer's candidates are not tried" in said(n) for n in duet.responder.facts_of(Note))


def test_the_life_is_that_of_the_connection_that_the_peer_turns_out_to_be() -> None:
    alice = connection(psk=psk("second"), local_id=fqdn("alice.example"))
    bob = mirrored(alice)
    other = replace(bob, name="other", psk=psk("first"), remote_id=fqdn("o.example"), lifetime=Lifetime(600))

    assert main_mode_between(alice, other, bob).responder.result.lifetime == alice.lifetime


def test_before_the_peer_is_known_nat_traversal_is_what_any_candidate_needs() -> None:
    alice = connection(psk=psk("second"), local_id=fqdn("alice.example"))
    bob = replace(mirrored(alice), encap=Encap.FORCE)
    other = replace(bob, name="other", psk=psk("first"), remote_id=fqdn("o.example"), nat_methods=(), encap=Encap.AUTO)

    nat = main_mode_between(alice, other, bob).responder.result.nat
    assert nat is not None
    assert nat.encapsulates


def test_one_key_pair_serves_however_many_messages_3_are_refused() -> None:
    made = list[KeyPair]()

    def pair() -> KeyPair:
        made.append(key_pair(Group.CURVE25519))
        return made[-1]

    once = cache(pair)
    header = Header(b"initiato", b"responde", PayloadType.KE, ExchangeType.MAIN_MODE, Flags.NONE, 0)
    for public in (bytes(1), bytes(32), bytes(32), b"\t" + bytes(31)):
        message = Message(header, (KePayload(public), NoncePayload(bytes(16))), b"")
        with suppress(InvalidKey):
            accept_first_key_exchange(Group.CURVE25519, once, message)
    assert len(made) == 1


def test_a_secret_that_verifies_counts_only_with_an_identity_that_owns_it() -> None:
    mallory = connection(psk=psk("of mallory"), local_id=fqdn("alice.example"))
    alice = replace(mirrored(mallory), psk=psk("of alice"))
    own = replace(mirrored(mallory), name="mallory", remote_id=fqdn("mallory.example"))

    error = main_mode_between(mallory, alice, own).responder.error
    assert isinstance(error, InvalidId)
    assert "mallory.example (FQDN) is configured" in say_error(error)


def test_candidates_with_one_secret_are_told_apart_by_identity() -> None:
    alice = connection(local_id=fqdn("alice.example"))
    carol = replace(mirrored(alice), name="carol", remote_id=fqdn("carol.example"))

    duet = main_mode_between(alice, carol, mirrored(alice))
    assert duet.responder.result.connection == "alice"
    assert str(duet.responder.result.remote_id) == "alice.example"


def test_who_calls_itself_as_nobody_is_named_is_whose_peer_may_call_itself_anything() -> None:
    alice = connection(local_id=fqdn("alice.example"))
    anyone = replace(mirrored(alice), name="anyone", remote=None, remote_id=None, any_identity=True)
    carol = replace(mirrored(alice), name="carol", remote_id=fqdn("carol.example"))

    result = main_mode_between(alice, anyone, carol).responder.result
    assert (result.connection, str(result.remote_id)) == ("anyone", "alice.example")
    assert main_mode_between(alice, anyone, mirrored(alice)).responder.result.connection == "alice"


@pytest.mark.parametrize("first", ["alice", "anyone"])
def test_a_peer_that_is_named_by_its_address_is_no_other_whatever_stands_first(first: str) -> None:
    alice = connection()
    anyone = replace(mirrored(alice), name="anyone", remote=None, remote_id=None, any_identity=True)

    candidates = sorted((mirrored(alice), anyone), key=lambda one: one.name != first)
    assert main_mode_between(alice, *candidates).responder.result.connection == "alice"


def test_an_unknown_identity_is_refused_with_both_values() -> None:
    alice = connection(local_id=fqdn("mallory.example"))
    bob = replace(mirrored(alice), remote_id=fqdn("alice.example"))

    error = main_mode_between(alice, bob).responder.error
    assert isinstance(error, InvalidId)
    assert "mallory.example (FQDN)" in say_error(error)
    assert "alice.example (FQDN)" in say_error(error)


def test_the_initiator_refuses_a_peer_with_another_identity() -> None:
    alice = connection(remote_id=fqdn("bob.example"))
    bob = replace(mirrored(alice), local_id=fqdn("mallory.example"))

    duet = main_mode_between(alice, bob)
    assert isinstance(duet.initiator.error, InvalidId)
    assert duet.initiator.conversation.unconfirmed is not None, "the responder holds the SA and must be told"


def test_both_ends_keep_the_shorter_lifetime() -> None:
    alice = connection(lifetime=Lifetime(7200))
    bob = replace(mirrored(alice), lifetime=Lifetime(100_000))

    duet = main_mode_between(alice, bob)
    assert duet.initiator.result.lifetime == duet.responder.result.lifetime == Lifetime(7200)


@pytest.mark.parametrize(
    ("check", "initiator", "responder"),
    [(CLAIM, Lifetime(3600), Lifetime(3600)), (OBEY, Lifetime(7200), Lifetime(7200))],
)
def test_message_6_tells_the_initiator_of_a_shorter_life_unless_its_own_is_taken(
    check: LifetimeCheck, initiator: Lifetime, responder: Lifetime
) -> None:
    alice = connection(lifetime=Lifetime(7200))
    bob = replace(mirrored(alice), lifetime=Lifetime(3600), lifetime_check=check)

    duet = main_mode_between(alice, bob)
    assert (duet.initiator.result.lifetime, duet.responder.result.lifetime) == (initiator, responder)
    assert duet.responder.result.claims is (check is CLAIM)


@pytest.mark.parametrize("check", [STRICT, EXACT])
def test_a_longer_life_is_refused_where_the_configuration_wants_that(check: LifetimeCheck) -> None:
    alice = connection(lifetime=Lifetime(7200))
    bob = replace(mirrored(alice), lifetime=Lifetime(3600), lifetime_check=check)

    error = main_mode_between(alice, bob).responder.error
    assert isinstance(error, NoProposalChosen)
    assert say_error(error).startswith("the peer proposes a lifetime of 7200 s, ours is 3600 s")


def test_silence_ends_after_the_configured_sends_with_growing_pauses() -> None:
    alice = connection(resend=Resend(interval=1, factor=2, sends=4))
    duet = main_mode_between(alice, mirrored(alice), network=Network(loss=1.0))

    assert isinstance(duet.initiator.error, NoAnswer)
    assert [fact.copy for fact in duet.initiator.facts_of(Sent)] == [1, 2, 3, 4]
    assert duet.initiator.ended_at == 1 + 2 + 4 + 8


@pytest.mark.parametrize(("lost", "pause"), [("MM2", 1.0), ("MM4", QUICKEST), ("MM6", QUICKEST)])
def test_a_lost_answer_is_sent_again_only_when_the_peer_repeats_itself(lost: str, pause: float) -> None:
    alice = connection()
    dropped: list[bytes] = []
    wanted = int(lost[2]) // 2

    def lose_once(sender: str, datagram: bytes) -> list[bytes]:
        if sender == "responder" and datagram not in dropped:
            dropped.append(datagram)
            return [] if len(dropped) == wanted else [datagram]
        return [datagram]

    duet = main_mode_between(alice, mirrored(alice), network=Network(tamper=lose_once))
    assert duet.initiator.result is not None
    assert len(duet.responder.sent) == len(duet.initiator.sent) == 4
    assert duet.initiator.ended_at == pytest.approx(pause + 0.06, abs=0.001)


def test_forged_copies_of_every_message_do_no_harm_under_protection() -> None:
    alice = connection()

    def forge(_: str, datagram: bytes) -> list[bytes]:
        encrypted = datagram[19] & 1
        return [datagram[:-1] + bytes([datagram[-1] ^ 1]), datagram] if encrypted else [datagram]

    duet = main_mode_between(alice, mirrored(alice), network=Network(tamper=forge))
    assert duet.initiator.result.keys == duet.responder.result.keys
    assert len(duet.responder.facts_of(Dropped)) >= 1


def test_a_choice_that_was_not_offered_is_refused() -> None:
    alice = connection(suites=(AES256_SHA1_MODP2048,))

    def alter(sender: str, datagram: bytes) -> list[bytes]:
        key_length_256, key_length_128 = bytes.fromhex("800e0100"), bytes.fromhex("800e0080")
        return [datagram.replace(key_length_256, key_length_128) if sender == "responder" else datagram]

    duet = main_mode_between(alice, mirrored(alice), network=Network(tamper=alter))
    assert "which we did not offer" in said(duet.initiator.facts_of(Dropped)[0])
    assert isinstance(duet.initiator.error, NoAnswer)
