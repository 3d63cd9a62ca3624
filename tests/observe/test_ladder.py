"""The ladder, drawn from records made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.errors import Said
from ikevd.facts import Dropped, Established, Fact, Failed, Heard, Hint, Note, Repeated, Sent
from ikevd.negotiation.router import clear_notification
from ikevd.observe.ladder import ladder
from ikevd.sa.model import Spi
from ikevd.wire.message import Header, encode_chain
from ikevd.wire.payloads import VidPayload
from ikevd.wire.registry import ExchangeType, Flags, NotifyType, PayloadType
from ikevd.wire.vendor_ids import NAT_T_RFC_3947
from tests.builders import ALICE_TO_BOB
from tests.observe.by_hand import COOKIES, HEARD, SENT, recorded
from tests.views import record_view


def drawn(*facts: Fact, initiator: bool = True) -> str:
    return ladder(record_view(recorded(*facts, initiator=initiator)))


def test_we_stand_left_and_the_peer_right_with_a_legend() -> None:
    assert drawn(SENT, HEARD, Established(Said("ISAKMP SA with 198.51.100.1"))) == (
        "Main Mode  berlin  as initiator, peer 198.51.100.1:500\n"
        "  began 2023-11-14 22:13:20.000 UTC   ▶ from us, ◀ to us\n"
        "  cookies 0123456789abcdef:fedcba9876543210\n"
        "       12.5 ms  MM1   ──▶  SA, VID, VID                               136 B\n"
        "       25.0 ms  MM2   ◀──  SA, VID                                    104 B\n"
        "       37.5 ms  up    ISAKMP SA with 198.51.100.1"
    )


def test_what_a_responder_received_points_to_it_too() -> None:
    heard, sent = Heard("MM1", ("SA",), bytes(80), ALICE_TO_BOB), Sent("MM2", ("SA",), bytes(80), ALICE_TO_BOB)
    head, _, _, first, second = drawn(heard, sent, initiator=False).splitlines()
    assert "as responder" in head
    assert "MM1   ◀──" in first
    assert "MM2   ──▶" in second


@pytest.mark.parametrize("initiator", [True, False], ids=["initiator", "responder"])
def test_an_informational_message_points_to_whom_it_was_sent(initiator: bool) -> None:
    ours, theirs = Sent("INFO", ("HASH", "D"), bytes(76), ALICE_TO_BOB), Heard("INFO", ("N",), bytes(40), ALICE_TO_BOB)
    *_, first, second = drawn(ours, theirs, initiator=initiator).splitlines()
    assert "INFO  ──▶" in first
    assert "INFO  ◀──" in second


def test_a_notification_is_named_by_its_type() -> None:
    refusal = clear_notification(COOKIES.initiator, NotifyType.NO_PROPOSAL_CHOSEN)
    *_, line = drawn(Sent("INFO", ("N",), refusal, ALICE_TO_BOB), initiator=False).splitlines()
    assert line == "       12.5 ms  INFO  ──▶  N NO_PROPOSAL_CHOSEN                        40 B"


def test_copies_of_a_message_stand_in_one_line_with_their_number_and_the_time_of_the_last() -> None:
    copies = [replace(SENT, copy=copy) for copy in (1, 2, 3)]
    (line, more) = drawn(*copies).splitlines()[3:]
    assert line == "       12.5 ms  MM1   ──▶  SA, VID, VID                               136 B"
    assert more.strip() == "(sent 3 times, last at 37.5 ms)"


def test_a_message_sent_again_is_told_field_by_field_only_once() -> None:
    first, other = Sent("MM1", ("SA",), bytes(136), ALICE_TO_BOB), Heard("MM2", ("SA",), bytes(104), ALICE_TO_BOB)
    record = recorded(first, replace(first, copy=2), other, replace(first, copy=3))
    lines = ladder(record_view(record, decode=True)).splitlines()
    assert [line for line in lines if line.startswith("    octets")] == ["    octets: 136", "    octets: 104"]


def test_repetitions_of_the_peer_drops_hints_notes_and_failures_are_told() -> None:
    drawing = drawn(
        Repeated("MM1", answered=True),
        Dropped("MM4", Said("the HASH does not match"), "InvalidHash", 76),
        Hint(NotifyType.NO_PROPOSAL_CHOSEN),
        Note(Said("ICMP port unreachable from 198.51.100.1")),
        Failed(Said("no MM2 to 3 sends in 5 s"), "NoAnswer"),
    )
    assert [line[16:] for line in drawing.splitlines()[3:]] == [
        "MM1   ◀──  once more, answered again",
        "MM4   ◀──  dropped: the HASH does not match (76 B)",
        "hint  the peer says, unauthenticated: NO_PROPOSAL_CHOSEN",
        "note  ICMP port unreachable from 198.51.100.1",
        "FAIL  no MM2 to 3 sends in 5 s",
    ]


def test_equal_drops_stand_in_one_line_with_their_number() -> None:
    forged = Dropped("MM4", Said("it does not decrypt"), "InvalidHash", 76)
    other = Dropped("MM4", Said("the HASH does not match"), "InvalidHash", 76)
    assert [line[16:] for line in drawn(forged, other, forged, forged).splitlines()[3:]] == [
        "MM4   ◀──  dropped: it does not decrypt (76 B) (3 times,",
        "      last at 50.0 ms)",
        "MM4   ◀──  dropped: the HASH does not match (76 B)",
    ]


def test_the_message_id_and_esp_spis_of_a_quick_mode_are_told() -> None:
    record = recorded(Established(Said("IPsec SA pair")), message_id=0xABC)
    record.spis = Spi(0xC0FFEE01), Spi(0xDEADBEEF)
    drawing = ladder(record_view(record))
    assert drawing.startswith("Quick Mode  berlin")
    assert "message ID 00000abc" in drawing
    assert drawing.endswith("ESP SPIs: in c0ffee01, out deadbeef")


def test_facts_that_were_not_kept_are_counted() -> None:
    record = recorded()
    record.overflow = 7
    assert ladder(record_view(record)).endswith("... and 7 more that were not kept")


def test_a_stranger_belongs_to_no_connection() -> None:
    assert ladder(record_view(recorded(connection=None))).startswith("Main Mode  (no connection)")


def test_a_peer_cannot_send_escape_sequences_to_the_terminal() -> None:
    drawing = drawn(Established(Said("ISAKMP SA with \x1b[2Jevil\nFAIL forged")))
    assert "\x1b" not in drawing
    assert len(drawing.splitlines()) == 4
    assert "\\x1b[2Jevil\\nFAIL forged" in drawing


@pytest.mark.parametrize("width", [60, 80, 140])
def test_no_line_is_longer_than_the_screen_and_no_name_is_broken(width: int) -> None:
    vendors = ["XAUTH", "Dead Peer Detection", "NAT-T RFC 3947", "NAT-T draft-03", "NAT-T draft-02 (LF)"]
    payloads = ("SA", "KE", "NONCE", "ID", "HASH", "NAT_D", "NAT_D", "CERTREQ", *["VID"] * 5)
    selectors = "2001:db8:1111:2222:3333:4444:5555:0/112 === 2001:db8:aaaa:bbbb:cccc:dddd:eeee:0/112"
    record = recorded(
        Sent("AM2", payloads, bytes(1200), ALICE_TO_BOB), Established(Said(f"IPsec SA pair {selectors}, aes256-sha256"))
    )
    view = record_view(record)
    view["events"][0]["vendors"] = vendors
    view |= {"peer": "[2001:db8:1111:2222:3333:4444:5555:6666]:4500", "connection": "a-connection-with-a-long-name"}
    view["message_id"] = "0badcafe"
    lines = ladder(view, width).splitlines()
    assert max(map(len, lines)) <= width
    for name in (*vendors, "5 VID", "2001:db8:1111:2222:3333:4444:5555:0/112", view["peer"], "message ID 0badcafe"):
        assert len([line for line in lines if name in line]) == 1


def test_our_vendor_ids_are_named_below_their_message() -> None:
    vids = (VidPayload(NAT_T_RFC_3947), VidPayload(bytes.fromhex("c0ffee")))
    header = Header(COOKIES.initiator, bytes(8), PayloadType.VID, ExchangeType.MAIN_MODE, Flags(0), 0)
    body = encode_chain(vids)
    sent = Sent("MM1", ("VID", "VID"), header.encode(len(body)) + body, ALICE_TO_BOB)
    *_, again, line = drawn(sent, replace(sent, copy=2)).splitlines()
    assert "(sent 2 times" in again
    assert line.strip() == "VID: NAT-T RFC 3947, unknown (c0ffee)"


def test_vendor_ids_of_an_encrypted_message_are_named_too() -> None:
    body = encode_chain((VidPayload(NAT_T_RFC_3947),))
    header = Header(COOKIES.initiator, bytes(8), PayloadType.VID, ExchangeType.MAIN_MODE, Flags.ENCRYPTION, 0)
    wire = header.encode(16) + bytes(16)
    assert "VID: NAT-T RFC 3947" in drawn(Sent("MM5", ("VID",), wire, ALICE_TO_BOB, chain=body))


def test_a_long_note_breaks_at_its_commas() -> None:
    note = Note(Said("the peer announces XAUTH, Dead Peer Detection, NAT-T draft-03, NAT-T draft-02 (LF)"))
    assert [line[22:] for line in drawn(note).splitlines()[3:]] == [
        "the peer announces XAUTH, Dead Peer Detection,",
        "NAT-T draft-03, NAT-T draft-02 (LF)",
    ]
