"""What is kept of the vendor IDs that a peer announces."""

from __future__ import annotations

from ikevd.conversation.vendors import MAX_OCTETS, MAX_VENDOR_IDS, remember_vendors
from ikevd.exchanges.link import Situation
from ikevd.sa.model import Cookies
from ikevd.wire.message import Header, Message
from ikevd.wire.payloads import VidPayload
from ikevd.wire.registry import ExchangeType, Flags, PayloadType
from ikevd.wire.vendor_ids import DPD
from tests.builders import BOB_TO_ALICE

HEADER = Header(b"initiato", bytes(8), PayloadType.VID, ExchangeType.MAIN_MODE, Flags.NONE, 0)


def remembered(*vendor_ids: bytes) -> Situation:
    situation = Situation(Cookies(b"initiato"), 0, BOB_TO_ALICE)
    message = Message(HEADER, tuple(VidPayload(vendor_id) for vendor_id in vendor_ids), b"")
    remember_vendors(situation, message, initiator=False)
    return situation


def test_of_a_long_vendor_id_the_beginning_is_kept_and_its_name_is_short() -> None:
    situation = remembered(DPD + bytes(8000))
    assert situation.vendor_ids == ((DPD + bytes(8000))[:MAX_OCTETS],)
    assert len(situation.peer_vendors[0]) < 4 * MAX_OCTETS


def test_no_more_vendor_ids_are_kept_than_anyone_sends() -> None:
    assert len(remembered(*(bytes([number]) * 16 for number in range(60))).vendor_ids) == MAX_VENDOR_IDS
