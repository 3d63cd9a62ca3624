"""What the peer announces of itself, in whichever message of phase 1 it does so."""

from __future__ import annotations

from ikevd.exchanges.link import Situation
from ikevd.facts import Note
from ikevd.findings import Announced
from ikevd.wire.message import Message
from ikevd.wire.payloads import VidPayload
from ikevd.wire.vendor_ids import name_of

MAX_VENDOR_IDS = 32
"""Of one phase 1; the most that was seen is 17."""

MAX_OCTETS = 64
"""Of one vendor ID, which is kept as long as its ISAKMP SA; the longest known one has 40."""
MAX_NAMED = 20
"""In one note; the others are counted."""


def remember_vendors(situation: Situation, message: Message, *, initiator: bool) -> Note | None:
    """Keep the vendor IDs that are new, and name them. `initiator`: are we it?"""
    payloads = message.all(VidPayload)
    if not payloads:
        return None
    theirs = situation.cookies.responder if initiator else situation.cookies.initiator
    heard = dict.fromkeys(payload.body[:MAX_OCTETS] for payload in payloads)
    new = [vendor_id for vendor_id in heard if vendor_id not in situation.vendor_ids]
    room = MAX_VENDOR_IDS - len(situation.vendor_ids)
    if not new or room <= 0:
        return None
    names = tuple(name_of(vendor_id, theirs) for vendor_id in new[:room])
    situation.vendor_ids += tuple(new)[:room]
    situation.peer_vendors += names
    return Note(Announced(names[:MAX_NAMED], max(0, len(names) - MAX_NAMED)))
