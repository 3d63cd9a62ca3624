"""The vendor IDs of a recorded message, by the names that operators know."""

from __future__ import annotations

from ikevd.errors import Malformed
from ikevd.facts import Heard, Sent
from ikevd.wire.message import HEADER_OCTETS, Header, Message
from ikevd.wire.payloads import VidPayload
from ikevd.wire.registry import PayloadType
from ikevd.wire.vendor_ids import name_of

VID = str(PayloadType.VID)


def vendors_of(fact: Sent | Heard) -> list[str]:
    """In the order in which they stand; empty where there are none."""
    if VID not in fact.payloads:
        return []
    try:
        header = Header.decode_untrusted(fact.octets)
        message = Message.decode_untrusted(header, fact.chain or fact.octets[HEADER_OCTETS:])
    except Malformed:
        return []  # it was accepted once: only its header is on record
    sender = header.initiator if message_number(fact.label) % 2 else header.responder
    return [name_of(payload.body, sender) for payload in message.all(VidPayload)]


def message_number(label: str) -> int:
    """5 of `MM5`, which odd the initiator sends; 0 of a label without number."""
    digits = label.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return int(digits) if digits.isdecimal() else 0
