"""Deletes under an ISAKMP SA: doubled, wrong, of others, early, replayed, flipped; through a whole gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from ikevd.conversation.timing import LINGER
from ikevd.errors import Said
from ikevd.policy.transforms import offer_phase2
from ikevd.sa.model import IsakmpSa
from ikevd.wire.message import HEADER_OCTETS
from ikevd.wire.payloads import DeletePayload, Opaque, Payload
from ikevd.wire.registry import Doi, ExchangeType, PayloadType, Protocol
from tests.hostile.established import (
    DELETE,
    REFUSAL,
    RESTARTED,
    UNPROVEN,
    another_tunnel,
    answered,
    complete,
    delete_isakmp,
    inbound,
    tunnel,
)
from tests.hostile.mallory import SPI, Chain, QuickMode, flipped
from tests.hostile.scene import CAROL, MALLORYS, Scene, attack

NOT_AUTHENTIC = "drop: INFORMATIONAL that is not authentic"


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
        await answered(scene, mode, mode.message_1())
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
        await answered(scene, mode, mode.message_1())
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
        await answered(scene, mode, mode.message_1())
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
