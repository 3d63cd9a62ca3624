"""Vendor IDs that peers send, with the names that operators know them by.

Most are the MD5 hash of a text. Sources: RFC 3947 section 3.1, RFC 3706 section 5, and what products were seen to send.
"""

from __future__ import annotations

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
CISCO_UNITY = bytes.fromhex("12f5f28c457168a9702d9fe274cc0100")

_NAMES = {
    NAT_T_RFC_3947: "NAT-T RFC 3947",
    NAT_T_DRAFT_08: "NAT-T draft-08",
    NAT_T_DRAFT_07: "NAT-T draft-07",
    NAT_T_DRAFT_06: "NAT-T draft-06",
    NAT_T_DRAFT_05: "NAT-T draft-05",
    NAT_T_DRAFT_04: "NAT-T draft-04",
    NAT_T_DRAFT_03: "NAT-T draft-03",
    NAT_T_DRAFT_02: "NAT-T draft-02",
    NAT_T_DRAFT_02_LF: "NAT-T draft-02 (LF)",
    CISCO_UNITY: "Cisco Unity",
}


def name_of(vendor_id: bytes, sender_cookie: bytes) -> str:
    """What a vendor ID means; `sender_cookie` is that of the message's sender, since some products mix it in."""
    return _NAMES.get(vendor_id, f"unknown ({vendor_id[:20].hex()})")
