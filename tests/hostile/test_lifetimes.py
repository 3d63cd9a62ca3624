"""RESPONDER-LIFETIME for an ISAKMP SA in an Informational message: what it may shorten; through a whole gateway."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ikevd.facts import Note
from ikevd.peer.isakmp_state import Stage
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import NotifyType, Protocol
from tests.hostile.established import UNPROVEN
from tests.hostile.scene import Scene, attack
from tests.sayings import said


def stage(scene: Scene) -> Stage:
    (isakmp,) = scene.session.live
    return isakmp.stage


def claim(seconds: int, spi: bytes = b"") -> NotifyPayload:
    """For the ISAKMP SA, with the attributes of phase 2."""
    life = b"\x80\1\0\1\0\2\0\4" + seconds.to_bytes(4, "big")
    return NotifyPayload(Protocol.ISAKMP, NotifyType.RESPONDER_LIFETIME, spi, life)


@pytest.mark.parametrize(("seconds", "ends"), [(600, 600), (1, 60), (90_000, None)])
def test_the_life_that_is_claimed_for_the_isakmp_sa_counts_but_no_less_than_a_minute(
    seconds: int, ends: int | None
) -> None:
    async def story(scene: Scene) -> None:
        sa = scene.mallory.establish()
        scene.mallory.inform(claim(seconds, sa.cookies.octets))
        await asyncio.sleep((ends or 600) - 1)
        assert stage(scene) is Stage.READY
        await asyncio.sleep(2)
        assert (stage(scene) is Stage.LEAVING) == (ends is not None)
        notes = [note for note in scene.facts(Note) if "RESPONDER-LIFETIME" in said(note)]
        assert len(notes) == (ends is not None)

    attack(story)


@pytest.mark.parametrize("proof", UNPROVEN)
def test_a_life_that_nothing_proves_counts_for_nothing(proof: str) -> None:
    async def story(scene: Scene) -> None:
        scene.mallory.establish()
        scene.mallory.inform(claim(60), **UNPROVEN[proof])
        assert scene.session.live[0].sa.lifetime.seconds == 86_400

    attack(story)


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\x80\1\0\1", b"\0\2\0\4\0\0\0\1", b"\x80\1\0\2\x80\2\0\1", b"\x80\1\0\1\x80\2\0\0"]
)
def test_a_claim_that_names_no_seconds_changes_nothing(data: bytes) -> None:
    async def story(scene: Scene) -> None:
        scene.mallory.establish()
        scene.mallory.inform(replace(claim(60), data=data))
        assert scene.session.live[0].sa.lifetime.seconds == 86_400

    attack(story)


def test_a_claim_for_another_isakmp_sa_changes_nothing() -> None:
    async def story(scene: Scene) -> None:
        scene.mallory.establish()
        scene.mallory.inform(claim(60, b"somebody elses!!"))
        assert scene.session.live[0].sa.lifetime.seconds == 86_400

    attack(story)
