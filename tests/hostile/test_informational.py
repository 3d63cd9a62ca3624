"""Notify and Delete under an ISAKMP SA: unproven, in the clear, without consequence, too many; whole gateways."""

from __future__ import annotations

import asyncio

import pytest

from ikevd.conversation.meanwhile import MAX_HINTS
from ikevd.facts import Hint, Note
from ikevd.negotiation import message_ids
from ikevd.negotiation.hints import clear_notifications
from ikevd.peer.isakmp_state import Stage
from ikevd.wire.message import Header
from ikevd.wire.payloads import NotifyPayload, Payload
from ikevd.wire.registry import ExchangeType, Flags, NotifyType, Protocol
from tests.hostile.established import DELETE, REFUSAL, RESTARTED, UNPROVEN, delete_isakmp, tunnel
from tests.hostile.mallory import Chain, datagram
from tests.hostile.scene import Scene, attack
from tests.sayings import said

NOT_AUTHENTIC = "drop: INFORMATIONAL that is not authentic"


# -- proof

SAID: dict[str, tuple[Payload, ...]] = {
    "Delete of the IPsec SA": (DELETE,),
    "Notify that refuses": (REFUSAL,),
    "Notify INITIAL-CONTACT": (RESTARTED,),
    "Delete and Notify": (DELETE, REFUSAL),
}


@pytest.mark.parametrize("proof", UNPROVEN)
@pytest.mark.parametrize("what", SAID)
def test_nothing_is_done_for_an_informational_message_whose_hash_does_not_hold(what: str, proof: str) -> None:
    """CVE-2019-10155. The message ID is free for the genuine one."""

    async def story(scene: Scene) -> None:
        await tunnel(scene)
        assert scene.mallory.inform(*SAID[what], **UNPROVEN[proof]) == []
        assert scene.new_counts() == {NOT_AUTHENTIC: 1}
        assert [label for label, _ in scene.refusals()] == ["INFO"]
        await asyncio.sleep(1)
        assert scene.tunnels == 1
        scene.mallory.inform(DELETE)
        await asyncio.sleep(1)
        assert scene.tunnels == 0

    attack(story)


@pytest.mark.parametrize("what", SAID)
def test_nothing_is_done_for_an_informational_message_in_the_clear(what: str) -> None:
    """A hint at most (immunity rule 4)."""

    async def story(scene: Scene) -> None:
        await tunnel(scene)
        assert scene.mallory.sa
        for payloads in (SAID[what], (*SAID[what], delete_isakmp(scene.mallory.sa))):
            for message_id in (0, 0x0BADF00D):
                chain = Chain.of(*payloads)
                pair = scene.mallory.sa.cookies
                header = Header(
                    pair.initiator, pair.responder, chain.first, ExchangeType.INFORMATIONAL, Flags.NONE, message_id
                )
                assert scene.mallory.say(datagram(header, chain.octets)) == []
        await asyncio.sleep(1)
        assert scene.tunnels == 1
        assert len(scene.session.live) == 1
        hinted = any(isinstance(payload, NotifyPayload) for payload in SAID[what])
        assert bool(scene.facts(Hint)) == hinted
        assert scene.new_counts() == ({} if hinted else {"drop: Informational in the clear that holds no hint": 4})

    attack(story)


def test_a_notify_in_the_clear_during_quick_mode_stands_in_its_cause() -> None:
    """What a peer says that lost the ISAKMP SA."""

    async def story(scene: Scene) -> None:
        sa = scene.mallory.establish()
        scene.initiate()
        await asyncio.sleep(0.01)
        chain = Chain.of(NotifyPayload(Protocol.ISAKMP, NotifyType.INVALID_COOKIE))
        pair, kind = sa.cookies, ExchangeType.INFORMATIONAL
        for message_id in (0, 77):
            header = Header(pair.initiator, pair.responder, chain.first, kind, Flags.NONE, message_id)
            scene.mallory.say(datagram(header, chain.octets))
        assert scene.new_counts() == {}
        await asyncio.sleep(120)
        assert "INVALID_COOKIE" in str(scene.session.states["lan"].cause)
        (quick_mode,) = [record for record in scene.records() if record.kind == ExchangeType.QUICK_MODE]
        assert [entry.fact for entry in quick_mode.entries if isinstance(entry.fact, Hint)] == [
            Hint(NotifyType.INVALID_COOKIE)
        ]

    attack(story)


def test_of_many_notifications_in_the_clear_the_first_few_are_read() -> None:
    """Whoever has seen the cookies can send them, and each is told to every exchange under way."""
    kinds = [NotifyType(number) for number in range(1, 61)]
    chain = Chain.of(*(NotifyPayload(Protocol.ISAKMP, kind) for kind in [kinds[0], *kinds]))
    header = Header(bytes(8), bytes(8), chain.first, ExchangeType.INFORMATIONAL, Flags.NONE, 0)
    octets = datagram(header, chain.octets)
    assert clear_notifications(Header.decode_untrusted(octets), octets) == tuple(kinds[:MAX_HINTS])


def test_what_has_no_consequence_is_noted() -> None:
    async def story(scene: Scene) -> None:
        await tunnel(scene)
        scene.mallory.inform(NotifyPayload(Protocol.ISAKMP, NotifyType(40000)))
        assert "has no consequence" in said(scene.facts(Note)[-1])
        assert scene.tunnels == 1

    attack(story)


# -- too many


def test_an_isakmp_sa_whose_message_ids_are_used_up_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_ids, "MAX_MESSAGE_IDS", 100)
    monkeypatch.setattr(message_ids, "SHARE", 10)

    async def story(scene: Scene) -> None:
        await tunnel(scene)
        (isakmp,) = scene.session.live
        for number in range(1, 200):
            scene.mallory.inform(NotifyPayload(Protocol.ISAKMP, NotifyType(40000)), message_id=number)
        (isakmp,) = scene.session.live
        assert isakmp.stage is Stage.LEAVING
        assert scene.session._ledger.message_ids.count < 105
        await asyncio.sleep(20)
        assert not scene.session.live
        assert scene.session._ledger.message_ids.count == 0
        assert scene.tunnels == 1

    attack(story)
