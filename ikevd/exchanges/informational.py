"""Informational exchange under an ISAKMP SA (RFC 2409 section 5.7): one protected message, no answer."""

from __future__ import annotations

from ikevd.exchanges import phase2
from ikevd.exchanges.link import Link
from ikevd.sa.model import IsakmpSa
from ikevd.wire.payloads import Payload


async def tell(link: Link, sa: IsakmpSa, *payloads: Payload) -> None:
    """HDR*, HASH(1), N/D  -->   sent a few times, since nothing answers it."""
    await link.conclude(*phase2.Hashes(sa, link.message_id).with_1(*payloads))


async def say(link: Link, sa: IsakmpSa, *payloads: Payload) -> None:
    """HDR*, HASH(1), N   -->   sent once, since something answers it or it is such an answer (RFC 3706 section 5)."""
    await link.answer(*phase2.Hashes(sa, link.message_id).with_1(*payloads))


async def hear(link: Link, sa: IsakmpSa) -> tuple[Payload, ...]:
    """-->  HDR*, HASH(1), N/D   The payloads behind the verified HASH."""
    message = await link.receive(phase2.Hashes(sa, link.message_id).accept_1)
    return message.payloads[1:]
