"""The header and the chain of payloads; real captures re-encode octet by octet."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd.errors import Malformed
from ikevd.wire.message import (
    HEADER_OCTETS,
    MAX_OFFERS,
    MAX_PAYLOADS,
    Header,
    Message,
    encode_chain,
    first_type,
)
from ikevd.wire.payloads import DeletePayload, NoncePayload, Payload, VidPayload
from ikevd.wire.registry import ExchangeType, Flags, PayloadType, Protocol
from ikevd.wire.sa import Proposal, SaPayload
from tests.wire.test_payloads import PAYLOADS

HEADER = Header(b"initiato", b"responde", PayloadType.VID, ExchangeType.MAIN_MODE, Flags.NONE, 0)


def datagram(*payloads: Payload) -> bytes:
    body = encode_chain(payloads)
    header = Header(b"initiato", b"responde", first_type(payloads), ExchangeType.MAIN_MODE, Flags.NONE, 0)
    return header.encode(len(body)) + body


def read(octets: bytes) -> Message:
    header = Header.decode_untrusted(octets)
    return Message.decode_untrusted(header, octets[HEADER_OCTETS : header.length])


# -- the header -------------------------------------------------------------------------------------------------------


@given(
    st.builds(
        Header,
        st.binary(min_size=8, max_size=8),
        st.binary(min_size=8, max_size=8),
        st.integers(0, 255).map(PayloadType),
        st.integers(0, 255).map(ExchangeType),
        st.integers(0, 255).map(Flags),
        st.integers(0, 2**32 - 1),
        st.integers(0, 255),
        st.just(HEADER_OCTETS + 3),
    )
)
def test_a_header_survives_encoding_whatever_its_fields(header: Header) -> None:
    assert Header.decode_untrusted(header.encode(3) + b"abc") == header


@pytest.mark.parametrize("size", [0, 1, 3, 27])
def test_fewer_octets_than_a_header_are_malformed(size: int) -> None:
    with pytest.raises(Malformed, match="ISAKMP header"):
        Header.decode_untrusted(HEADER.encode(0)[:size])


@pytest.mark.parametrize("length", [0, 27, 33, 2**32 - 1])
def test_a_length_that_is_not_that_of_the_datagram_is_malformed(length: int) -> None:
    octets = HEADER.encode(4)[:24] + length.to_bytes(4, "big") + b"body"
    with pytest.raises(Malformed, match=f"ISAKMP length is {length}, but the datagram has 32 octets"):
        Header.decode_untrusted(octets)


def test_up_to_16_zero_octets_may_trail() -> None:
    octets = datagram(VidPayload(b"id"))
    assert read(octets + bytes(16)).payloads == (VidPayload(b"id"),)
    for trailer in (bytes(17), b"\1", bytes(15) + b"\1"):
        with pytest.raises(Malformed):
            read(octets + trailer)


def test_ikev2_and_unknown_exchanges_are_told_by_name() -> None:
    octets = bytearray(HEADER.encode(0))
    octets[17:19] = 0x20, 34
    header = Header.decode_untrusted(bytes(octets))
    assert (header.major, str(header.exchange)) == (2, "IKE_SA_INIT")
    octets[18] = 77
    assert str(Header.decode_untrusted(bytes(octets)).exchange) == "EXCHANGETYPE_77"


# -- the chain --------------------------------------------------------------------------------------------------------


def is_few_offers(payloads: list[Payload]) -> bool:
    return sum(payload.TYPE == PayloadType.SA for payload in payloads) <= MAX_OFFERS


@given(st.lists(PAYLOADS, max_size=6).filter(is_few_offers))
def test_a_message_survives_encoding(payloads: list[Payload]) -> None:
    message = read(datagram(*payloads))
    assert message.payloads == tuple(payloads)
    assert encode_chain(message.payloads) == message.chain


@given(st.binary(max_size=200))
def test_any_octets_are_a_message_or_malformed(octets: bytes) -> None:
    for first in (octets, HEADER.encode(len(octets)) + octets):
        with suppress(Malformed):
            read(first)


@given(st.lists(PAYLOADS, min_size=1, max_size=4), st.data())
def test_a_message_cut_or_with_one_octet_changed_is_a_message_or_malformed(
    payloads: list[Payload], data: st.DataObject
) -> None:
    octets = bytearray(datagram(*payloads))
    octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    for candidate in (bytes(octets), bytes(octets[: data.draw(st.integers(0, len(octets)))])):
        with suppress(Malformed):
            read(candidate)


@pytest.mark.parametrize(
    ("chain", "said"),
    [
        ("00 01 0006 6964", r"reserved octet of payload 1 \(VID\) is 1, not 0"),
        ("00 00 0000", "VID payload with length 0; at least 4"),
        ("00 00 0003", "VID payload with length 3; at least 4"),
        ("00 00 0007 6964", "3 octets wanted, 2 left"),
        ("00 00 ffff 6964", "65531 octets wanted"),
        ("0d 00 0006 6964", "4 octets wanted, 0 left"),
        ("", "4 octets wanted, 0 left"),
    ],
)
def test_a_chain_that_does_not_add_up_is_malformed(chain: str, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        Message.decode_untrusted(HEADER, bytes.fromhex(chain))


def test_a_message_holds_no_more_payloads_than_anyone_sends() -> None:
    assert len(read(datagram(*[VidPayload(b"")] * MAX_PAYLOADS)).payloads) == MAX_PAYLOADS
    with pytest.raises(Malformed, match="more than 64 payloads"):
        read(datagram(*[VidPayload(b"")] * (MAX_PAYLOADS + 1)))


DELETE_OF_MANY = DeletePayload(Protocol.ESP, (b"spi!",) * 512)


def test_a_message_holds_no_more_parts_than_anyone_sends() -> None:
    """Payloads, transforms, attributes and SPIs are counted together."""
    assert len(read(datagram(DELETE_OF_MANY, DELETE_OF_MANY)).payloads) == 2
    with pytest.raises(Malformed, match="more than 1024 payloads, transforms, attributes and SPIs"):
        read(datagram(DELETE_OF_MANY, DELETE_OF_MANY, VidPayload(b"")))


def test_a_message_holds_no_more_offers_than_can_be_told_from_one() -> None:
    offer = SaPayload((Proposal(1, Protocol.ISAKMP, b"", ()),))
    assert len(read(datagram(offer, offer)).all(SaPayload)) == 2
    with pytest.raises(Malformed, match="more than 2 SA payloads"):
        read(datagram(offer, offer, offer))


def test_octets_behind_the_last_payload_are_padding_whatever_they_hold() -> None:
    chain = encode_chain([VidPayload(b"id")])
    message = Message.decode_untrusted(HEADER, chain + b"\x91\x07\x22\x07")
    assert message.chain == chain


def test_what_must_stand_once_stands_once() -> None:
    nonce = NoncePayload(bytes(16))
    assert read(datagram(nonce)).one(NoncePayload) == nonce
    assert read(datagram(VidPayload(b""))).at_most_one(NoncePayload) is None
    for octets, found in (
        (datagram(VidPayload(b"")), "no NONCE payload"),
        (datagram(nonce, nonce), "2 NONCE payloads"),
    ):
        with pytest.raises(Malformed, match=f"{found} in MAIN_MODE; exactly one is wanted"):
            read(octets).one(NoncePayload)
    with pytest.raises(Malformed, match="2 NONCE payloads"):
        read(datagram(nonce, nonce)).at_most_one(NoncePayload)


def test_what_a_hash_covers_is_all_behind_the_first_payload_without_padding() -> None:
    chain = encode_chain([VidPayload(b"first"), VidPayload(b"second")])
    assert Message.decode_untrusted(HEADER, chain + bytes(5)).after_first == encode_chain([VidPayload(b"second")])


# -- what others sent -------------------------------------------------------------------------------------------------


def captured(testdata: Path, *prefixes: str) -> list[bytes]:
    """The ISAKMP datagrams of the shared captures, the non-ESP marker of port 4500 taken off."""
    found: dict[bytes, None] = {}
    for path in sorted((testdata / "messages").glob("*.json")):
        if not path.name.startswith(prefixes) or "synthetic" in path.name:
            continue
        for row in json.loads(path.read_text())["messages"]:
            octets = bytes.fromhex(row["payload"])
            marked = 4500 in (row["sport"], row["dport"]) and octets.startswith(bytes(4))
            found[octets[4:] if marked else octets] = None
    return list(found)


def clear_messages(testdata: Path) -> list[tuple[bytes, Message]]:
    """All but one file of the captures: that one is synthetic and holds SA payloads without a proposal."""
    found = []
    for octets in captured(testdata, "no-keys__", "openswan__", "with-keys__"):
        try:
            header = Header.decode_untrusted(octets)
        except Malformed:
            continue  # ESP in UDP, a NAT keep-alive
        if header.version == 0x10 and not header.encrypted:
            found.append((octets, Message.decode_untrusted(header, octets[HEADER_OCTETS : header.length])))
    return found


def test_every_clear_message_of_the_captures_re_encodes_octet_by_octet(testdata: Path) -> None:
    messages = clear_messages(testdata)
    assert len(messages) >= 50
    for octets, message in messages:
        body = encode_chain(message.payloads)
        assert message.header.encode(len(body)) + body == octets[: message.header.length]


def test_every_offer_of_the_captures_re_encodes_from_its_fields(testdata: Path) -> None:
    offers = [sa for _, message in clear_messages(testdata) for sa in message.all(SaPayload)]
    assert len(offers) >= 30
    for sa in offers:
        assert sa.encode() == sa.body


def test_what_crashed_other_parsers_raises_malformed_only(testdata: Path) -> None:
    octets = captured(testdata, "malformed__", "ikev2__")
    octets += [p.read_bytes() for p in sorted((testdata / "datagrams").rglob("*")) if p.is_file()]
    malformed = 0
    for each in octets:
        try:
            read(each)
        except Malformed:
            malformed += 1
    assert malformed >= 5
