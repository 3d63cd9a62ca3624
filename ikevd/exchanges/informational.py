"""Informational exchange under an ISAKMP SA (RFC 2409 section 5.7): one protected message, no answer."""

from __future__ import annotations

from functools import partial

from ikevd.exchanges import phase2
from ikevd.exchanges.link import Link
from ikevd.sa.model import IsakmpSa
from ikevd.wire.payloads import Payload


async def tell(link: Link, sa: IsakmpSa, *payloads: Payload) -> None:
    """HDR*, HASH(1), N/D  -->   sent a few times, since nothing answers it."""
    await link.conclude(*phase2.with_hash_1(sa, link.message_id, *payloads))


async def say(link: Link, sa: IsakmpSa, *payloads: Payload) -> None:
    """HDR*, HASH(1), N   -->   sent once, since something answers it or it is such an answer (RFC 3706 section 5)."""
    await link.answer(*phase2.with_hash_1(sa, link.message_id, *payloads))


async def hear(link: Link, sa: IsakmpSa) -> tuple[Payload, ...]:
    """-->  HDR*, HASH(1), N/D   The payloads behind the verified HASH."""
    message = await link.receive(partial(phase2.accept_hash_1, sa, link.message_id))
    return message.payloads[1:]
