"""What vendor IDs are called; the constants against the texts they are hashes of, and against what others know."""

from __future__ import annotations

import re
from hashlib import md5
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd.wire import vendor_ids
from ikevd.wire.payloads import VidPayload
from ikevd.wire.vendor_ids import is_dpd, is_fragmentation, is_ios, is_unity, name_of
from tests.wire.test_message import clear_messages

COOKIE = bytes.fromhex("0123456789abcdef")


def named(text: str) -> str:
    return name_of(bytes.fromhex(text), COOKIE)


# -- the constants ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("constant", "text", "octets"),
    [
        (vendor_ids.NAT_T_RFC_3947, "RFC 3947", 16),
        (vendor_ids.NAT_T_DRAFT_02, "draft-ietf-ipsec-nat-t-ike-02", 16),
        (vendor_ids.NAT_T_DRAFT_02_LF, "draft-ietf-ipsec-nat-t-ike-02\n", 16),
        (vendor_ids.NAT_T_DRAFT_03, "draft-ietf-ipsec-nat-t-ike-03", 16),
        (vendor_ids.NAT_T_DRAFT_04, "draft-ietf-ipsec-nat-t-ike-04", 16),
        (vendor_ids.NAT_T_DRAFT_05, "draft-ietf-ipsec-nat-t-ike-05", 16),
        (vendor_ids.NAT_T_DRAFT_06, "draft-ietf-ipsec-nat-t-ike-06", 16),
        (vendor_ids.NAT_T_DRAFT_07, "draft-ietf-ipsec-nat-t-ike-07", 16),
        (vendor_ids.NAT_T_DRAFT_08, "draft-ietf-ipsec-nat-t-ike-08", 16),
        (vendor_ids.XAUTH, "draft-ietf-ipsra-isakmp-xauth-06.txt", 8),
        (vendor_ids.DPD, "CISCO-DEAD-PEER-DETECTION", 14),
        (vendor_ids.CISCO_UNITY, "CISCO-UNITY", 14),
        (vendor_ids.FRAGMENTATION, "FRAGMENTATION", 16),
        (vendor_ids.WINDOWS, "MS NT5 ISAKMPOAKLEY", 16),
        (bytes.fromhex("882fe56d6fd20dbc2251613b2ebe5beb"), "strongSwan", 16),
    ],
)
def test_a_constant_is_the_hash_of_its_text(constant: bytes, text: str, octets: int) -> None:
    assert constant[:octets] == md5(text.encode()).digest()[:octets]


def test_the_versions_of_dpd_and_unity_are_1_0() -> None:
    assert vendor_ids.DPD[14:] == vendor_ids.CISCO_UNITY[14:] == b"\1\0"


# -- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vendor_id", "name"),
    [
        ("4a131c81070358455c5728f20e95452f", "NAT-T RFC 3947"),
        ("90cb80913ebb696e086381b5ec427b1f", "NAT-T draft-02 (LF)"),
        ("4485152d18b6bbcd0be8a8469579ddcc", "NAT-T draft-00"),
        ("4df37928e9fc4fd1b3262170d515c662", "NAT-T draft without a number (Mac OS X)"),
        ("27bab5dc01ea0760ea4e3190ac27c0d0", "NAT-T draft-stenberg-01"),
        ("09002689dfd6b712", "XAUTH"),
        ("afcad71368a1f1c96b8696fc77570100", "DPD 1.0"),
        ("afcad71368a1f1c96b8696fc77570201", "DPD 2.1"),
        ("12f5f28c457168a9702d9fe274cc0100", "Cisco Unity 1.0"),
        ("12f5f28c457168a9702d9fe274cc0204", "Cisco Unity 2.4"),
        ("4048b7d56ebce88525e7de7f00d6c2d3", "IKE fragmentation"),
        ("4048b7d56ebce88525e7de7f00d6c2d3c0000000", "IKE fragmentation c0000000"),
        ("1f07f70eaa6514d3b0fa96542a500407", "Cisco VPN 3000 4.0.7"),
        ("f6f7efc7f5aeb8cb158cb9d094ba69e7", "Cisco VPN 3000 client"),
        ("ade1e70e9953c1328373ebf0257b85ed", "Cisco PIX"),
        ("7003cbc1097dbe9c2600ba6983bc8b35", "racoon"),
        ("882fe56d6fd20dbc2251613b2ebe5beb", "strongSwan"),
        ("de5c703801952d85f6b3ed33b33784b4", "strongSwan 4.3.5"),
        ("5b362bc820f60007", "SonicWall"),
        ("da8e937880010000", "SonicWall"),
        ("1d6e178f6c2c0be284985465450fe9d4", "FortiGate"),
        (
            "f4ed19e0c114eb516faaac0ee37daf2807b4381f000000010000138d0000000000000000187f0000",
            "Check Point gateway, version 5005",
        ),
        ("f4ed19e0c114eb516faaac0ee37daf2807b4381f0000000200000000", "Check Point client, version 0"),
        ("699369228741c6d4ca094c93e242c9de19e7b7c60000000500000500", "NetScreen"),
        ("fd808804df73b15150709d878044cde0ac1efcde", "Juniper SRX"),
        ("1e2b516905991c7d7c96fcbfb587e46100000009", "Windows 8 or 2012"),
        ("1e2b516905991c7d7c96fcbfb587e461000000ff", "Windows (version 255)"),
        ("01528bbbc00696121849ab9a1c5b2a5100000001", "Windows (20 octets, version 1)"),
        ("b858d1addd08c1e8adafea150608aa4497aa6cc8", "ZyXEL ZyWALL"),
        ("f758f22668750f03b08df6ebe1d0", "ZyXEL ZyWALL USG 100"),
        (b"CISCO-DELETE-REASON".hex(), "CISCO-DELETE-REASON"),
        (b"CISCOVPN-REV-02".hex(), "CISCOVPN-REV-02"),
        (b"CISCO-DYNAMIC-ROUTE".hex(), "CISCO-DYNAMIC-ROUTE"),
        (b"FLEXVPN-SUPPORTED".hex(), "FLEXVPN-SUPPORTED"),
        (b"OE-Libreswan-4.10".hex(), "libreswan"),
        (b"OEhyLdACecfa".hex(), "Openswan, libreswan or FreeS/WAN"),
    ],
)
def test_a_vendor_id_is_called_what_operators_call_it(vendor_id: str, name: str) -> None:
    assert named(vendor_id) == name


def test_ios_is_known_by_its_own_cookie_whatever_that_is() -> None:
    mark = vendor_ids.ios_mark(COOKIE)
    assert name_of(mark + bytes(8), COOKIE) == "Cisco IOS device"
    assert name_of(mark + bytes(8), bytes(8)).startswith("unknown")
    assert not is_ios(mark[:7], COOKIE)


def test_an_unknown_one_is_shown_in_hex_and_as_text_if_it_is_text() -> None:
    assert named("c0ffee") == "unknown (c0ffee)"
    assert named("") == "an empty vendor ID"
    assert named(b"hello 1.0".hex()) == "unknown (68656c6c6f20312e30, hello 1.0)"
    assert named("ff" * 21) == f"unknown ({'ff' * 20}...)"


@given(st.binary(max_size=60))
def test_every_vendor_id_has_a_name_that_is_safe_to_print(vendor_id: bytes) -> None:
    assert name_of(vendor_id, COOKIE).isprintable()


# -- what an announcement means ---------------------------------------------------------------------------------------


def test_dpd_and_unity_are_announced_in_any_version() -> None:
    assert is_dpd(vendor_ids.DPD[:14] + b"\x09\x09")
    assert is_unity(vendor_ids.CISCO_UNITY[:14])
    assert not is_dpd(vendor_ids.CISCO_UNITY)
    assert not is_unity(vendor_ids.DPD[:13])


@pytest.mark.parametrize(
    ("capabilities", "announced"), [("", True), ("80000000", True), ("c0000000", True), ("40000000", False)]
)
def test_fragmentation_of_main_mode_is_announced_by_its_bit_or_without_capabilities(
    capabilities: str, announced: bool
) -> None:
    assert is_fragmentation(vendor_ids.FRAGMENTATION + bytes.fromhex(capabilities)) is announced


# -- what others know -------------------------------------------------------------------------------------------------

NOT_NAMED = re.compile(
    r"Netgear|Netscreen-|StoneGate|Teldat|avaya|SSH IPSEC Express 1|IKE Challenge.*(2|Revised)|draft-krywaniuk|"
    r"draft-ietf-ipsec-heartbeats|strongSwan .*(rc|dr)|Maybe|Unknown|Safenet or Watchguard|Windows$"
)
"""Of ike-scan's list: models of which only a hash is known, guesses, products long gone, test versions, and a pattern
that takes half an octet."""


def concrete(pattern: str) -> bytes:
    """One vendor ID that fits ike-scan's pattern: what is free there is set to letters."""
    literal = re.sub(r"\[\[:xdigit:\]\]\{(\d+)\}", lambda found: "4" * int(found[1]), pattern.strip().strip("^$"))
    literal = literal.replace(".", "4")
    return bytes.fromhex(literal + "4" * (len(literal) % 2))


def test_nearly_everything_that_ike_scan_knows_has_a_name(testdata: Path) -> None:
    lines = (testdata / "vectors" / "ike-scan-vendor-ids.txt").read_text().splitlines()
    rows = [re.split(r"\t+", line, maxsplit=1) for line in lines if line and not line.startswith("#")]
    unknown = [name for name, pattern in rows if name_of(concrete(pattern), COOKIE).startswith("unknown")]
    assert len(rows) > 450
    assert [name for name in unknown if not NOT_NAMED.match(name)] == []


def test_every_vendor_id_of_the_captures_has_a_name(testdata: Path) -> None:
    ios = 0
    for _, message in clear_messages(testdata):
        header = message.header
        sender = header.initiator if header.responder == bytes(8) else header.responder
        for payload in message.all(VidPayload):
            names = {name_of(payload.body, cookie) for cookie in (sender, header.initiator)}
            ios += "Cisco IOS device" in names
            named = [name for name in names if not name.startswith("unknown")]
            assert named or payload.body == bytes(12), payload.body.hex()
    assert ios == 4
