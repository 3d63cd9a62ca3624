"""The tree of a message: every field by name."""

from __future__ import annotations

from typing import Any

import pytest

from ikevd.dissect.decode import decoded, lazily_decoded
from ikevd.dissect.lazy import pieces
from ikevd.dissect.outline import outline
from ikevd.wire import vendor_ids
from ikevd.wire.attributes import Attribute
from ikevd.wire.certificates import CertEncoding
from ikevd.wire.message import Header, encode_chain, first_type
from ikevd.wire.modecfg import ConfigAttribute, ConfigType
from ikevd.wire.payloads import (
    AttributesPayload,
    CertPayload,
    CertReqPayload,
    DeletePayload,
    FragmentPayload,
    IdPayload,
    KePayload,
    NatDPayload,
    NatOaPayload,
    NotifyPayload,
    Opaque,
    Payload,
    VidPayload,
)
from ikevd.wire.registry import (
    AuthMethod,
    Cipher,
    Doi,
    EspTransform,
    ExchangeType,
    Flags,
    Group,
    IdType,
    IkeAttribute,
    Integrity,
    IpsecAttribute,
    NotifyType,
    PayloadType,
    Protocol,
)
from ikevd.wire.sa import Proposal, SaPayload, Transform

INITIATOR, RESPONDER = b"initiato", b"responde"


def datagram(*payloads: Payload, flags: Flags = Flags.NONE, version: int = 0x10) -> bytes:
    body = encode_chain(payloads)
    header = Header(INITIATOR, RESPONDER, first_type(payloads), ExchangeType.QUICK_MODE, flags, 7, version)
    return header.encode(len(body)) + body


def fields(payload: Payload) -> dict[str, Any]:
    """Of one payload, behind its type and length."""
    (view,) = decoded(datagram(payload))["payloads"]
    assert view.pop("payload") == {"name": str(payload.TYPE), "number": int(payload.TYPE)}
    assert view.pop("length") == len(payload.body) + 4
    return dict(view)


def number(name: str, value: int) -> dict[str, Any]:
    return {"name": name, "number": value}


# -- the message ------------------------------------------------------------------------------------------------------


def test_the_header_is_told_field_by_field() -> None:
    octets = datagram(VidPayload(b"id"), flags=Flags.COMMIT)
    assert decoded(octets)["header"] == {
        "initiator_cookie": INITIATOR.hex(),
        "responder_cookie": RESPONDER.hex(),
        "next_payload": number("VID", 13),
        "version": "1.0",
        "exchange": number("QUICK_MODE", 32),
        "flags": ["COMMIT"],
        "message_id": "00000007",
        "length": len(octets),
    }


def test_flags_without_a_name_are_told_by_their_bits() -> None:
    assert decoded(datagram(flags=Flags(0x85)))["header"]["flags"] == ["ENCRYPTION", "AUTHENTICATION_ONLY", "0x80"]


def test_an_encrypted_body_is_told_by_its_length() -> None:
    view = decoded(datagram(VidPayload(b"id"), flags=Flags.ENCRYPTION))
    assert view["encrypted"] == 6
    assert "payloads" not in view


def test_an_encrypted_body_is_opened_where_its_payloads_are_known() -> None:
    clear = encode_chain([VidPayload(b"id")])
    header = Header(INITIATOR, RESPONDER, PayloadType.VID, ExchangeType.QUICK_MODE, Flags.ENCRYPTION, 7)
    view = decoded(header.encode(16) + bytes(16), clear)
    assert view["encrypted"] == 16
    assert view["payloads"][0]["data"]["text"] == "id"


def test_another_major_version_is_not_read() -> None:
    view = decoded(datagram(VidPayload(b"id"), version=0x20))
    assert view["not_decoded"] == "6 octets of version 2; only those of version 1 are read"
    assert "payloads" not in view


def test_padding_and_a_trailer_are_counted() -> None:
    body = encode_chain([VidPayload(b"id")]) + b"\1\2\3"
    header = Header(INITIATOR, RESPONDER, PayloadType.VID, ExchangeType.MAIN_MODE, Flags.NONE, 0)
    view = decoded(header.encode(len(body)) + body + bytes(16))
    assert (view["padding"], view["trailer"]) == (3, 16)


def test_what_comes_before_a_malformed_payload_is_told() -> None:
    octets = datagram(VidPayload(b"first"), Opaque(PayloadType.NONCE, b"short"))
    view = decoded(octets)
    assert [payload["payload"]["name"] for payload in view["payloads"]] == ["VID"]
    assert view["malformed"] == "nonce of 5 octets; 8 to 256 are wanted"


def test_no_header_at_all_is_malformed() -> None:
    assert decoded(b"abc") == {"octets": 3, "malformed": "ISAKMP header: 28 octets wanted, 3 left"}


# -- payloads ---------------------------------------------------------------------------------------------------------

IKE_TRANSFORM = Transform(
    1,
    1,
    (
        Attribute.number(IkeAttribute.ENCRYPTION, Cipher.AES_CBC),
        Attribute.number(IkeAttribute.KEY_LENGTH, 256),
        Attribute.number(IkeAttribute.AUTH_METHOD, AuthMethod.XAUTH_INIT_PSK),
        Attribute.number(IkeAttribute.GROUP, Group(99)),
        Attribute.number(IkeAttribute.LIFE_DURATION, 86400),
        Attribute(16384, bytes(9), basic=False),
    ),
)
ESP_TRANSFORM = Transform(
    2, EspTransform.AES_GCM_16, (Attribute.number(IpsecAttribute.AUTHENTICATION, Integrity.HMAC_SHA2_256),)
)


def test_an_offer_is_told_down_to_its_attributes() -> None:
    offer = SaPayload((Proposal(1, Protocol.ISAKMP, b"", (IKE_TRANSFORM,)),))
    assert fields(offer) == {
        "doi": number("IPSEC", 1),
        "situation": 1,
        "proposals": [
            {
                "proposal": 1,
                "protocol": number("ISAKMP", 1),
                "spi": "",
                "transforms": [
                    {
                        "transform": 1,
                        "id": number("KEY_IKE", 1),
                        "attributes": [
                            {"attribute": number("ENCRYPTION", 1), "value": number("AES_CBC", 7), "basic": True},
                            {"attribute": number("KEY_LENGTH", 14), "value": 256, "basic": True},
                            {
                                "attribute": number("AUTH_METHOD", 3),
                                "value": number("XAUTH_INIT_PSK", 65001),
                                "basic": True,
                            },
                            {"attribute": number("GROUP", 4), "value": number("GROUP_99", 99), "basic": True},
                            {"attribute": number("LIFE_DURATION", 12), "value": 86400, "basic": False},
                            {
                                "attribute": number("IKEATTRIBUTE_16384", 16384),
                                "value": {"octets": 9, "hex": "00" * 9},
                                "basic": False,
                            },
                        ],
                    }
                ],
            }
        ],
    }


def test_the_attributes_of_esp_are_those_of_the_ipsec_doi() -> None:
    (proposal,) = fields(SaPayload((Proposal(1, Protocol.ESP, b"\1\2\3\4", (ESP_TRANSFORM,)),)))["proposals"]
    assert proposal["spi"] == "01020304"
    (transform,) = proposal["transforms"]
    assert transform["id"] == number("AES_GCM_16", 20)
    assert transform["attributes"] == [
        {"attribute": number("AUTHENTICATION", 5), "value": number("HMAC_SHA2_256", 5), "basic": True}
    ]


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [
        (IdType.IPV4_ADDR, "c0000201", "192.0.2.1"),
        (IdType.IPV6_ADDR, "20010db8000000000000000000000001", "2001:db8::1"),
        (IdType.IPV4_SUBNET, "0a010000ffff0000", "10.1.0.0/16"),
        (IdType.IPV4_SUBNET, "0000000000000000", "0.0.0.0/0"),
        (IdType.IPV4_SUBNET, "0a010000ff00ff00", "10.1.0.0 mask 255.0.255.0"),
        (IdType.IPV6_SUBNET, "20010db8" + "00" * 12 + "ffffffff" + "00" * 12, "2001:db8::/32"),
        (IdType.IPV4_RANGE, "0a0000010a000009", "10.0.0.1 - 10.0.0.9"),
        (IdType.IPV6_RANGE, "00" * 15 + "01" + "00" * 15 + "02", "::1 - ::2"),
        (IdType.IPV4_ADDR, "c00002", {"octets": 3, "hex": "c00002"}),
        (IdType.FQDN, b"gw".hex(), {"octets": 2, "hex": "6777", "text": "gw"}),
        (IdType.DER_ASN1_DN, "3000", {"octets": 2, "hex": "3000"}),
    ],
)
def test_an_identity_is_told_in_the_usual_notation(kind: IdType, data: str, value: object) -> None:
    payload = IdPayload(kind, 17, 500, bytes.fromhex(data))
    assert fields(payload) == {"type": number(str(kind), int(kind)), "protocol": 17, "port": 500, "value": value}


ESP_HEAD = {"doi": number("IPSEC", 1), "protocol": number("ESP", 3)}


@pytest.mark.parametrize(
    ("payload", "view"),
    [
        (
            NotifyPayload(Protocol.ESP, NotifyType.NO_PROPOSAL_CHOSEN, b"\1\2\3\4", b"\xff"),
            {
                **ESP_HEAD,
                "type": number("NO_PROPOSAL_CHOSEN", 14),
                "spi": "01020304",
                "data": {"octets": 1, "hex": "ff"},
            },
        ),
        (
            NotifyPayload(Protocol.ESP, NotifyType.R_U_THERE, b"", bytes(3) + b"\7"),
            {**ESP_HEAD, "type": number("R_U_THERE", 36136), "spi": "", "sequence": 7},
        ),
        (
            NotifyPayload(Protocol.ESP, NotifyType.REPLAY_STATUS, b"", bytes(3) + b"\1"),
            {**ESP_HEAD, "type": number("REPLAY_STATUS", 24577), "spi": "", "replay": 1},
        ),
        (
            NotifyPayload(Protocol.ESP, NotifyType.RESPONDER_LIFETIME, b"", bytes.fromhex("80010001 80020e10")),
            {
                **ESP_HEAD,
                "type": number("RESPONDER_LIFETIME", 24576),
                "spi": "",
                "attributes": [
                    {"attribute": number("LIFE_TYPE", 1), "value": number("SECONDS", 1), "basic": True},
                    {"attribute": number("LIFE_DURATION", 2), "value": 3600, "basic": True},
                ],
            },
        ),
        (
            NotifyPayload(Protocol.ESP, NotifyType.RESPONDER_LIFETIME, b"", b"\x80"),
            {**ESP_HEAD, "type": number("RESPONDER_LIFETIME", 24576), "spi": "", "data": {"octets": 1, "hex": "80"}},
        ),
        (
            NotifyPayload(Protocol.ESP, NotifyType.INITIAL_CONTACT),
            {**ESP_HEAD, "type": number("INITIAL_CONTACT", 24578), "spi": ""},
        ),
    ],
)
def test_a_notification_is_told_with_what_its_data_mean(payload: Payload, view: dict[str, Any]) -> None:
    assert fields(payload) == view


@pytest.mark.parametrize(
    ("payload", "view"),
    [
        (
            DeletePayload(Protocol.ESP, (b"\0\0\0\1", b"\0\0\0\2"), Doi.ISAKMP),
            {"doi": number("ISAKMP", 0), "protocol": number("ESP", 3), "spis": ["00000001", "00000002"]},
        ),
        (KePayload(b"\xff"), {"data": {"octets": 1, "hex": "ff"}}),
        (NatDPayload(PayloadType.NAT_D_DRAFT, b"\xff"), {"data": {"octets": 1, "hex": "ff"}}),
        (
            NatOaPayload(PayloadType.NAT_OA, IdType.IPV4_ADDR, b"\x0a\0\0\1"),
            {"type": number("IPV4_ADDR", 1), "value": "10.0.0.1"},
        ),
        (
            CertPayload(CertEncoding.X509_SIGNATURE, b"\xff"),
            {"encoding": number("X509_SIGNATURE", 4), "data": {"octets": 1, "hex": "ff"}},
        ),
        (
            CertReqPayload(CertEncoding.CRL, b""),
            {"encoding": number("CRL", 7), "authority": {"octets": 0, "hex": ""}},
        ),
        (
            FragmentPayload(1, 2, 1, b"\0"),
            {"id": 1, "fragment": 2, "flags": 1, "last": True, "data": {"octets": 1, "hex": "00"}},
        ),
        (Opaque(PayloadType(99), b"\xff"), {"data": {"octets": 1, "hex": "ff"}}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_payloads_are_told_field_by_field(payload: Payload, view: dict[str, Any]) -> None:
    assert fields(payload) == view


@pytest.mark.parametrize("sender", [INITIATOR, RESPONDER])
def test_a_vendor_id_has_its_name_whichever_side_sent_it(sender: bytes) -> None:
    assert fields(VidPayload(vendor_ids.ios_mark(sender) + bytes(8)))["name"] == "Cisco IOS device"
    assert fields(VidPayload(vendor_ids.XAUTH))["name"] == "XAUTH"


def test_settings_of_mode_config_are_told_by_name() -> None:
    found = (
        Attribute(ConfigAttribute.INTERNAL_IP4_ADDRESS, bytes.fromhex("0a000001"), basic=False),
        Attribute(ConfigAttribute.XAUTH_STATUS, b"\0\1", basic=True),
        Attribute(ConfigAttribute.XAUTH_USER_NAME, b"mo", basic=False),
    )
    view = fields(AttributesPayload(ConfigType.REPLY, 9, found))
    assert view["type"] == number("REPLY", 2)
    assert view["identifier"] == 9
    assert [(item["attribute"]["name"], item["value"]) for item in view["attributes"]] == [
        ("INTERNAL_IP4_ADDRESS", "10.0.0.1"),
        ("XAUTH_STATUS", 1),
        ("XAUTH_USER_NAME", {"octets": 2, "hex": "6d6f", "text": "mo"}),
    ]


# -- as text ----------------------------------------------------------------------------------------------------------


def test_the_outline_has_one_line_for_each_field() -> None:
    view = decoded(datagram(SaPayload((Proposal(1, Protocol.ESP, b"", (ESP_TRANSFORM,)),)), KePayload(bytes(65))))
    assert outline(view, "  ").splitlines()[9:] == [
        "    length: 129",
        "  SA (1), 32 octets",
        "    DOI: IPSEC (1)",
        "    situation: 1",
        "    proposal 1",
        "      protocol: ESP (3)",
        "      SPI: none",
        "      transform 2",
        "        ID: AES_GCM_16 (20)",
        "        AUTHENTICATION (5): HMAC_SHA2_256 (5)",
        "  KE (4), 69 octets",
        f"    data: 65 octets {'00' * 64}...",
    ]


def test_one_step_of_a_lazy_tree_tells_no_more_than_one_attribute_or_the_octets_of_one_payload() -> None:
    attributes = tuple(Attribute(1000 + number, b"\x00\x01", basic=True) for number in range(20))
    transforms = tuple(Transform(number, 12, attributes) for number in range(40))
    offer = SaPayload((Proposal(1, Protocol.ESP, b"abcd", transforms),))
    steps = list(pieces(lazily_decoded(datagram(offer, Opaque(PayloadType(200), bytes(50_000))))))
    assert sum(step.count('"basic"') for step in steps) == 800
    assert max(step.count('"basic"') for step in steps) == 1
    assert max(map(len, steps)) < 2 * 50_000 + 200
