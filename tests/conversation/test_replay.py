"""An exchange that is told again hears, waits and says again as the first one would have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.addresses import Endpoint
from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import Raised
from ikevd.conversation.inputs import InputKind
from ikevd.conversation.timing import LINGER
from ikevd.errors import NoAnswer
from ikevd.wire.message import HEADER_OCTETS, Header, Message
from ikevd.wire.payloads import KePayload
from ikevd.wire.registry import Flags
from tests.conversation.retold import (
    ROLES,
    Retold,
    give,
    kept,
    remembered,
    sent_in,
)
from tests.conversation.scenarios import SCENARIOS, undisturbed
from tests.duet import Network
from tests.hostile.mallory import flipped

FLAGS = 19
"""Where they stand in the header."""


def told_again(scenario: str, side: str, count: int, now: float) -> tuple[Conversation, Conversation]:
    """The exchange after `count` inputs: by the process that it began in, and by one that was told of them."""
    role, given = SCENARIOS[scenario]().of(side), undisturbed(scenario).inputs[side].given[:count]
    first, inputs = remembered(role, given)
    return first, role.revive(inputs, now).conversation


POINTS = pytest.mark.parametrize(
    ("scenario", "side", "count"),
    [
        (scenario, side, count)
        for scenario in SCENARIOS
        for side in ROLES
        for count in range(1, len(undisturbed(scenario).inputs[side].given) + 1)
    ],
)


@POINTS
def test_a_repetition_of_the_peer_gets_the_same_octets(scenario: str, side: str, count: int) -> None:
    first, again = told_again(scenario, side, count, now=1.0)
    for given in undisturbed(scenario).inputs[side].given[:count]:
        if given.path is not None:
            answers = sent_in(again.heard(given.octets, given.path, 1.0))
            assert answers == sent_in(first.heard(given.octets, given.path, 1.0))


@POINTS
def test_what_waits_for_its_answer_is_said_at_once_and_again_at_the_same_times_until_the_same_end(
    scenario: str, side: str, count: int
) -> None:
    first, again = told_again(scenario, side, count, now=0.1)
    if again.deadline == 0.1:
        assert sent_in(again.tick(0.1)), "its answer may have come while no process was there"
    while (due := first.deadline) is not None:
        assert again.deadline == due
        effects, others = first.tick(due), again.tick(due)
        assert [type(effect) for effect in effects] == [type(effect) for effect in others]
        assert sent_in(effects) == sent_in(others)
    assert again.deadline is None
    assert first.ended == again.ended


def test_what_was_due_while_no_process_was_there_is_said_once_and_the_wait_ends_in_time() -> None:
    first, again = told_again("Main Mode", "initiator", 1, now=3.0)
    due = []
    while first.deadline is not None:
        due.append(first.deadline)
        first.tick(first.deadline)
    assert len(sent_in(again.tick(3.0))) == 1
    assert again.deadline == next(time for time in due if time > 3.0)
    late = told_again("Main Mode", "initiator", 1, now=due[-1] + 100)[1]
    (*_, end) = late.tick(due[-1] + 100)
    assert isinstance(end, Raised)
    assert isinstance(end.error, NoAnswer)


def test_a_repeated_message_2_completes_the_quick_mode_of_a_revived_initiator() -> None:
    """Message 3 was kept, but never left: charon repeats message 2 and, unanswered, gives up the ISAKMP SA."""
    duet = undisturbed("Quick Mode")
    given = duet.inputs["initiator"].given
    _, again = told_again("Quick Mode", "initiator", len(given), now=20.0)
    (second,) = [each for each in given if each.kind is InputKind.HEARD]
    assert second.path is not None
    (third,) = sent_in(again.heard(second.octets, second.path, 20.0))
    assert third.octets == duet.initiator.sent[-1]


def test_an_exchange_that_went_on_without_a_message_is_told_again() -> None:
    """The commit bit in message 2, and CONNECTED that never comes."""

    def with_the_commit_bit(sender: str, datagram: bytes) -> list[bytes]:
        return [flipped(datagram, FLAGS, Flags.COMMIT) if sender == "responder" else datagram]

    roles = SCENARIOS["Quick Mode"]()
    duet = Retold(roles, network=Network(tamper=with_the_commit_bit)).run()
    inputs = duet.inputs["initiator"]
    assert [given.kind for given in inputs.given][-2:] == [InputKind.SILENT, InputKind.SERVED]
    assert roles.initiator.revive(inputs, now=20.0).returned == (duet.initiator.result,)


def test_an_exchange_that_ended_long_ago_answers_no_more() -> None:
    given = undisturbed("Quick Mode").inputs["initiator"].given
    _, again = told_again("Quick Mode", "initiator", len(given), now=100.0)
    (second,) = [each for each in given if each.kind is InputKind.HEARD]
    assert second.path is not None
    assert again.heard(second.octets, second.path, given[-1].at + LINGER + 1) == []


def test_a_refused_message_that_cost_entropy_changes_nothing_of_what_follows() -> None:
    """The key pair is drawn for the first message 3 that may be one; NAT-D payloads are drawn after it."""
    duet, role = undisturbed("Main Mode in UDP"), SCENARIOS["Main Mode in UDP"]().responder
    *first, third, fifth, answered = duet.inputs["responder"].given
    conversation, inputs = remembered(role, first)
    assert third.path is not None
    header = Header.decode_untrusted(third.octets)
    public = Message.decode_untrusted(header, third.octets[HEADER_OCTETS:]).one(KePayload).body
    small_order = third.octets.replace(public, bytes(len(public)))
    assert sent_in(conversation.heard(small_order, third.path, third.at)) == []

    effects = give(conversation, third)
    assert [sent.octets for sent in sent_in(effects)] == duet.responder.sent[1:2]
    revived = role.revive(kept(inputs, effects), 1.0)
    give(revived.conversation, fifth)
    assert [sent.octets for sent in sent_in(give(revived.conversation, answered))] == duet.responder.sent[2:3]


def test_what_the_host_had_not_answered_is_asked_again_with_the_keys_that_nobody_kept() -> None:
    duet, role = undisturbed("Quick Mode with PFS"), SCENARIOS["Quick Mode with PFS"]().responder
    _, inputs = remembered(role, duet.inputs["responder"].given[:3])
    assert role.revive(inputs, 1.0).asks == duet.responder.host.opened[0]


def test_ports_that_a_nat_moved_on_the_way_are_heard_by_the_new_process_too() -> None:
    duet, role = undisturbed("Quick Mode in UDP"), SCENARIOS["Quick Mode in UDP"]().responder
    *until_message_2, third, last = duet.inputs["responder"].given
    _, inputs = remembered(role, until_message_2)
    assert third.path is not None
    moved = replace(third.path, remote=Endpoint(third.path.remote.address, 61234))
    revived = role.revive(inputs, third.at)
    inputs = kept(inputs, give(revived.conversation, replace(third, path=moved)))
    again = role.revive(inputs, last.at).conversation
    assert again.path == revived.conversation.path == moved
