"""The core: duplicates, hints, failures from outside, what is dropped and what it may change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd.addresses import Path
from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import AskHost, Effect, Raised, Transmit
from ikevd.conversation.timing import LARVAL, PATIENCE, Timing
from ikevd.errors import Abandoned, IkeError, InternalError, KernelRefused, NoAnswer, PeerRefused, Said
from ikevd.exchanges.link import Link, Situation
from ikevd.facts import Dropped, Fact, Heard, Hint, Note, Repeated, Sent
from ikevd.observe.words import say_error
from ikevd.policy.connection import Resend
from ikevd.policy.nat import NatMethod
from ikevd.sa.model import Cookies, NatTraversal
from ikevd.wire.payloads import VidPayload
from ikevd.wire.registry import ExchangeType, NotifyType
from tests.builders import ALICE_TO_BOB
from tests.fuzz.stage import COOKIES, Stage, drive
from tests.fuzz.stages import STAGES
from tests.sayings import said


def facts_in(effects: Sequence[Effect]) -> list[Fact]:
    return [effect for effect in effects if isinstance(effect, Fact)]


def sent_in(effects: Sequence[Effect]) -> list[bytes]:
    return [effect.octets for effect in effects if isinstance(effect, Transmit)]


def changed(datagram: bytes, at: int, value: int) -> bytes:
    return datagram[:at] + bytes([value]) + datagram[at + 1 :]


EACH_STAGE = pytest.mark.parametrize("name", list(STAGES))


# -- accepted, repeated, dropped --------------------------------------------------------------------------------------


@EACH_STAGE
def test_the_genuine_message_is_accepted_at_every_stage(name: str) -> None:
    stage = STAGES[name]()
    (heard, *_) = facts_in(stage.conversation.heard(stage.genuine_datagram(), stage.path, 0.0))
    assert isinstance(heard, Heard)
    assert heard.label == name.split()[0]


@EACH_STAGE
@pytest.mark.parametrize(
    ("alter", "reason"),
    [
        (lambda d: changed(d, 0, 0), "another initiator cookie"),
        (lambda d: changed(d, 17, 0x20), "version 2.0"),
        (lambda d: changed(d, 17, 0x11), "version 1.1"),
        (lambda d: changed(d, 18, 6), "exchange type TRANSACTION"),
        (lambda d: changed(d, 19, d[19] | 0x80), "header flags"),
        (lambda d: changed(d, 20, 0xFF), "message ID ff"),
        (lambda d: d[:-1], "ISAKMP length"),
        (lambda d: d + b"\1", "ISAKMP length"),
        (lambda d: b"", "ISAKMP header"),
    ],
)
def test_a_message_that_belongs_elsewhere_is_dropped_with_the_reason_and_changes_nothing(
    name: str, alter: Callable[[bytes], bytes], reason: str
) -> None:
    stage = STAGES[name]()
    genuine = stage.genuine_datagram()
    before = replace(stage.situation)
    effects = stage.conversation.heard(alter(genuine), stage.path, 0.0)

    (dropped,) = facts_in(effects)
    assert isinstance(dropped, Dropped)
    assert any(each in said(dropped) for each in reason.split("|"))
    assert len(effects) == 1
    assert stage.situation == before
    assert isinstance(facts_in(stage.conversation.heard(genuine, stage.path, 0.0))[0], Heard)


@pytest.mark.parametrize("name", [name for name in STAGES if not name.startswith("AM3")])
def test_a_message_is_encrypted_exactly_where_it_must_be(name: str) -> None:
    """Message 3 of Aggressive Mode may come either way."""
    stage = STAGES[name]()
    genuine = stage.genuine_datagram()
    (dropped,) = facts_in(stage.conversation.heard(changed(genuine, 19, genuine[19] ^ 1), stage.path, 0.0))
    assert isinstance(dropped, Dropped)
    assert said(dropped) in ("message is encrypted too early", "message is in the clear")


@pytest.mark.parametrize(("name", "cookie"), [("MM2", bytes(8)), ("MM3", b"other..."), ("MM4", b"other...")])
def test_the_responder_cookie_must_be_there_and_must_stay(name: str, cookie: bytes) -> None:
    stage = STAGES[name]()
    genuine = stage.genuine_datagram()
    (dropped,) = facts_in(stage.conversation.heard(genuine[:8] + cookie + genuine[16:], stage.path, 0.0))
    assert isinstance(dropped, Dropped)
    assert "responder cookie" in said(dropped)


@pytest.mark.parametrize("name", ["MM1", "MM3", "QM1"])
def test_a_repeated_message_is_answered_with_the_same_octets_however_often(name: str) -> None:
    stage = STAGES[name]()
    genuine = stage.genuine_datagram()
    first = with_host(stage, stage.conversation.heard(genuine, stage.path, 0.0))
    for now in (1.0, 2.0, 3.0):
        again = stage.conversation.heard(genuine, stage.path, now)
        assert sent_in(again) == sent_in(first) != []
        assert facts_in(again) == [Repeated(name, answered=True)]


def test_an_older_message_is_answered_too_and_moves_nothing() -> None:
    """Under loss the peer may repeat any message, not only the last."""
    bob = STAGES["MM3"]()
    first, third = STAGES["MM1"]().genuine_datagram(), bob.genuine_datagram()
    with_host(bob, bob.conversation.heard(third, bob.path, 0.0))
    deadline = bob.conversation.deadline
    assert facts_in(bob.conversation.heard(first, bob.path, 1.0)) == [Repeated("MM1", answered=True)]
    assert bob.conversation.deadline == deadline


def test_an_ended_exchange_still_answers_repetitions_and_drops_all_else() -> None:
    stage = STAGES["QM2"]()
    genuine = stage.genuine_datagram()
    last = sent_in(with_host(stage, stage.conversation.heard(genuine, stage.path, 0.0)))
    assert stage.conversation.ended
    assert sent_in(stage.conversation.heard(genuine, stage.path, 9.0)) == last
    (dropped,) = facts_in(stage.conversation.heard(changed(genuine, 40, 1), stage.path, 9.0))
    assert isinstance(dropped, Dropped)
    assert said(dropped) == "no message is awaited now"


def test_behind_a_nat_the_path_moves_only_with_an_accepted_message() -> None:
    stage = STAGES["QM1"]()
    stage.situation.path = stage.path = Path(replace(stage.path.local, port=4500), stage.path.remote)
    stage.situation.nat = NatTraversal(NatMethod.RFC_3947, local=False, remote=True)
    genuine = stage.genuine_datagram()
    elsewhere = Path(stage.path.local, replace(stage.path.remote, port=4501))
    stage.conversation.heard(changed(genuine, 60, genuine[60] ^ 1), elsewhere, 0.0)
    assert stage.conversation.path == stage.path
    stage.conversation.heard(genuine, elsewhere, 0.0)
    assert stage.conversation.path == elsewhere


def with_host(stage: Stage, effects: Sequence[Effect]) -> list[Effect]:
    """The effects with the host's calls answered."""
    return list(drive(stage.conversation, effects))


# -- the host ---------------------------------------------------------------------------------------------------------


def test_messages_during_a_call_to_the_host_are_dropped() -> None:
    stage = STAGES["QM1"]()
    genuine = stage.genuine_datagram()
    effects = stage.conversation.heard(genuine, stage.path, 0.0)
    assert isinstance(effects[-1], AskHost)

    (dropped,) = facts_in(stage.conversation.heard(changed(genuine, 60, genuine[60] ^ 1), stage.path, 0.0))
    assert isinstance(dropped, Dropped)
    assert said(dropped) == "no message is awaited now"
    assert facts_in(stage.conversation.heard(genuine, stage.path, 0.0)) == [Repeated("QM1", answered=False)]


def test_a_refusal_of_the_host_is_raised_inside_the_exchange() -> None:
    stage = STAGES["QM1"]()
    stage.conversation.heard(stage.genuine_datagram(), stage.path, 0.0)
    refusal = KernelRefused("no memory", 12)
    assert stage.conversation.refuse(refusal, 0.0) == [Raised(refusal)]
    assert stage.conversation.resume(None, 0.0) == [] == stage.conversation.refuse(refusal, 0.0)


# -- from outside -----------------------------------------------------------------------------------------------------


@EACH_STAGE
def test_a_failure_from_outside_ends_the_exchange_at_once(name: str) -> None:
    stage = STAGES[name]()
    cause = Abandoned("a command")
    (raised,) = stage.conversation.fail(cause, 0.0)
    assert isinstance(raised, Raised)
    assert stage.conversation.ended
    assert stage.conversation.deadline is None
    assert raised.error is cause
    assert stage.conversation.fail(cause, 0.0) == []
    assert stage.conversation.tick(1000.0) == []


def test_a_verified_refusal_of_the_peer_is_what_the_exchange_ends_with() -> None:
    stage = STAGES["QM2"]()
    cause = PeerRefused("the peer refuses", NotifyType.NO_PROPOSAL_CHOSEN)
    assert stage.conversation.fail(cause, 0.0) == [Raised(cause)]


@EACH_STAGE
def test_a_closed_exchange_is_silent(name: str) -> None:
    stage = STAGES[name]()
    stage.conversation.close()
    assert stage.conversation.tick(1000.0) == []
    assert sent_in(stage.conversation.heard(stage.genuine_datagram(), stage.path, 0.0)) == []


def test_a_hint_is_recorded_once_named_at_the_deadline_and_never_obeyed() -> None:
    stage = STAGES["MM2"]()
    assert facts_in(stage.conversation.hint(NotifyType.NO_PROPOSAL_CHOSEN)) == [Hint(NotifyType.NO_PROPOSAL_CHOSEN)]
    assert stage.conversation.hint(NotifyType.NO_PROPOSAL_CHOSEN) == []
    assert not stage.conversation.ended
    error = silence(stage.conversation)
    assert "the peer says, unauthenticated: NO_PROPOSAL_CHOSEN" in say_error(error)


def test_after_a_hint_the_genuine_answer_is_accepted() -> None:
    stage = STAGES["MM2"]()
    stage.conversation.hint(NotifyType.NO_PROPOSAL_CHOSEN)
    assert isinstance(facts_in(stage.conversation.heard(stage.genuine_datagram(), stage.path, 0.0))[0], Heard)


def test_hints_are_bounded() -> None:
    stage = STAGES["MM2"]()
    recorded = [stage.conversation.hint(NotifyType(number)) for number in range(1, 30)]
    assert sum(map(len, recorded)) == 4


# -- time -------------------------------------------------------------------------------------------------------------


def silence(conversation: Conversation) -> NoAnswer:
    """Let time pass until the exchange gives up."""
    while conversation.deadline is not None:
        for effect in conversation.tick(conversation.deadline):
            if isinstance(effect, Raised):
                assert isinstance(effect.error, NoAnswer)
                return effect.error
    raise AssertionError("the exchange ended otherwise")


@pytest.mark.parametrize("name", ["MM1", "MM3", "QM1", "INFO"])
def test_a_responder_waits_for_a_new_peer_no_longer_than_the_larval_time(name: str) -> None:
    assert STAGES[name]().conversation.deadline == LARVAL


def test_a_responder_waits_longer_once_the_peer_echoed_its_cookie() -> None:
    assert STAGES["MM5"]().conversation.deadline == PATIENCE


def test_an_initiator_sends_again_after_growing_pauses() -> None:
    resend = Resend(interval=0.5, factor=3, sends=3)
    assert copies_of(resend) == [0, 0.5, 0.5 + 1.5]


def test_a_tick_too_early_does_nothing() -> None:
    stage = STAGES["MM2"]()
    assert stage.conversation.deadline == 1.0
    assert stage.conversation.tick(0.999) == []
    assert len(sent_in(stage.conversation.tick(1.0))) == 1


def test_the_reason_of_the_last_refusal_is_told_at_the_deadline() -> None:
    stage = STAGES["QM2"]()
    genuine = stage.genuine_datagram()
    stage.conversation.heard(changed(genuine, 40, genuine[40] ^ 1), stage.path, 0.0)
    assert "the last message that came was refused: " in say_error(silence(stage.conversation))


@pytest.mark.parametrize("name", ["AM2", "AM3", "MM5", "MM6"])
def test_a_refusal_that_is_raised_for_each_forgery_keeps_nothing_of_them(name: str) -> None:
    stage = STAGES[name]()
    genuine = stage.genuine_datagram()
    refusals = set[IkeError]()
    for forgery in range(10):
        stage.conversation.heard(genuine[:-1] + bytes([genuine[-1] ^ (forgery + 1)]), stage.path, 0.0)
        assert stage.conversation._waiting is not None
        refusals.add(stage.conversation._waiting.last_refusal or NoAnswer("nothing was refused"))
    assert all(refusal.__traceback__ is None and refusal.__context__ is None for refusal in refusals)


async def _shout(link: Link) -> None:
    await link.note(Said("shouting"))
    await link.ask(VidPayload(b"hello"), accept=lambda message: message)


def copies_of(resend: Resend) -> list[float]:
    """When each copy leaves."""
    situation = Situation(Cookies(b"initiato"), 0, ALICE_TO_BOB)
    core = Conversation(
        _shout(Link(situation)), ExchangeType.MAIN_MODE, situation, Timing(resend=resend), initiator=True
    )
    effects = core.start(0.0)
    assert facts_in(effects)[0] == Note(Said("shouting"))
    times = [0.0]
    while core.deadline is not None:
        now = core.deadline
        effects = core.tick(now)
        times += [now for fact in facts_in(effects) if isinstance(fact, Sent)]
        if any(isinstance(effect, Raised) for effect in effects):
            break
    return times


# -- what an exchange may await ----------------------------------------------------------------------------------------


async def _sleep(link: Link) -> None:
    await asyncio.sleep(0)


def test_an_exchange_that_awaits_anything_but_link_and_host_is_a_bug() -> None:
    situation = Situation(Cookies(b"initiato"), 0, ALICE_TO_BOB)
    core = Conversation(_sleep(Link(situation)), ExchangeType.MAIN_MODE, situation, Timing(), initiator=True)
    (effect,) = core.start(0.0)
    assert isinstance(effect, Raised)
    assert isinstance(effect.error, InternalError)
    assert "an exchange may await only its link and its host" in str(effect.error.__cause__)


def test_a_conversation_tells_what_it_is_about() -> None:
    core = STAGES["MM1"]().conversation
    assert (core.message_id, core.has_spoken, core.cookies.responder) == (0, False, bytes(8))
    core.heard(STAGES["MM1"]().genuine_datagram(), STAGES["MM1"]().path, 0.0)
    assert (core.has_spoken, core.cookies) == (True, COOKIES)


# -- any octets at any stage ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lasting() -> Iterator[dict[str, Stage]]:
    """One conversation for all examples of a stage: what is dropped leaves it as it was."""
    stages = {name: make() for name, make in STAGES.items()}
    yield stages
    for stage in stages.values():
        stage.conversation.close()


@EACH_STAGE
@given(data=st.data())
def test_heard_raises_nothing_whatever_the_octets(lasting: dict[str, Stage], name: str, data: st.DataObject) -> None:
    stage = lasting[name]
    noise = data.draw(st.binary(max_size=120))
    header = stage.header().encode(len(noise))
    right_header = header[:16] + data.draw(st.binary(min_size=1, max_size=1)) + header[17:]
    for datagram in (noise, right_header + noise, right_header + (stage.seal(noise) if stage.chain else noise)):
        effects = stage.conversation.heard(datagram, stage.path, 0.0)
        if any(isinstance(fact, Heard) for fact in facts_in(effects)):
            lasting[name] = stage = STAGES[name]()
        else:
            assert [type(fact) for fact in facts_in(effects)] == [Dropped]
            assert len(effects) == 1


@pytest.mark.parametrize("name", [name for name, make in STAGES.items() if make().chain and "NAT-D" not in name])
def test_an_octet_changed_anywhere_is_dropped_under_protection(name: str) -> None:
    """The HASH covers all but the padding, and the last block is never padding alone."""
    stage = STAGES[name]()
    genuine = stage.genuine_datagram()
    for at in range(28, len(genuine)):
        effects = stage.conversation.heard(changed(genuine, at, genuine[at] ^ 0x10), stage.path, 0.0)
        assert [type(fact) for fact in facts_in(effects)] == [Dropped]
        assert len(effects) == 1
    assert isinstance(facts_in(stage.conversation.heard(genuine, stage.path, 0.0))[0], Heard)
