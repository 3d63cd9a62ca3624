"""The ladders and the one-line form of a capture."""

from __future__ import annotations

from ikevd.addresses import Endpoint
from ikevd.dissect.brief import brief, fits
from ikevd.dissect.capture import message_views
from ikevd.dissect.fields import View
from ikevd.dissect.frames import Datagram
from ikevd.observe.capture_ladder import Ladders
from ikevd.wire.message import Header, encode_chain
from ikevd.wire.payloads import NotifyPayload, Payload, VidPayload
from ikevd.wire.registry import ExchangeType, Flags, NotifyType, PayloadType, Protocol
from ikevd.wire.vendor_ids import XAUTH
from tests.builders import ALICE, BOB

OURS, THEIRS, NOBODY = b"initiato", b"responde", bytes(8)
SECOND = 1_000_000_000
VID, REFUSAL = VidPayload(XAUTH), NotifyPayload(Protocol.ISAKMP, NotifyType.NO_PROPOSAL_CHOSEN)
MAIN, QUICK, INFO = ExchangeType.MAIN_MODE, ExchangeType.QUICK_MODE, ExchangeType.INFORMATIONAL


def clear(exchange: ExchangeType, *payloads: Payload, cookies: tuple[bytes, bytes] = (OURS, THEIRS)) -> bytes:
    body, kind = encode_chain(payloads), PayloadType.N if payloads[0] is REFUSAL else PayloadType.VID
    return Header(*cookies, kind, exchange, Flags.NONE, 0).encode(len(body)) + body


def encrypted(exchange: ExchangeType, number: int, message_id: int = 0) -> bytes:
    """With octets of its own for each `number`."""
    body = bytes([number]) * 48
    return Header(OURS, THEIRS, PayloadType.HASH, exchange, Flags.ENCRYPTION, message_id).encode(len(body)) + body


def views(*sent: tuple[bool, bytes], port: int = 500) -> list[View]:
    """Of each message: does Alice send it? A second between them."""
    a, b = Endpoint(ALICE, port), Endpoint(BOB, port)
    datagrams = [
        Datagram(number * SECOND, *((a, b) if alices else (b, a)), bytes(4) * (port == 4500) + octets)
        for number, (alices, octets) in enumerate(sent)
    ]
    return list(message_views(datagrams))


def drawn(found: list[View]) -> list[str]:
    ladders = Ladders()
    for view in found:
        ladders.add(view)
    return "\n\n".join(ladders.drawn(80)).splitlines()


MM1, MM2 = clear(MAIN, VID, cookies=(OURS, NOBODY)), clear(MAIN, VID, VID)


def test_a_whole_negotiation_is_drawn_with_its_addresses_as_headings() -> None:
    quick = [encrypted(QUICK, number, 0xABC) for number in (1, 2, 3)]
    found = views((True, MM1), (True, MM1), (False, MM2), (True, quick[0]), (False, quick[1]), (True, quick[2]))
    assert drawn(found) == [
        "192.0.2.1:500 ──▶  ◀── 198.51.100.1:500",
        "  began 1970-01-01 00:00:00.000 UTC",
        f"  cookies {OURS.hex()}:{THEIRS.hex()}",
        "  Main Mode",
        "        0.0 ms  MM1   ──▶  VID (sent 2 times, last at 1000.0 ms)       40 B",
        "     2000.0 ms  MM2   ◀──  VID, VID                                    52 B",
        "  Quick Mode, message ID 00000abc",
        "     3000.0 ms  QM1   ──▶  encrypted                                   76 B",
        "     4000.0 ms  QM2   ◀──  encrypted                                   76 B",
        "     5000.0 ms  QM3   ──▶  encrypted                                   76 B",
    ]


def test_a_message_that_the_capture_missed_keeps_its_number() -> None:
    found = views((True, MM1), (True, encrypted(MAIN, 3)))
    assert [line[16:19] for line in drawn(found)[4:]] == ["MM1", "MM3"]


def test_a_capture_that_begins_in_the_middle_claims_no_numbers() -> None:
    found = views((False, encrypted(MAIN, 6)))
    assert drawn(found)[0] == "198.51.100.1:500 ──▶  ◀── 192.0.2.1:500"
    assert [line[16:19] for line in drawn(found)[4:]] == ["MM "]


def test_a_refusal_in_the_clear_stands_in_the_ladder_that_it_refuses() -> None:
    lines = drawn(views((True, MM1), (False, clear(INFO, REFUSAL, cookies=(OURS, NOBODY)))))
    assert len([line for line in lines if "cookies" in line]) == 1
    assert lines[-1].startswith("     1000.0 ms  INFO  ◀──  N NO_PROPOSAL_CHOSEN")


def test_each_pair_of_cookies_has_its_ladder() -> None:
    other = clear(MAIN, VID, cookies=(b"another!", NOBODY))
    assert len([line for line in drawn(views((True, MM1), (True, other), (False, MM2))) if "cookies" in line]) == 2


def test_the_change_of_ports_is_told() -> None:
    lines = drawn([*views((True, MM1), (False, MM2)), *views((True, encrypted(MAIN, 5)), port=4500)])
    assert lines[6].endswith("note  from here on between 192.0.2.1:4500 and 198.51.100.1:4500")


def test_one_line_tells_when_who_what_and_how_long() -> None:
    (view,) = views((False, clear(INFO, REFUSAL)))
    assert brief(view) == (
        "1  1970-01-01T00:00:00.000000Z  198.51.100.1:500 -> 192.0.2.1:500  Informational  "
        f"{OURS.hex()}:{THEIRS.hex()}  N NO_PROPOSAL_CHOSEN  40 B"
    )
    (view,) = views((True, encrypted(QUICK, 1, 0xABC)))
    assert brief(view).endswith(f"Quick Mode  {OURS.hex()}:{THEIRS.hex()}  ID 00000abc  encrypted  76 B")


def test_a_message_fits_its_peer_its_cookies_and_its_exchange() -> None:
    (view,) = views((True, MM2))
    assert fits(view)
    assert fits(view, peer="198.51.100.1")
    assert not fits(view, peer="198.51.100.10")
    assert fits(view, spi=f"0x{THEIRS.hex()[:6].upper()}")
    assert fits(view, spi=f"{OURS.hex()}:{THEIRS.hex()}")
    assert not fits(view, spi="abcdef")
    assert fits(view, exchange="MAIN_MODE")
    assert not fits(view, exchange="QUICK_MODE")


def test_esp_fits_its_spi_and_no_exchange() -> None:
    esp = bytes([1, 2, 3, 4, 0, 0, 0, 9, 5])
    ends = Endpoint(ALICE, 4500), Endpoint(BOB, 4500)
    (view,) = message_views([Datagram(0, *ends, esp)])
    assert fits(view, spi="0102")
    assert not fits(view, spi="05")
    assert not fits(view, exchange="MAIN_MODE")
    assert brief(view).endswith("ESP in UDP  01020304  sequence 9, 9 B")
