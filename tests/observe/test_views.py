"""Records as plain data."""

from __future__ import annotations

import json

import pytest

from ikevd.errors import Said
from ikevd.facts import Dropped, Established, Fact, Failed, Heard, Hint, Note, Repeated, Sent
from ikevd.observe.history import Entry
from ikevd.observe.views import View, entry_view
from ikevd.sa.model import Spi
from ikevd.wire.message import Header
from ikevd.wire.registry import ExchangeType, Flags, NotifyType, PayloadType
from tests.builders import ALICE_TO_BOB
from tests.observe.by_hand import HEARD, SENT, recorded
from tests.views import record_view

BAD = {"kind": "said", "text": "bad"}
WIRE = bytes.fromhex("c0ffee")
MESSAGE = {
    "label": "MM1",
    "payloads": ["SA"],
    "vendors": [],
    "notifications": [],
    "octets": 3,
    "wire": "c0ffee",
    "path": str(ALICE_TO_BOB),
}


@pytest.mark.parametrize(
    ("fact", "view"),
    [
        (Sent("MM1", ("SA",), WIRE, ALICE_TO_BOB, 2), {"fact": "sent", **MESSAGE, "copy": 2}),
        (Heard("MM1", ("SA",), WIRE, ALICE_TO_BOB), {"fact": "heard", **MESSAGE}),
        (Repeated("MM1", answered=False), {"fact": "repeated", "label": "MM1", "answered": False}),
        (
            Dropped("MM2", Said("bad"), "InvalidHash", 76),
            {"fact": "dropped", "label": "MM2", "reason": "bad", "finding": BAD, "error": "InvalidHash", "octets": 76},
        ),
        (Hint(NotifyType.INVALID_SPI), {"fact": "hint", "notify": "INVALID_SPI"}),
        (Note(Said("bad")), {"fact": "note", "text": "bad", "finding": BAD}),
        (Established(Said("bad")), {"fact": "established", "text": "bad", "finding": BAD}),
        (Failed(Said("bad"), "NoAnswer"), {"fact": "failed", "reason": "bad", "finding": BAD, "error": "NoAnswer"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_fact_has_its_fields(fact: Fact, view: View) -> None:
    assert entry_view(Entry(7.5, fact)) == {"at": 7.5, **view}


def test_a_record_names_its_negotiation_and_survives_json() -> None:
    record = recorded(SENT, HEARD, message_id=0xABC)
    record.belongs_to("berlin", "lan")
    record.spis = Spi(1), Spi(2)
    view = json.loads(json.dumps(record_view(record)))
    assert [event["fact"] for event in view.pop("events")] == ["sent", "heard"]
    assert view == {
        "number": 1,
        "exchange": "QUICK_MODE",
        "initiator": True,
        "cookies": {"initiator": "0123456789abcdef", "responder": "fedcba9876543210"},
        "message_id": "00000abc",
        "peer": "198.51.100.1:500",
        "connection": "berlin",
        "child": "lan",
        "started": 1_700_000_000.0,
        "spis": ["00000001", "00000002"],
        "not_kept": 0,
    }


def test_a_message_of_which_the_record_kept_the_header_tells_its_length_and_that_the_rest_is_lost() -> None:
    head = Header(b"initiato", b"responde", PayloadType.N, ExchangeType.INFORMATIONAL, Flags.NONE, 7).encode(60_000)
    record = recorded(Heard("INFO", ("N",), head + bytes(60_000), ALICE_TO_BOB, bytes(60_000)))
    (event,) = record_view(record, decode=True)["events"]
    assert (event["octets"], event["wire"]) == (60_028, head.hex())
    assert event["message"]["header"]["length"] == 60_028
    assert event["message"]["cut"] == "the record kept only 28 of 60028 octets"
    assert "payloads" not in event["message"]
