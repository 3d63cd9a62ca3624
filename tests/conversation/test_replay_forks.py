"""Where the peer may hold another end of the IV chain, an exchange that is told again knows it too."""

from __future__ import annotations

from dataclasses import replace

from ikevd.conversation.inputs import Input, InputKind
from ikevd.exchanges import phase2
from ikevd.wire.message import HEADER_OCTETS, Header
from ikevd.wire.registry import ExchangeType
from tests.builders import BOB_TO_ALICE
from tests.conversation.retold import Retold, give, kept, phase1, quick_mode_of, remembered, sent_in
from tests.exchanges.phase1_pair import MESSAGE_ID, isakmp_sas

OTHER_BLOCK = b"another last blk"


def with_another_end(datagram: bytes) -> bytes:
    """The same payloads under the same key, with a block of something behind them."""
    sa, header = isakmp_sas()[0], Header.decode_untrusted(datagram)
    clear = phase2.chains(sa, MESSAGE_ID)[0].propose(datagram[HEADER_OCTETS:]).plaintext
    body = phase2.chains(sa, MESSAGE_ID)[0].encrypt(clear + b"sixteen octets..")
    return header.encode(len(body)) + body


def test_a_copy_that_forked_the_chain_is_answered_from_its_own_end_and_remembered() -> None:
    duet, role = Retold(quick_mode_of()).run(), quick_mode_of().responder
    first = duet.initiator.sent[0]
    until_message_2 = duet.inputs["responder"].given[:4]
    conversation, inputs = remembered(role, until_message_2)
    copy = Input(InputKind.HEARD, 0.5, with_another_end(first), BOB_TO_ALICE)
    effects = give(conversation, copy)
    (answer,) = sent_in(effects)
    assert answer.octets != duet.responder.sent[0]
    again = role.revive(kept(inputs, effects), 1.0).conversation
    assert sent_in(again.heard(copy.octets, BOB_TO_ALICE, 1.0)) == [answer]


def test_an_end_of_phase_1_that_was_learnt_on_the_way_is_remembered() -> None:
    role = quick_mode_of().initiator
    given = Retold(quick_mode_of()).run().inputs["initiator"].given[:2]
    conversation, inputs = remembered(role, given)
    inputs = kept(inputs, conversation.fork(phase2.chain(isakmp_sas()[0], OTHER_BLOCK, MESSAGE_ID)))
    again = role.revive(inputs, 0.1).conversation
    assert conversation.deadline is not None
    said = sent_in(again.tick(conversation.deadline))
    assert len(said) == 2
    assert said == sent_in(conversation.tick(conversation.deadline))


def test_ends_that_were_known_at_the_beginning_are_there_again() -> None:
    plain = quick_mode_of().initiator
    role = replace(plain, beginning=replace(plain.beginning, forks=(OTHER_BLOCK,)))
    given = Retold(quick_mode_of()).run().inputs["initiator"].given[:2]
    conversation, inputs = remembered(role, given)
    again = role.revive(inputs, 0.1).conversation
    assert conversation.deadline is not None
    said = sent_in(again.tick(conversation.deadline))
    assert len(said) == 2
    assert said == sent_in(conversation.tick(conversation.deadline))


def test_a_last_message_that_the_peer_has_confirmed_is_not_said_again() -> None:
    role = phase1(ExchangeType.AGGRESSIVE).initiator
    given = Retold(phase1(ExchangeType.AGGRESSIVE)).run().inputs["initiator"].given
    conversation, inputs = remembered(role, given)
    assert role.revive(inputs, 0.1).conversation.deadline is not None
    assert role.revive(kept(inputs, conversation.confirm()), 0.1).conversation.deadline is None
