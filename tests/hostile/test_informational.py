"""Delete and Notify under an ISAKMP SA: unproven, wrong, doubled, replayed, of others; through a whole gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from ikevd.conversation.meanwhile import MAX_HINTS
from ikevd.conversation.timing import LINGER
from ikevd.errors import Said
from ikevd.facts import Hint, Note
from ikevd.negotiation import message_ids
from ikevd.negotiation.hints import clear_notifications
from ikevd.peer.state import Stage
from ikevd.policy.transforms import offer_phase2
from ikevd.sa.model import IsakmpSa
from ikevd.wire.message import HEADER_OCTETS, Header
from ikevd.wire.payloads import DeletePayload, NotifyPayload, Opaque, Payload
from ikevd.wire.registry import Doi, ExchangeType, Flags, NotifyType, PayloadType, Protocol
from tests.hostile.established import (
    DELETE,
    REFUSAL,
    RESTARTED,
    UNPROVEN,
    another_tunnel,
    complete,
    delete_isakmp,
    inbound,
    tunnel,
)
from tests.hostile.mallory import SPI, Chain, QuickMode, datagram, flipped
from tests.hostile.scene import CAROL, MALLORYS, Scene, attack
from tests.sayings import said

FLAGS, EXCHANGE, MESSAGE_ID = 19, 18, 20
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


# -- Delete


@pytest.mark.parametrize("order", ["ISAKMP first", "IPsec first", "ISAKMP twice", "IPsec twice", "with a Notify"])
def test_several_deletes_in_one_message_are_collected_first_and_done_once(order: str) -> None:
    """CVE-2023-38712."""

    async def story(scene: Scene) -> None:
        await tunnel(scene)
        assert scene.mallory.sa
        isakmp = delete_isakmp(scene.mallory.sa)
        payloads: tuple[Payload, ...] = {
            "ISAKMP first": (isakmp, DELETE),
            "IPsec first": (DELETE, isakmp),
            "ISAKMP twice": (isakmp, isakmp, DELETE, DELETE),
            "IPsec twice": (DELETE, DELETE, isakmp),
            "with a Notify": (isakmp, REFUSAL, DELETE, RESTARTED, isakmp),
        }[order]
        scene.mallory.inform(*payloads)
        await asyncio.sleep(20)
        assert scene.tunnels == 0
        assert scene.session.live == []
        assert scene.session.states["lan"].cause == Said("deleted by the peer")
        scene.mallory.establish(b"mallory2")
        await another_tunnel(scene)
        assert scene.tunnels == 1, "it may come again"

    attack(story)


def test_two_deletes_of_one_isakmp_sa_in_two_messages_are_no_more_than_one() -> None:
    async def story(scene: Scene) -> None:
        await tunnel(scene)
        assert scene.mallory.sa
        for message_id in (1, 2, 3):
            scene.mallory.inform(delete_isakmp(scene.mallory.sa), message_id=message_id)
        scene.mallory.inform(DELETE, message_id=4)
        await asyncio.sleep(20)
        assert scene.tunnels == 0
        assert scene.session.live == []

    attack(story)


def test_a_delete_may_name_the_spi_of_the_other_direction() -> None:
    """Some Cisco releases do."""

    async def story(scene: Scene) -> None:
        await tunnel(scene)
        scene.mallory.inform(DeletePayload(Protocol.ESP, (inbound(scene),)))
        await asyncio.sleep(1)
        assert scene.tunnels == 0
        assert scene.bob.kernel.sas.keys() == {key for key, sa in scene.bob.kernel.sas.items() if of_carol(sa)}

    attack(story)


def of_carol(sa: object) -> bool:
    return CAROL in (sa.source, sa.destination)  # type: ignore[attr-defined]


def spi_of_carol(scene: Scene) -> bytes:
    (session,) = [s for s in scene.bob.engine.sessions() if s.connection.name == "carol"]
    (pair,) = session.states["carol-lan"].pairs
    return pair.sa.outbound.octets


def sa_of_carol(scene: Scene) -> IsakmpSa:
    (session,) = [s for s in scene.bob.engine.sessions() if s.connection.name == "carol"]
    return session.live[0].sa


HARMLESS: dict[str, Callable[[Scene], Payload]] = {
    "SPI of another peer": lambda s: DeletePayload(Protocol.ESP, (spi_of_carol(s),)),
    "ISAKMP SA of another peer": lambda s: delete_isakmp(sa_of_carol(s)),
    "SPI that nobody has": lambda s: DeletePayload(Protocol.ESP, (b"\xff\xff\xff\xff",)),
    "SPI 0": lambda s: DeletePayload(Protocol.ESP, (bytes(4),)),
    "cookies that nobody has": lambda s: DeletePayload(Protocol.ISAKMP, (bytes(16),)),
    "its SPI for AH": lambda s: DeletePayload(Protocol.AH, (SPI,)),
    "its SPI for a protocol without a number": lambda s: DeletePayload(Protocol(77), (SPI,)),
    "its SPI in another DOI": lambda s: DeletePayload(Protocol.ESP, (SPI,), Doi(2)),
    "its SPI in the DOI of all bits": lambda s: DeletePayload(Protocol.ESP, (SPI,), Doi(0xFFFFFFFF)),
    "16,000 SPIs": lambda s: DeletePayload(Protocol.ESP, tuple(n.to_bytes(4, "big") for n in range(1, 16001))),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_a_proven_delete_of_what_is_not_the_peers_removes_nothing(what: str) -> None:
    async def story(scene: Scene) -> None:
        await tunnel(scene)
        scene.mallory.inform(HARMLESS[what](scene))
        await asyncio.sleep(1)
        assert scene.tunnels == 1
        assert len(scene.session.live) == 1

    attack(story)


def test_a_delete_of_doi_0_counts() -> None:
    """RFC 2408 section 3.15: DOI 0 is that of ISAKMP itself; several peers use it for all Deletes."""

    async def story(scene: Scene) -> None:
        await tunnel(scene)
        scene.mallory.inform(replace(DELETE, doi=Doi.ISAKMP))
        await asyncio.sleep(1)
        assert scene.tunnels == 0

    attack(story)


WRONG_COUNTS = {
    "SPI size 0": b"\0\0\0\1\3\0\0\1",
    "SPI size 16 for ESP": b"\0\0\0\1\3\x10\0\1" + bytes(16),
    "SPI size 4 for ISAKMP": b"\0\0\0\1\1\4\0\1" + SPI,
    "SPI size 255": b"\0\0\0\1\3\xff\0\1" + SPI,
    "no SPIs": b"\0\0\0\1\3\4\0\0",
    "one SPI announced, none there": b"\0\0\0\1\3\4\0\1",
    "two SPIs announced, one there": b"\0\0\0\1\3\4\0\2" + SPI,
    "one SPI announced, two there": b"\0\0\0\1\3\4\0\1" + SPI + SPI,
    "65,535 SPIs announced": b"\0\0\0\1\3\4\xff\xff" + SPI,
    "cut": b"\0\0\0\1\3\4\0",
}


@pytest.mark.parametrize("what", WRONG_COUNTS)
def test_a_delete_whose_counts_are_wrong_is_dropped_as_malformed(what: str) -> None:
    async def story(scene: Scene) -> None:
        await tunnel(scene)
        scene.mallory.inform(Opaque(PayloadType.D, WRONG_COUNTS[what]))
        await asyncio.sleep(1)
        assert scene.refusals() == [("INFO", "Malformed")]
        assert scene.new_counts() == {"drop: INFORMATIONAL that is authentic, but malformed": 1}
        assert scene.tunnels == 1

    attack(story)


@pytest.mark.parametrize("proof", UNPROVEN)
def test_a_delete_whose_counts_are_wrong_and_whose_hash_does_not_hold_is_not_authentic(proof: str) -> None:
    async def story(scene: Scene) -> None:
        await tunnel(scene)
        scene.mallory.inform(Opaque(PayloadType.D, WRONG_COUNTS["no SPIs"]), **UNPROVEN[proof])
        assert scene.new_counts() == {NOT_AUTHENTIC: 1}

    attack(story)


OTHER_SPI = bytes.fromhex("0000b6b6")


def with_spi(mode: QuickMode, spi: bytes) -> QuickMode:
    child = MALLORYS.children[0]
    mode.offer = offer_phase2(child.suites, child.lifetime, spi)
    return mode


def test_a_delete_that_overtakes_message_3_ends_the_tunnel_as_soon_as_it_stands() -> None:
    async def story(scene: Scene) -> None:
        scene.mallory.establish()
        mode = scene.mallory.quick_mode()
        first = mode.message_1()
        scene.mallory.say(first)
        await asyncio.sleep(0.01)
        (second,) = scene.mallory.heard()
        mode.hear_2(second, first)
        scene.mallory.inform(DELETE)
        scene.mallory.say(mode.message_3())
        await asyncio.sleep(1)
        assert scene.tunnels == 0
        assert scene.session.states["lan"].cause == Said("deleted by the peer")

    attack(story)


def test_a_delete_that_came_during_a_quick_mode_is_forgotten_with_its_end() -> None:
    """The peer may use that SPI for the first time a day later."""

    async def story(scene: Scene) -> None:
        scene.mallory.establish()
        mode = scene.mallory.quick_mode()
        first = mode.message_1()
        scene.mallory.say(first)
        await asyncio.sleep(0.01)
        (second,) = scene.mallory.heard()
        mode.hear_2(second, first)
        scene.mallory.inform(DeletePayload(Protocol.ESP, (OTHER_SPI,)))
        scene.mallory.say(mode.message_3())
        await asyncio.sleep(60)
        scene.mallory.heard()
        await complete(scene, with_spi(scene.mallory.quick_mode(2), OTHER_SPI))
        await asyncio.sleep(1)
        assert {pair.sa.outbound.octets for pair in scene.session.states["lan"].pairs} >= {OTHER_SPI}

    attack(story)


def test_a_delete_that_came_while_no_quick_mode_of_its_isakmp_sa_was_in_flight_is_not_kept() -> None:
    """Another ISAKMP SA of the same peer has one; its SPIs are told under that one."""

    async def story(scene: Scene) -> None:
        busy = scene.mallory.establish()
        mode = with_spi(scene.mallory.quick_mode(), OTHER_SPI)
        first = mode.message_1()
        scene.mallory.say(first)
        await asyncio.sleep(0.01)
        (second,) = scene.mallory.heard()
        mode.hear_2(second, first)
        scene.mallory.establish(b"mallory2")
        scene.mallory.inform(DeletePayload(Protocol.ESP, (OTHER_SPI,)))
        scene.mallory.sa = busy
        scene.mallory.say(mode.message_3())
        await asyncio.sleep(1)
        assert scene.tunnels == 1

    attack(story)


def test_a_delete_that_is_replayed_after_the_tunnel_came_again_removes_nothing() -> None:
    """Nothing of it is kept but its message ID, which is used up."""

    async def story(scene: Scene) -> None:
        await tunnel(scene)
        assert scene.mallory.sa
        recorded = scene.mallory.protected(ExchangeType.INFORMATIONAL, 77, Chain.of(DELETE))
        scene.mallory.say(recorded)
        await asyncio.sleep(1)
        assert scene.tunnels == 0
        await another_tunnel(scene, 78)
        scene.mallory.say(recorded)
        await asyncio.sleep(LINGER + 1)
        scene.mallory.say(recorded)
        assert scene.new_counts()["drop: message ID already used"] == 2
        await asyncio.sleep(1)
        assert scene.tunnels == 1

    attack(story)


def test_one_bit_flipped_anywhere_in_a_delete_is_dropped() -> None:
    async def story(scene: Scene) -> None:
        await tunnel(scene)
        genuine = scene.mallory.protected(ExchangeType.INFORMATIONAL, 77, Chain.of(DELETE))
        last_block = len(genuine) - 16
        for at in range(HEADER_OCTETS, last_block + (64 - last_block) % 16):
            scene.mallory.say(flipped(genuine, at, 1 << at % 8))
        assert scene.new_counts()[NOT_AUTHENTIC] == len(scene.refusals()) > 40
        assert scene.tunnels == 1
        scene.mallory.say(genuine)
        await asyncio.sleep(1)
        assert scene.tunnels == 0

    attack(story)


def test_what_has_no_consequence_is_noted() -> None:
    async def story(scene: Scene) -> None:
        await tunnel(scene)
        scene.mallory.inform(RESTARTED, NotifyPayload(Protocol.ISAKMP, NotifyType(40000)))
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
            scene.mallory.inform(NotifyPayload(Protocol.ISAKMP, NotifyType.R_U_THERE), message_id=number)
        (isakmp,) = scene.session.live
        assert isakmp.stage is Stage.LEAVING
        assert scene.session._ledger.message_ids.count < 105
        await asyncio.sleep(20)
        assert not scene.session.live
        assert scene.session._ledger.message_ids.count == 0
        assert scene.tunnels == 1

    attack(story)
