"""Vendor IDs and notifications of a recorded message, by the names that operators know."""

from __future__ import annotations

from ikevd.errors import Malformed
from ikevd.facts import Heard, Sent
from ikevd.wire.message import HEADER_OCTETS, Header, Message
from ikevd.wire.payloads import NotifyPayload, VidPayload
from ikevd.wire.registry import PayloadType
from ikevd.wire.vendor_ids import name_of

VID, NOTIFICATION = str(PayloadType.VID), str(PayloadType.N)


def vendors_of(fact: Sent | Heard) -> list[str]:
    """In the order in which they stand; empty where there are none."""
    message = _message(fact) if VID in fact.payloads else None
    if message is None:
        return []
    sender = message.header.initiator if message_number(fact.label) % 2 else message.header.responder
    return [name_of(payload.body, sender) for payload in message.all(VidPayload)]


def notifications_of(fact: Sent | Heard) -> list[str]:
    """As `vendors_of`, of the types of notifications."""
    message = _message(fact) if NOTIFICATION in fact.payloads else None
    return [str(payload.type) for payload in message.all(NotifyPayload)] if message else []


def _message(fact: Sent | Heard) -> Message | None:
    """It was accepted once; None where only its header is on record."""
    try:
        header = Header.decode_untrusted(fact.octets)
        return Message.decode_untrusted(header, fact.chain or fact.octets[HEADER_OCTETS:])
    except Malformed:
        return None


def message_number(label: str) -> int:
    """5 of `MM5`, which odd the initiator sends; 0 of a label without number."""
    digits = label.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return int(digits) if digits.isdecimal() else 0
