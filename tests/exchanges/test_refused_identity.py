"""A peer that refuses our identity says so beside the exchange, encrypted, when it has seen message 5."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.conversation.beside import MAX_TRIALS
from ikevd.errors import PeerDeleted, PeerRefused, ProbablePskMismatch
from ikevd.facts import Heard, Note
from ikevd.findings import AnsweredOtherwise
from ikevd.observe.words import say_error
from ikevd.peer.notices import delete_isakmp
from ikevd.wire.registry import NotifyType
from tests.builders import connection, fqdn
from tests.exchanges.refusing import Stopped


@pytest.mark.parametrize("block", [None, b""], ids=["as strongSwan", "as libreswan"])
@pytest.mark.parametrize("notify", [NotifyType.AUTHENTICATION_FAILED, NotifyType.INVALID_ID_INFORMATION], ids=str)
def test_a_proven_refusal_ends_the_attempt_at_once_and_clears_the_key(notify: NotifyType, block: bytes | None) -> None:
    stopped = Stopped(replace(connection(), local_id=fqdn("alice.example")))
    assert stopped.say(stopped.refusal(notify, block))
    error = stopped.duet.initiator.error
    assert isinstance(error, PeerRefused)
    assert say_error(error) == f"the key is right, the peer refuses our identity alice.example (FQDN): {notify}"
    assert stopped.duet.initiator.ended_at == pytest.approx(stopped.duet.now)


def test_the_refusal_stands_in_the_evidence() -> None:
    stopped = Stopped()
    stopped.say(stopped.refusal(NotifyType.AUTHENTICATION_FAILED))
    heard = stopped.duet.initiator.facts_of(Heard)[-1]
    assert (heard.label, heard.payloads) == ("INFO", ("HASH", "N"))


def test_a_delete_of_the_isakmp_sa_ends_the_attempt() -> None:
    stopped = Stopped()
    stopped.say(stopped.informational(stopped.keying.chain.iv, delete_isakmp(stopped.keying.cookies)))
    assert isinstance(stopped.duet.initiator.error, PeerDeleted)


def other_key(stopped: Stopped) -> bytes:
    keying, stopped.keying = stopped.keying, Stopped().keying
    octets = stopped.refusal(NotifyType.PAYLOAD_MALFORMED)
    pair, stopped.keying = keying.cookies, keying
    return pair.initiator + pair.responder + octets[16:]


def test_what_opens_under_no_key_of_ours_is_a_hint_and_makes_another_key_likely() -> None:
    stopped = Stopped()
    assert stopped.say(other_key(stopped))
    assert stopped.duet.initiator.ended_at is None
    assert stopped.duet.initiator.facts_of(Note)[-1] == Note(AnsweredOtherwise())
    stopped.duet.go_on()
    error = stopped.duet.initiator.error
    assert isinstance(error, ProbablePskMismatch)
    assert say_error(error).startswith(
        "probable pre-shared key mismatch: the peer answered, encrypted, but not under our key (MM5 was sent 14 times"
    )


def test_forgeries_before_the_true_message_6_do_no_harm() -> None:
    stopped = Stopped()
    for number in range(100):
        forged = bytearray(stopped.refusal(NotifyType.AUTHENTICATION_FAILED))
        forged[-1 - number % 16] ^= 1 + number
        stopped.say(bytes(forged))
    stopped.answer(stopped.message_6())
    assert stopped.duet.initiator.result is not None


def test_a_word_that_is_no_refusal_changes_nothing() -> None:
    stopped = Stopped()
    assert stopped.say(stopped.refusal(NotifyType.INITIAL_CONTACT))
    stopped.answer(stopped.message_6())
    assert stopped.duet.initiator.result is not None


def test_that_a_message_was_unreadable_is_no_refusal_since_a_copy_may_have_been_altered() -> None:
    stopped = Stopped()
    stopped.say(stopped.refusal(NotifyType.PAYLOAD_MALFORMED))
    stopped.answer(stopped.message_6())
    assert stopped.duet.initiator.result is not None


def test_only_a_few_are_tried() -> None:
    stopped = Stopped()
    for _ in range(MAX_TRIALS // 2):
        stopped.say(other_key(stopped))
    assert not stopped.say(stopped.refusal(NotifyType.AUTHENTICATION_FAILED))
    assert stopped.duet.initiator.error is None
