"""Aggressive Mode under attack: what is answered, how often and to whom; message 3 in every wrong form."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from ikevd.conversation.timing import LARVAL
from ikevd.negotiation.strays import invalid_cookie
from ikevd.wire.payloads import HashPayload, IdPayload, KePayload, NoncePayload, NotifyPayload, Payload
from ikevd.wire.registry import ExchangeType, IdType, NotifyType, Protocol
from tests.hostile.mallory import NI, Aggressive, Chain, changed, flipped
from tests.hostile.scene import CAROL, ELSEWHERE, MALLORYS, Scene, attack

VIEW = replace(MALLORYS, aggressive=True)
FLAGS, MESSAGE_ID = 19, 20


def begun(scene: Scene) -> Aggressive:
    mode = scene.mallory.aggressive()
    mode.hear_2(*scene.mallory.say(mode.message_1()))
    return mode


def complete(scene: Scene, mode: Aggressive) -> None:
    assert scene.mallory.say(mode.message_3()) == []
    assert len(scene.session.live) == 1


def test_message_2_answers_each_copy_of_message_1_once_and_is_never_sent_by_timer() -> None:
    """VU#419128 and CVE-2016-5361: amplification."""

    async def story(scene: Scene) -> None:
        mode = scene.mallory.aggressive()
        (second,) = scene.mallory.say(mode.message_1())
        for _ in range(3):
            assert scene.mallory.say(mode.message_1()) == [second]
        await asyncio.sleep(LARVAL - 1)
        assert scene.mallory.heard() == []
        assert scene.bob.engine.half_open == 1
        await asyncio.sleep(1.1)
        assert scene.mallory.heard() == []
        assert scene.bob.engine.half_open == 0

    attack(story, view=VIEW)


@pytest.mark.parametrize("carries_cookie", [True, False])
@pytest.mark.parametrize("source", [None, ELSEWHERE])
def test_message_2_goes_out_again_only_for_our_cookie_from_the_address_of_message_1(
    carries_cookie: bool, source: object
) -> None:
    """A Quick Mode of a peer whose message 3 was lost."""

    async def story(scene: Scene) -> None:
        mode = scene.mallory.aggressive()
        (second,) = scene.mallory.say(mode.message_1())
        mode.hear_2(second)
        later = changed(changed(mode.message_3(), MESSAGE_ID, b"\0\0\0\x63"), 18, b"\x20")
        if not carries_cookie:
            later = changed(later, 8, b"somebody")
        unknown = [invalid_cookie(later[:8], later[8:16])]
        expected = [] if source is not None else [second] if carries_cookie else unknown
        for _ in range(3):
            assert scene.mallory.say(later, source=source) == expected  # type: ignore[arg-type]
        complete(scene, mode)

    attack(story, view=VIEW)


def test_reminders_are_bounded() -> None:
    async def story(scene: Scene) -> None:
        mode = begun(scene)
        later = changed(changed(mode.message_3(), MESSAGE_ID, b"\0\0\0\x63"), 18, b"\x20")
        assert len([answer for _ in range(100) for answer in scene.mallory.say(later)]) == 10
        assert scene.new_counts() == {"drop: phase 1 is not complete": 90}
        complete(scene, mode)

    attack(story, view=VIEW)


def test_where_it_is_not_allowed_nobody_is_answered() -> None:
    async def story(scene: Scene) -> None:
        assert scene.mallory.say(scene.mallory.aggressive().message_1()) == []
        assert scene.new_counts() == {"drop: Aggressive Mode is not allowed": 1}
        assert scene.bob.engine.half_open == 0
        scene.mallory.establish()

    attack(story)


IDENTITIES = {
    "unknown": IdPayload(IdType.FQDN, 0, 0, b"nobody.example"),
    "another connection's": IdPayload(IdType.IPV4_ADDR, 0, 0, CAROL.packed),
    "of an unknown type": IdPayload(IdType(99), 0, 0, b"nobody"),
    "empty": IdPayload(IdType.FQDN, 0, 0, b""),
    "address of five octets": IdPayload(IdType.IPV4_ADDR, 0, 0, bytes(5)),
}


@pytest.mark.parametrize("identity", IDENTITIES.values(), ids=IDENTITIES)
def test_who_is_not_known_gets_silence(identity: IdPayload) -> None:
    """HASH_R would tell an offline guesser what it needs."""

    async def story(scene: Scene) -> None:
        mode = scene.mallory.aggressive()
        assert scene.mallory.say(mode.message_1(*mode.payloads()[:3], identity)) == []
        assert scene.bob.engine.half_open == 0
        assert scene.failures() + list(scene.new_counts()), "it left a trace"
        complete(scene, begun(scene))

    attack(story, view=VIEW)


FIRST: dict[str, Callable[[Aggressive], tuple[Payload, ...]]] = {
    "no SA": lambda m: m.payloads()[1:],
    "no KE": lambda m: (m.payloads()[0], *m.payloads()[2:]),
    "no nonce": lambda m: (*m.payloads()[:2], m.payloads()[3]),
    "no ID": lambda m: m.payloads()[:3],
    "two IDs": lambda m: (*m.payloads(), m.payloads()[3]),
    "KE of zeros": lambda m: (m.offer, KePayload(bytes(32)), *m.payloads()[2:]),
    "KE too short": lambda m: (m.offer, KePayload(b"\1"), *m.payloads()[2:]),
    "KE of 8,000 octets": lambda m: (m.offer, KePayload(bytes(8000)), *m.payloads()[2:]),
    "nonce of 7 octets": lambda m: (*m.payloads()[:2], NoncePayload(bytes(7)), m.payloads()[3]),
    "nonce of 257 octets": lambda m: (*m.payloads()[:2], NoncePayload(bytes(257)), m.payloads()[3]),
}


@pytest.mark.parametrize("fault", FIRST)
def test_a_wrong_message_1_is_met_with_silence_and_the_genuine_one_answered(fault: str) -> None:
    async def story(scene: Scene) -> None:
        mode = scene.mallory.aggressive()
        assert scene.mallory.say(mode.message_1(*FIRST[fault](mode))) == []
        assert scene.failures() + list(scene.new_counts()), "it left a trace"
        await asyncio.sleep(LARVAL + 1)
        assert scene.bob.engine.half_open == 0
        complete(scene, begun(scene))

    attack(story, view=VIEW)


THIRD: dict[str, Callable[[Aggressive], bytes]] = {
    "HASH wrong, encrypted": lambda m: m.message_3(HashPayload(bytes(32))),
    "HASH wrong, in the clear": lambda m: m.message_3(HashPayload(bytes(32)), encrypted=False),
    "HASH empty, in the clear": lambda m: m.message_3(HashPayload(b""), encrypted=False),
    "no HASH, in the clear": lambda m: m.message_3(NoncePayload(NI), encrypted=False),
    "no HASH, encrypted": lambda m: m.message_3(NoncePayload(NI)),
    "two HASHes": lambda m: m.message_3(HashPayload(bytes(32)), HashPayload(bytes(32))),
    "our own HASH_R": lambda m: m.message_3(m.keying.hash_r(m.identity()), encrypted=False) if m.keying else b"",
    "one bit flipped": lambda m: flipped(m.message_3(), 40),
    "clear text that claims to be encrypted": lambda m: flipped(m.message_3(encrypted=False), FLAGS),
    "ciphertext that claims to be clear": lambda m: flipped(m.message_3(), FLAGS),
    "cut by an octet": lambda m: changed(m.message_3(), 24, (len(m.message_3()) - 1).to_bytes(4, "big"))[:-1],
    "message 1 again, altered": lambda m: m.message_1(*m.payloads(), NoncePayload(NI)),
}


@pytest.mark.parametrize("fault", THIRD)
def test_a_wrong_message_3_is_met_with_silence_and_the_same_exchange_completes(fault: str) -> None:
    async def story(scene: Scene) -> None:
        mode = begun(scene)
        assert scene.mallory.say(THIRD[fault](mode)) == []
        assert [label for label, _ in scene.refusals()] == ["AM3"]
        complete(scene, mode)

    attack(story, view=VIEW)


@pytest.mark.parametrize("encrypted", [True, False])
def test_message_3_from_another_address_is_dropped(encrypted: bool) -> None:
    async def story(scene: Scene) -> None:
        mode = begun(scene)
        assert scene.mallory.say(mode.message_3(encrypted=encrypted), source=ELSEWHERE) == []
        assert scene.refusals() == [("AM3", "UnexpectedMessage")]
        complete(scene, mode)

    attack(story, view=VIEW)


def test_a_peer_with_a_key_of_its_own_that_claims_carols_identity_cannot_finish() -> None:
    """Both connections fit the address; Mallory says it is Carol and proves it with its own key."""

    async def story(scene: Scene) -> None:
        mode = scene.mallory.aggressive()
        claimed = IdPayload(IdType.FQDN, 0, 0, b"victim.example")
        mode.identity = lambda: claimed  # type: ignore[method-assign]
        assert scene.mallory.say(mode.message_1()) == []
        assert scene.failures() == ["InvalidId"]

    attack(story, view=VIEW)


def test_a_forged_refusal_in_the_clear_ends_no_aggressive_mode_of_ours() -> None:
    async def story(scene: Scene) -> None:
        attempt = scene.initiate()
        await asyncio.sleep(0.01)
        (ours,) = scene.mallory.heard()
        refusal = Chain.of(NotifyPayload(Protocol.ISAKMP, NotifyType.NO_PROPOSAL_CHOSEN))
        head = ours[:8] + bytes(8) + bytes([refusal.first, 0x10, ExchangeType.INFORMATIONAL, 0]) + bytes(4)
        forged = head + (28 + len(refusal.octets)).to_bytes(4, "big") + refusal.octets
        assert scene.mallory.say(forged) == []
        await asyncio.sleep(5)
        assert not attempt.done()
        assert ours in scene.mallory.heard()

    attack(story, view=VIEW)
