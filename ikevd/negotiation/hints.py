"""Notifications in the clear: forgeable, so they are evidence for the diagnosis and never an order."""

from __future__ import annotations

from ikevd.errors import Malformed
from ikevd.negotiation.runner import Runner
from ikevd.wire.message import HEADER_OCTETS, Header, Message
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import ExchangeType, NotifyType


def hear_hints(phase1: Runner, header: Header, octets: bytes) -> None:
    """An Informational message without message ID, or in the clear: all that it can be is evidence."""
    notifications = clear_notifications(header, octets)
    for notify in notifications:
        phase1.hint(notify)
    if not notifications:
        phase1.count("drop: Informational in the clear that holds no hint")


def clear_notifications(header: Header, octets: bytes) -> tuple[NotifyType, ...]:
    """The types of the notifications in an unencrypted Informational message; empty for anything else."""
    if header.encrypted or header.exchange != ExchangeType.INFORMATIONAL:
        return ()
    try:
        message = Message.decode_untrusted(header, octets[HEADER_OCTETS : header.length])
    except Malformed:
        return ()
    return tuple(payload.type for payload in message.all(NotifyPayload))
