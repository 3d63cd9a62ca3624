"""INITIAL-CONTACT (RFC 2407 section 4.6.3.3): who says it holds nothing else with the other side."""

from __future__ import annotations

from ikevd.exchanges.link import Link
from ikevd.policy.connection import Connection, Unique
from ikevd.policy.identity import Identity
from ikevd.sa.model import Cookies
from ikevd.wire.message import Message
from ikevd.wire.payloads import NotifyPayload, Payload
from ikevd.wire.registry import NotifyType, Protocol

DOIS = frozenset({0, 1})
"""ISAKMP itself and IPsec (RFC 2407 section 4.1); elsewhere the number means something else."""


def initial_contact(cookies: Cookies) -> NotifyPayload:
    """As we say it; the cookies name the ISAKMP SA that is the first."""
    return NotifyPayload(Protocol.ISAKMP, NotifyType.INITIAL_CONTACT, cookies.octets)


async def greeting(link: Link, connection: Connection, ours: Identity, theirs: Identity) -> tuple[Payload, ...]:
    """What goes into our last message of Main Mode, which is encrypted: INITIAL-CONTACT, or nothing where we hold
    something with the peer."""
    if connection.unique is Unique.NEVER or not await link.is_first_contact(connection.name, ours, theirs):
        return ()
    return (initial_contact(link.cookies),)


def says(payload: Payload) -> bool:
    """Is it INITIAL-CONTACT? Whatever SPI it names: some peers leave it out."""
    if not isinstance(payload, NotifyPayload) or int(payload.doi) not in DOIS:
        return False
    return payload.type == NotifyType.INITIAL_CONTACT


def is_said(message: Message) -> bool:
    """Does the peer say so in there?"""
    return any(map(says, message.all(NotifyPayload)))
