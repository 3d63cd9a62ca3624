"""The commit bit (RFC 2408 section 3.1): the responder of a Quick Mode wants its SA unused until it says CONNECTED.

No HASH covers the bit, and who sets it may never say the word (racoon does, strongSwan sets no bit): so the wait is
short. What came before it, as the pair that is rekeyed, goes on meanwhile.
"""

from __future__ import annotations

from functools import partial

from ikevd.errors import NoAnswer, UnexpectedMessage
from ikevd.exchanges import phase2
from ikevd.exchanges.link import Link
from ikevd.findings import NeverConnected
from ikevd.sa.model import IsakmpSa
from ikevd.wire.message import Message
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import Flags, NotifyType

WITHIN = 4.0
"""Seconds: a responder says it as soon as message 3 has come; if that is lost, it repeats message 2 first."""


def is_wanted(answer: Message) -> bool:
    """Does message 2 have the commit bit?"""
    return bool(int(answer.header.flags) & int(Flags.COMMIT))


async def wait(link: Link, sa: IsakmpSa) -> None:
    """As the fourth message of the Quick Mode (racoon), or as an Informational message with its message ID (RFC 2408),
    whose IV chain goes on from message 3 or begins anew."""
    mid = link.message_id
    await link.protect(link.chain, *phase2.chains(sa, mid))
    try:
        await link.receive(partial(_accept, sa, mid), within=WITHIN, or_informational=True)
    except NoAnswer:
        await link.note(NeverConnected(WITHIN))


def _accept(sa: IsakmpSa, message_id: int, message: Message) -> None:
    phase2.Hashes(sa, message_id).accept_1(message)
    if not any(notify.type == NotifyType.CONNECTED for notify in message.all(NotifyPayload)):
        raise UnexpectedMessage("it does not say CONNECTED")
