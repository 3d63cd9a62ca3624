"""Notifications in the clear: forgeable, so they are evidence for the diagnosis and never an order."""

from __future__ import annotations

from collections.abc import Sequence

from ikevd.conversation.meanwhile import MAX_HINTS
from ikevd.errors import Malformed
from ikevd.negotiation.running import Running
from ikevd.wire.message import HEADER_OCTETS, Header, Message
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import ExchangeType, NotifyType


def hear_hints(runners: Sequence[Running], header: Header, octets: bytes) -> None:
    """An Informational message in the clear, for whatever is under way, or was last: all that it can be is evidence."""
    notifications = clear_notifications(header, octets)
    for notify in notifications:
        for runner in runners:
            runner.hint(notify)
    if header.encrypted:
        runners[0].count("drop: encrypted Informational with message ID 0")
    elif not notifications:
        runners[0].count("drop: Informational in the clear that holds no hint")


def clear_notifications(header: Header, octets: bytes) -> tuple[NotifyType, ...]:
    """The types of the first few notifications in an unencrypted Informational message; empty for anything else."""
    if header.encrypted or header.exchange != ExchangeType.INFORMATIONAL:
        return ()
    try:
        message = Message.decode_untrusted(header, octets[HEADER_OCTETS : header.length])
    except Malformed:
        return ()
    return tuple(dict.fromkeys(payload.type for payload in message.all(NotifyPayload)))[:MAX_HINTS]
