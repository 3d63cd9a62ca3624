"""Phase 1 until its peer is authenticated: how long it lives, what it answers; a wrong message ends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from ikevd.conversation.timing import LARVAL, PATIENCE
from ikevd.crypto import keys, modp
from ikevd.crypto.ciphers import CbcCipher, IvChain
from ikevd.errors import Malformed
from ikevd.exchanges.phase1 import Keying
from ikevd.wire.message import HEADER_OCTETS, Header, Message
from ikevd.wire.payloads import HashPayload, IdPayload, KePayload, NoncePayload, Opaque, VidPayload
from ikevd.wire.registry import Group, IdType, PayloadType
from tests.builders import AES256_SHA1_MODP2048
from tests.hostile.mallory import NI, MainMode, changed, flipped
from tests.hostile.scene import ELSEWHERE, MALLORYS, Scene, attack

MESSAGE_ID, FLAGS = 20, 19


def complete(scene: Scene, mode: MainMode) -> None:
    """The rest of the same exchange, correctly."""
    if mode.keying is None:
        mode.hear_4(*scene.mallory.say(mode.message_3()))
    mode.hear_6(*scene.mallory.say(mode.message_5()))
    assert len(scene.session.live) == 1


def begun(scene: Scene) -> MainMode:
    mode = scene.mallory.main_mode()
    mode.hear_2(*scene.mallory.say(mode.message_1()))
    return mode


def keyed(scene: Scene) -> MainMode:
    mode = begun(scene)
    mode.hear_4(*scene.mallory.say(mode.message_3()))
    return mode


def test_a_peer_that_does_not_echo_our_cookie_is_forgotten_after_30_seconds() -> None:
    async def story(scene: Scene) -> None:
        mode = begun(scene)
        await asyncio.sleep(LARVAL - 1)
        assert scene.bob.engine.half_open == 1
        await asyncio.sleep(1.1)
        assert scene.bob.engine.half_open == 0
        assert scene.mallory.say(mode.message_3()) == []
        assert scene.new_counts() == {"drop: unknown cookies": 1}
        assert scene.mallory.heard() == [], "message 2 was never sent by timer"

    attack(story)


def test_a_peer_that_echoed_our_cookie_has_the_deadline_of_the_negotiation() -> None:
    """IOS sends five times, ten seconds apart, and a human may have to type."""

    async def story(scene: Scene) -> None:
        mode = begun(scene)
        await asyncio.sleep(LARVAL - 1)
        mode.hear_4(*scene.mallory.say(mode.message_3()))
        await asyncio.sleep(PATIENCE - 1)
        assert scene.bob.engine.half_open == 1
        complete(scene, mode)

    attack(story)


def test_a_peer_that_stops_after_the_echo_is_forgotten_at_the_deadline() -> None:
    async def story(scene: Scene) -> None:
        keyed(scene)
        await asyncio.sleep(PATIENCE + 0.1)
        assert scene.bob.engine.half_open == 0
        assert scene.failures() == ["NoAnswer"]
        assert scene.mallory.heard() == [], "message 4 was never sent by timer"

    attack(story)


THIRD: dict[str, tuple[Callable[[MainMode], bytes], str]] = {
    "no KE": (lambda m: m.message_3(NoncePayload(NI)), "Malformed"),
    "no nonce": (lambda m: m.message_3(KePayload(m.pair.public)), "Malformed"),
    "KE of zeros": (lambda m: m.message_3(KePayload(bytes(32)), NoncePayload(NI)), "InvalidKey"),
    "KE empty": (lambda m: m.message_3(KePayload(b""), NoncePayload(NI)), "InvalidKey"),
    "nonce of 257 octets": (lambda m: m.message_3(KePayload(m.pair.public), NoncePayload(bytes(257))), "Malformed"),
    "message ID set": (lambda m: changed(m.message_3(), MESSAGE_ID, b"\0\0\0\1"), ""),
    "encrypted": (lambda m: flipped(m.message_3(), FLAGS), "UnexpectedMessage"),
    "message 1 again, altered": (lambda m: m.message_1(m.offer, VidPayload(b"more")), "Malformed"),
    "another initiator cookie": (lambda m: changed(m.message_3(), 0, b"somebody"), "UnexpectedMessage"),
}


@pytest.mark.parametrize("fault", THIRD)
def test_a_wrong_message_3_is_met_with_silence_and_the_same_exchange_completes(fault: str) -> None:
    async def story(scene: Scene) -> None:
        mode = begun(scene)
        make, error = THIRD[fault]
        answers = scene.mallory.say(make(mode))
        assert scene.refusals() == ([("MM3", error)] if error else [])
        assert len(answers) <= (not error), "a later exchange at most reminds the peer of message 2"
        complete(scene, mode)

    attack(story)


@pytest.mark.parametrize("block", ["the last of message 5", "none"])
def test_what_is_said_of_an_unreadable_message_5_proves_no_guess_of_the_key(block: str) -> None:
    """Who has no key knows all else that goes into the keys: what opened under the right one would tell it from all
    others, offline, as message 2 of Aggressive Mode does."""

    async def story(scene: Scene) -> None:
        mode = keyed(scene)
        rubbish = changed(mode.message_5(), HEADER_OCTETS, bytes(32))
        assert scene.mallory.say(rubbish) == []
        await asyncio.sleep(1)
        (told,) = scene.mallory.say(rubbish)
        header = Header.decode_untrusted(told)
        assert mode.keying
        chain = phase2_chain(mode.keying, rubbish[-16:] if block != "none" else b"", header.message_id)
        with pytest.raises(Malformed):
            Message.decode_untrusted(header, chain.propose(told[HEADER_OCTETS:]).plaintext)

    attack(story)


def phase2_chain(keying: Keying, block: bytes, message_id: int) -> IvChain:
    """Under the right key."""
    cipher = CbcCipher(keying.suite.cipher, keying.cipher_key)
    return IvChain(cipher, keys.phase2_iv(keying.suite.hash, block, message_id, cipher.block_size))


def test_a_message_3_from_another_address_is_dropped() -> None:
    async def story(scene: Scene) -> None:
        mode = begun(scene)
        assert scene.mallory.say(mode.message_3(), source=ELSEWHERE) == []
        assert scene.refusals() == [("MM3", "UnexpectedMessage")]
        complete(scene, mode)

    attack(story)


@pytest.mark.parametrize("value", ["zero", "one", "p - 1", "p", "short", "long"])
def test_a_weak_public_value_of_a_modp_group_is_refused(value: str) -> None:
    """CVE-2015-3240."""
    prime = modp.PARAMETERS[Group.MODP_2048].prime
    public = {
        "zero": bytes(256),
        "one": (1).to_bytes(256, "big"),
        "p - 1": (prime - 1).to_bytes(256, "big"),
        "p": prime.to_bytes(256, "big"),
        "short": (2).to_bytes(255, "big"),
        "long": (2).to_bytes(257, "big"),
    }[value]

    async def story(scene: Scene) -> None:
        mode = begun(scene)
        assert scene.mallory.say(mode.message_3(KePayload(public), NoncePayload(NI))) == []
        assert scene.refusals() == [("MM3", "InvalidKey")]
        complete(scene, mode)

    attack(story, view=replace(MALLORYS, suites=(AES256_SHA1_MODP2048,)))


FIFTH: dict[str, tuple[Callable[[MainMode], bytes], str]] = {
    "no HASH": (lambda m: m.message_5(m.identity()[0]), "ProbablePskMismatch"),
    "no ID": (lambda m: m.message_5(m.identity()[1]), "ProbablePskMismatch"),
    "HASH wrong": (lambda m: m.message_5(m.identity()[0], HashPayload(bytes(32))), "InvalidHash"),
    "HASH empty": (lambda m: m.message_5(m.identity()[0], HashPayload(b"")), "InvalidHash"),
    "ID of another, HASH of its own": (
        lambda m: m.message_5(IdPayload(IdType.FQDN, 0, 0, b"carol"), m.identity()[1]),
        "InvalidHash",
    ),
    "one bit flipped": (lambda m: flipped(m.message_5(), 30), "ProbablePskMismatch"),
    "in the clear": (lambda m: flipped(m.message_5(), FLAGS), "UnexpectedMessage"),
    "cut by an octet": (
        lambda m: changed(m.message_5(), 24, (len(m.message_5()) - 1).to_bytes(4, "big"))[:-1],
        "ProbablePskMismatch",
    ),
    "rubbish in whole blocks": (lambda m: m.message_5()[:28] + bytes(len(m.message_5()) - 28), "ProbablePskMismatch"),
    "only an unknown payload": (lambda m: m.message_5(Opaque(PayloadType(77), bytes(40))), "ProbablePskMismatch"),
}


@pytest.mark.parametrize("fault", FIFTH)
def test_a_wrong_message_5_is_met_with_silence_and_the_same_exchange_completes(fault: str) -> None:
    async def story(scene: Scene) -> None:
        mode = keyed(scene)
        make, error = FIFTH[fault]
        forged = make(mode)
        assert scene.mallory.say(forged) == []
        assert [label for label, _ in scene.refusals()] == ["MM5"]
        assert scene.refusals()[0][1] == error
        complete(scene, mode)

    attack(story)


def test_an_identity_of_another_connection_proven_with_the_own_key_is_refused() -> None:
    """Mallory has a key of its own and says it was Carol."""

    async def story(scene: Scene) -> None:
        mode = keyed(scene)
        carol = IdPayload(IdType.IPV4_ADDR, 0, 0, bytes([192, 0, 2, 77]))
        assert mode.keying
        scene.mallory.say(mode.message_5(carol, mode.keying.hash_i(carol)))
        assert scene.failures() == ["InvalidId"]
        assert [s.connection.name for s in scene.bob.engine.sessions()] == ["carol"]

    attack(story)


def test_padding_behind_message_5_is_ignored_however_long() -> None:
    async def story(scene: Scene) -> None:
        mode = keyed(scene)
        long = mode.message_5(padding=160)
        (answer,) = scene.mallory.say(long)
        assert len(answer) > 28
        assert len(scene.session.live) == 1

    attack(story)
