"""Mallory's own ISAKMP SA and tunnel, correctly made, and what it says under them."""

from __future__ import annotations

import asyncio
from typing import Any

from ikevd.sa.model import IsakmpSa
from ikevd.wire.payloads import DeletePayload, HashPayload, NotifyPayload
from ikevd.wire.registry import NotifyType, Protocol
from tests.hostile.mallory import SPI, QuickMode
from tests.hostile.scene import Scene


async def tunnel(scene: Scene) -> QuickMode:
    """Mallory's own tunnel, correctly."""
    scene.mallory.establish()
    return await another_tunnel(scene)


async def another_tunnel(scene: Scene, message_id: int = 0x0BAD0001) -> QuickMode:
    return await complete(scene, scene.mallory.quick_mode(message_id))


async def complete(scene: Scene, mode: QuickMode, first: bytes | None = None) -> QuickMode:
    """All three messages; `first` in place of the message 1 of `mode`."""
    await answered(scene, mode, first or mode.message_1())
    scene.mallory.say(mode.message_3())
    await asyncio.sleep(0.01)
    return mode


async def answered(scene: Scene, mode: QuickMode, first: bytes, ports: tuple[int, int] | None = None) -> bytes:
    """Message 1 is said, and Bob's answer to it heard, which is given."""
    scene.mallory.say(first, ports=ports)
    await asyncio.sleep(0.01)
    (second,) = scene.mallory.heard()
    mode.hear_2(second, first)
    return second


def inbound(scene: Scene) -> bytes:
    """The SPI that Bob chose."""
    (pair,) = scene.session.states["lan"].pairs
    return pair.sa.inbound.octets


def delete_isakmp(sa: IsakmpSa) -> DeletePayload:
    return DeletePayload(Protocol.ISAKMP, (sa.cookies.initiator + sa.cookies.responder,))


DELETE = DeletePayload(Protocol.ESP, (SPI,))
REFUSAL = NotifyPayload(Protocol.ESP, NotifyType.NO_PROPOSAL_CHOSEN, SPI)
RESTARTED = NotifyPayload(Protocol.ISAKMP, NotifyType(24578))


UNPROVEN: dict[str, dict[str, Any]] = {
    "HASH omitted": {"prove": False},
    "HASH empty": {"proof": HashPayload(b"")},
    "HASH wrong": {"proof": HashPayload(bytes(32))},
    "HASH cut": {"proof": HashPayload(bytes(16))},
}
