"""Vendor IDs that peers send, with the names that operators know them by.

Sources: RFC 3947 section 3.1, RFC 3706 section 5, draft-beaulieu-ike-xauth-02 section 2, [MS-IKEE], and what products
were seen to send.
"""

from __future__ import annotations

from collections.abc import Iterator

from ikevd.wire.vendor_names import PREFIXES, hashed

NAT_T_RFC_3947 = bytes.fromhex("4a131c81070358455c5728f20e95452f")
NAT_T_DRAFT_08 = bytes.fromhex("8f8d83826d246b6fc7a8a6a428c11de8")
NAT_T_DRAFT_07 = bytes.fromhex("439b59f8ba676c4c7737ae22eab8f582")
NAT_T_DRAFT_06 = bytes.fromhex("4d1e0e136deafa34c4f3ea9f02ec7285")
NAT_T_DRAFT_05 = bytes.fromhex("80d0bb3def54565ee84645d4c85ce3ee")
NAT_T_DRAFT_04 = bytes.fromhex("9909b64eed937c6573de52ace952fa6b")
NAT_T_DRAFT_03 = bytes.fromhex("7d9419a65310ca6f2c179d9215529d56")
NAT_T_DRAFT_02 = bytes.fromhex("cd60464335df21f87cfdb2fc68b6a448")
NAT_T_DRAFT_02_LF = bytes.fromhex("90cb80913ebb696e086381b5ec427b1f")
"""The hash of the draft's name with a newline behind it: what most implementations send."""
XAUTH = bytes.fromhex("09002689dfd6b712")
DPD = bytes.fromhex("afcad71368a1f1c96b8696fc77570100")
CISCO_UNITY = bytes.fromhex("12f5f28c457168a9702d9fe274cc0100")
"""Of DPD and Unity the last two octets are the version, 1.0; `is_dpd` and `is_unity` take any."""
FRAGMENTATION = bytes.fromhex("4048b7d56ebce88525e7de7f00d6c2d3")
"""Four octets of capabilities may follow: 80000000 for Main and Aggressive Mode, 40000000 for Base Mode."""
WINDOWS = bytes.fromhex("1e2b516905991c7d7c96fcbfb587e461")
"""Four octets of version follow."""

_VERSION_AT = 14
_DPD, _CISCO_UNITY = DPD[:_VERSION_AT], CISCO_UNITY[:_VERSION_AT]
_ALTIGA = bytes.fromhex("1f07f70eaa6514d3b0fa96542a")
"""The beginning of the hash of `ALTIGA GATEWAY`; three octets of version follow."""
_CHECK_POINT = bytes.fromhex("f4ed19e0c114eb516faaac0ee37daf2807b4381f")
_WINDOWS_LATER = bytes.fromhex("01528bbbc00696121849ab9a1c5b2a51")
_IOS_MASK = 0xF5C7A71D00010000
_PLUTO_OCTETS = 12

_PREFIXES = {bytes.fromhex(start): name for start, name in PREFIXES.items()}
_EXACT = {
    DPD: "DPD 1.0",
    NAT_T_RFC_3947: "NAT-T RFC 3947",
    NAT_T_DRAFT_08: "NAT-T draft-08",
    NAT_T_DRAFT_07: "NAT-T draft-07",
    NAT_T_DRAFT_06: "NAT-T draft-06",
    NAT_T_DRAFT_05: "NAT-T draft-05",
    NAT_T_DRAFT_04: "NAT-T draft-04",
    NAT_T_DRAFT_03: "NAT-T draft-03",
    NAT_T_DRAFT_02: "NAT-T draft-02",
    NAT_T_DRAFT_02_LF: "NAT-T draft-02 (LF)",
}
_WINDOWS_NAMES = {
    2: "2000",
    3: "XP",
    4: "XP SP2 or 2003",
    5: "Vista",
    6: "Vista SP1 or 2008",
    7: "7",
    8: "7 or 2008 R2",
    9: "8 or 2012",
}
_CHECK_POINT_PRODUCTS = {1: "gateway", 2: "client"}


def is_dpd(vendor_id: bytes) -> bool:
    """Does it announce dead peer detection, of whatever version?"""
    return vendor_id.startswith(_DPD)


def is_unity(vendor_id: bytes) -> bool:
    """Does it announce Cisco Unity, of whatever version?"""
    return vendor_id.startswith(_CISCO_UNITY)


def is_fragmentation(vendor_id: bytes) -> bool:
    """Does it announce fragmentation in Main and Aggressive Mode? Without capabilities it does (Windows, racoon)."""
    capabilities = vendor_id[len(FRAGMENTATION) :]
    return vendor_id.startswith(FRAGMENTATION) and (not capabilities or bool(capabilities[0] & 0x80))


def is_ios(vendor_id: bytes, sender_cookie: bytes) -> bool:
    """IOS sends a vendor ID that begins with its own cookie, masked: another one in each negotiation."""
    return len(vendor_id) >= 8 and vendor_id[:8] == ios_mark(sender_cookie)


def ios_mark(sender_cookie: bytes) -> bytes:
    """The first 8 octets of the vendor ID that IOS sends beside its cookie."""
    return (int.from_bytes(sender_cookie, "big") ^ _IOS_MASK).to_bytes(8, "big")


def name_of(vendor_id: bytes, sender_cookie: bytes) -> str:
    """What a vendor ID means; `sender_cookie` is that of the message's sender, since some products mix it in."""
    return _EXACT.get(vendor_id) or next(_names(vendor_id, sender_cookie))


def _names(vendor_id: bytes, sender_cookie: bytes) -> Iterator[str]:
    """The first one counts."""
    if is_ios(vendor_id, sender_cookie):
        yield "Cisco IOS device"
    yield from _with_version(vendor_id)
    yield from (name for start, name in _PREFIXES.items() if vendor_id.startswith(start))
    if vendor_id in hashed():
        yield hashed()[vendor_id]
    if vendor_id.startswith((b"OE", b"OSW")) and _is_pluto(vendor_id):
        yield "Openswan, libreswan or FreeS/WAN"
    yield _unknown(vendor_id)


def _with_version(vendor_id: bytes) -> Iterator[str]:
    version = vendor_id[_VERSION_AT:]
    if is_dpd(vendor_id):
        yield f"DPD {_dotted(version)}".rstrip()
    elif is_unity(vendor_id):
        yield f"Cisco Unity {_dotted(version)}".rstrip()
    elif vendor_id.startswith(_ALTIGA):
        yield f"Cisco VPN 3000 {'.'.join(version.hex()[1:])}".rstrip()
    elif vendor_id.startswith(FRAGMENTATION):
        yield f"IKE fragmentation {vendor_id[16:].hex()}".rstrip()
    elif vendor_id.startswith(WINDOWS):
        number = _number(vendor_id, 16)
        yield f"Windows {_WINDOWS_NAMES.get(number, f'(version {number})')}"
    elif vendor_id.startswith(_WINDOWS_LATER):
        yield f"Windows (20 octets, version {_number(vendor_id, 16)})"
    elif vendor_id.startswith(_CHECK_POINT):
        product, version_number = _number(vendor_id, 20), _number(vendor_id, 24)
        yield f"Check Point {_CHECK_POINT_PRODUCTS.get(product, f'product {product}')}, version {version_number}"


def _dotted(version: bytes) -> str:
    return ".".join(str(octet) for octet in version)


def _number(octets: bytes, at: int) -> int:
    return int.from_bytes(octets[at : at + 4], "big")


def _unknown(vendor_id: bytes) -> str:
    if not vendor_id:
        return "an empty vendor ID"
    more = "..." if len(vendor_id) > 20 else ""
    text = f", {vendor_id[:20].decode()}{more}" if _is_text(vendor_id) else ""
    return f"unknown ({vendor_id[:20].hex()}{more}{text})"


def _is_pluto(vendor_id: bytes) -> bool:
    """Behind the letters of the product stands a hash of its build, mapped to letters (in a test build: a word)."""
    return len(vendor_id) == _PLUTO_OCTETS and all(0x30 <= octet <= 0x7F for octet in vendor_id)


def _is_text(octets: bytes) -> bool:
    return bool(octets) and octets.isascii() and octets.decode().isprintable()
