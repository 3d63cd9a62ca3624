"""Each payload: what it holds, what it refuses, and that it re-encodes as it came."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd.errors import Malformed
from ikevd.wire.attributes import Attribute
from ikevd.wire.certificates import CertEncoding
from ikevd.wire.message import encode_chain
from ikevd.wire.modecfg import ConfigAttribute, ConfigType
from ikevd.wire.payloads import (
    AttributesPayload,
    CertPayload,
    CertReqPayload,
    DeletePayload,
    FragmentPayload,
    HashPayload,
    IdPayload,
    KePayload,
    NatDPayload,
    NatOaPayload,
    NoncePayload,
    NotifyPayload,
    Opaque,
    Payload,
    SigPayload,
    VidPayload,
    decode_payload,
)
from ikevd.wire.registry import Doi, IdType, NotifyType, PayloadType, Protocol
from tests.wire.test_attributes import ATTRIBUTES
from tests.wire.test_sa import OFFERS

DOIS = st.integers(0, 2**32 - 1).map(Doi)
ANY = st.binary(max_size=300)


def spis_of(size: int) -> st.SearchStrategy[tuple[bytes, ...]]:
    return st.lists(st.binary(min_size=size, max_size=size), min_size=1, max_size=5).map(tuple)


UNREAD = [PayloadType.NAT_D_DRAFT_04, PayloadType.NAT_OA_DRAFT_04, PayloadType(19), PayloadType(255)]
NAT_D = [PayloadType.NAT_D, PayloadType.NAT_D_DRAFT]
NAT_OA = st.sampled_from([PayloadType.NAT_OA, PayloadType.NAT_OA_DRAFT])
OCTET = st.integers(0, 255)
U16 = st.integers(0, 65535)
PAYLOADS: st.SearchStrategy[Payload] = st.one_of(
    OFFERS,
    st.builds(KePayload, ANY),
    st.builds(NoncePayload, st.binary(min_size=8, max_size=256)),
    st.builds(HashPayload, ANY),
    st.builds(VidPayload, ANY),
    st.builds(IdPayload, st.integers(0, 255).map(IdType), st.integers(0, 255), st.integers(0, 65535), ANY),
    st.builds(
        NotifyPayload,
        st.integers(0, 255).map(Protocol),
        st.integers(0, 65535).map(NotifyType),
        st.binary(max_size=255),
        ANY,
        DOIS,
    ),
    st.builds(DeletePayload, st.just(Protocol.ISAKMP), spis_of(16), DOIS),
    st.builds(DeletePayload, st.sampled_from([Protocol.ESP, Protocol.AH]), spis_of(4), DOIS),
    st.builds(DeletePayload, st.just(Protocol(9)), spis_of(2), DOIS),
    st.builds(CertPayload, OCTET.map(CertEncoding), ANY),
    st.builds(CertReqPayload, OCTET.map(CertEncoding), ANY),
    st.builds(SigPayload, ANY),
    st.builds(AttributesPayload, OCTET.map(ConfigType), U16, st.lists(ATTRIBUTES, max_size=4).map(tuple), OCTET),
    st.builds(FragmentPayload, U16, OCTET, OCTET, st.binary(min_size=1, max_size=300)),
    st.builds(NatOaPayload, NAT_OA, st.just(IdType.IPV4_ADDR), st.binary(min_size=4, max_size=4)),
    st.builds(NatOaPayload, NAT_OA, st.just(IdType.IPV6_ADDR), st.binary(min_size=16, max_size=16)),
    st.builds(NatDPayload, st.sampled_from(NAT_D), ANY),
    st.builds(Opaque, st.sampled_from(UNREAD), ANY),
)


@given(PAYLOADS)
def test_a_payload_survives_encoding(payload: Payload) -> None:
    again = decode_payload(payload.TYPE, payload.body)
    assert again == payload
    assert again.body == payload.body


@given(st.integers(0, 255).map(PayloadType), ANY)
def test_any_body_is_read_and_re_encodes_as_it_came_or_is_malformed(kind: PayloadType, body: bytes) -> None:
    with suppress(Malformed):
        assert decode_payload(kind, body).body == body


@pytest.mark.parametrize("kind", UNREAD)
def test_a_payload_that_nobody_reads_stays_opaque_with_its_number(kind: PayloadType) -> None:
    payload = decode_payload(kind, b"whatever")
    assert payload == Opaque(kind, b"whatever")
    assert kind == payload.TYPE


@pytest.mark.parametrize("kind", [*NAT_D, PayloadType.NAT_D_DRAFT_04])
def test_a_nat_d_payload_goes_out_with_the_number_of_its_draft(kind: PayloadType) -> None:
    assert encode_chain([NatDPayload(kind, b"hash"), NatDPayload(kind, b"")])[0] == kind


@pytest.mark.parametrize("size", [0, 7, 257])
def test_a_nonce_has_8_to_256_octets(size: int) -> None:
    with pytest.raises(Malformed, match=f"nonce of {size} octets; 8 to 256 are wanted"):
        NoncePayload.decode(bytes(size))


@pytest.mark.parametrize("body", ["", "01", "010000"])
def test_an_id_that_ends_early_is_malformed(body: str) -> None:
    with pytest.raises(Malformed, match="ID payload"):
        IdPayload.decode(bytes.fromhex(body))


def test_a_notification_whose_spi_is_longer_than_itself_is_malformed() -> None:
    with pytest.raises(Malformed, match="16 octets wanted, 4 left"):
        NotifyPayload.decode(bytes.fromhex("00000001 01 10 6002 deadbeef"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("00000001 03 04 0002 deadbeef", "announces 2 SPIs of 4 octets and holds 4"),
        ("00000001 03 04 0001 deadbeefdeadbeef", "announces 1 SPIs of 4 octets and holds 8"),
        ("00000001 03 04 ffff", "announces 65535 SPIs"),
        ("00000001 03 04 0000", "announces 0 SPIs"),
        ("00000001 09 00 ffff", "announces 65535 SPIs of 0 octets"),
        ("00000001 03 10 0001 00112233445566778899aabbccddeeff", "for ESP with SPIs of 16 octets, not 4"),
        ("00000001 01 04 0001 deadbeef", "for ISAKMP with SPIs of 4 octets, not 16"),
        ("00000001 03", "delete payload"),
        ("00000001 03 04 0201" + 513 * "deadbeef", "delete payload with 513 SPIs; at most 512 are wanted"),
    ],
)
def test_a_delete_whose_counts_lie_is_malformed(body: str, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        DeletePayload.decode(bytes.fromhex(body))


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        (PayloadType.CERT, "", "certificate payload: 1 octets wanted, 0 left"),
        (PayloadType.CERTREQ, "", "certificate request payload: 1 octets wanted, 0 left"),
        (PayloadType.NAT_OA, "01000000 0a0000", "NAT-OA payload of type IPV4_ADDR with 3 octets, not 4"),
        (PayloadType.NAT_OA_DRAFT, "05000000 0a000001", "NAT-OA payload of type IPV6_ADDR with 4 octets, not 16"),
        (PayloadType.NAT_OA, "0100", "NAT-OA payload: 3 octets wanted, 1 left"),
        (PayloadType.FRAGMENT, "00010101", "fragment payload without data"),
        (PayloadType.FRAGMENT, "000101", "fragment payload: 1 octets wanted, 0 left"),
        (PayloadType.ATTRIBUTES, "0100beef 4089 0005 75736572", "attributes payload: 5 octets wanted, 4 left"),
    ],
)
def test_a_payload_that_ends_early_or_lies_about_a_length_is_malformed(kind: PayloadType, body: str, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        decode_payload(kind, bytes.fromhex(body))


def test_nat_oa_gives_the_address_in_it() -> None:
    oa = NatOaPayload.decode(bytes.fromhex("01000000 0a000001"))
    assert (oa.TYPE, str(oa.address)) == (PayloadType.NAT_OA, "10.0.0.1")
    oa = NatOaPayload.decode_draft(bytes.fromhex("05000000 20010db8000000000000000000000001"))
    assert (oa.TYPE, str(oa.address)) == (PayloadType.NAT_OA_DRAFT, "2001:db8::1")
    assert NatOaPayload.decode(bytes.fromhex("02000000 6162")).address is None


def test_a_fragment_tells_whether_it_is_the_last() -> None:
    assert FragmentPayload.decode(bytes.fromhex("0001 02 01 ff")).last
    assert not FragmentPayload.decode(bytes.fromhex("0001 01 00 ff")).last


def test_secrets_and_proofs_do_not_show_in_a_repr() -> None:
    password = Attribute(ConfigAttribute.XAUTH_USER_PASSWORD, b"UUUU", basic=False)
    hidden = [KePayload(b"UUUU"), HashPayload(b"UUUU"), SigPayload(b"UUUU")]
    assert "UUUU" not in repr([*hidden, AttributesPayload(ConfigType.REPLY, 1, (password,))])
