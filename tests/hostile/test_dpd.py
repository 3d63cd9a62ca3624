"""R-U-THERE under an ISAKMP SA of Mallory's own: many of them, odd ones, old ones; whole gateways."""

from __future__ import annotations

import asyncio

import pytest

from ikevd.peer.timing import ANSWERS
from ikevd.wire.payloads import NotifyPayload, Payload, VidPayload
from ikevd.wire.registry import Doi, ExchangeType, NotifyType, Protocol
from ikevd.wire.vendor_ids import DPD
from tests.hostile.established import DELETE, another_tunnel, tunnel
from tests.hostile.mallory import COOKIE, Chain
from tests.hostile.scene import Scene, attack

ASKS, ANSWER = NotifyType.R_U_THERE, NotifyType.R_U_THERE_ACK
MESSAGE = 0x0BADD000


def asks(number: int, spi: bytes = b"") -> NotifyPayload:
    return NotifyPayload(Protocol.ISAKMP, ASKS, spi, number.to_bytes(4, "big"))


async def standing(scene: Scene) -> None:
    await tunnel(scene)
    scene.mallory.heard()


def test_a_flood_of_questions_gets_few_answers_and_is_not_kept() -> None:
    async def story(scene: Scene) -> None:
        await standing(scene)
        records = len(scene.records())
        used = scene.session._ledger.message_ids.count
        answers = [scene.mallory.inform(asks(number), message_id=MESSAGE + number) for number in range(2000)]
        assert sum(map(len, answers)) == ANSWERS
        assert len(scene.records()) == records
        assert scene.session._ledger.message_ids.count == used
        await asyncio.sleep(1)
        assert len(scene.mallory.inform(asks(3000), message_id=MESSAGE + 3000)) == 1

    attack(story)


def test_no_answer_is_longer_than_the_question() -> None:
    async def story(scene: Scene) -> None:
        await standing(scene)
        assert scene.mallory.sa is not None
        spi = scene.mallory.sa.cookies.octets
        for number, asked in enumerate((asks(1, spi), NotifyPayload(Protocol.ISAKMP, ASKS, spi, bytes(600)))):
            question = scene.mallory.protected(ExchangeType.INFORMATIONAL, MESSAGE + number, Chain.of(asked))
            (answer,) = scene.mallory.say(question)
            assert len(answer) <= len(question)
            await asyncio.sleep(1)

    attack(story)


ODD: dict[str, tuple[Payload, ...]] = {
    "of another DOI": (NotifyPayload(Protocol.ISAKMP, ASKS, b"", bytes(4), Doi(7)),),
    "for an ESP SA": (NotifyPayload(Protocol.ESP, ASKS, b"\0\0\0\1", bytes(4)),),
    "with nothing in it": (NotifyPayload(Protocol.ISAKMP, ASKS),),
    "a hundred in one message": tuple(asks(number) for number in range(100)),
    "an answer to nothing": (NotifyPayload(Protocol.ISAKMP, ANSWER, b"", bytes(4)),),
    "an answer with a long number": (NotifyPayload(Protocol.ISAKMP, ANSWER, b"", bytes(600)),),
}


@pytest.mark.parametrize("what", ODD)
def test_odd_ones_do_no_harm(what: str) -> None:
    async def story(scene: Scene) -> None:
        await standing(scene)
        assert len(scene.mallory.inform(*ODD[what], message_id=MESSAGE)) <= 1
        await asyncio.sleep(1)
        assert scene.tunnels == 1

    attack(story)


def test_one_beside_a_delete_is_answered_and_the_delete_obeyed() -> None:
    async def story(scene: Scene) -> None:
        await standing(scene)
        scene.mallory.inform(asks(1), DELETE, message_id=MESSAGE)
        await asyncio.sleep(1)
        assert len(scene.mallory.heard()) == 1
        assert scene.tunnels == 0

    attack(story)


def test_a_question_that_somebody_has_recorded_and_repeats_keeps_no_dead_peer_alive() -> None:
    async def story(scene: Scene) -> None:
        scene.mallory.establish(COOKIE, VidPayload(DPD))
        await another_tunnel(scene)
        await asyncio.sleep(10)
        for _ in range(60):
            scene.mallory.inform(asks(1), message_id=MESSAGE)
            await asyncio.sleep(2)
        assert not scene.session.live

    attack(story)
