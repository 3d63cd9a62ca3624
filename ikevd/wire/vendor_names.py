"""The tables behind `vendor_ids.name_of`: what each product or protocol extension sends.

Sources: the RFCs and drafts named, [MS-IKEE], and what products were seen to send.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import md5

HASHED = {
    "RFC XXXX": "NAT-T before its RFC had a number",
    "Testing NAT-T RFC": "NAT-T, a test version",
    "ESPThruNAT": "ESP through NAT (SSH)",
    "draft-ietf-ipsec-nat-t-ike": "NAT-T draft without a number (Mac OS X)",
    "draft-ietf-ipsec-nat-t-ike-00": "NAT-T draft-00",
    "draft-ietf-ipsec-nat-t-ike-01": "NAT-T draft-01",
    "draft-ietf-ipsec-nat-t-ike-09": "NAT-T draft-09",
    "draft-stenberg-ipsec-nat-traversal-01": "NAT-T draft-stenberg-01",
    "draft-stenberg-ipsec-nat-traversal-02": "NAT-T draft-stenberg-02",
    "draft-huttunen-ipsec-esp-in-udp-00.txt": "ESP in UDP draft-huttunen-00",
    "ALTIGA NETWORKS": "Cisco VPN 3000 client",
    "KAME/racoon": "racoon",
    "strongSwan": "strongSwan",
    "GSSAPI": "GSS-API (Windows)",
    "A GSS-API Authentication Method for IKE": "GSS-API authentication",
    "A GSS-API Authentication Method for IKE\n": "GSS-API authentication",
    "Vid-Initial-Contact": "Windows Initial-Contact",
    "NLBS_PRESENT": "Windows Network Load Balancing",
    "MS-MamieExists": "Windows AuthIP",
    "MS-Negotiation Discovery Capable": "Windows Negotiation Discovery",
    "IKE CGA version 1": "Windows CGA version 1",
    "IKE Challenge/Response for Authenticated Cryptographic Keys": "IKE Challenge/Response",
}
"""Vendor IDs that are the MD5 hash of a text, by text."""

RELEASES = {
    "strongSwan": "2.2 2.3 2.4 2.5 2.6 2.7 2.8 4.0 4.1 4.2 4.3 4.4 4.5 4.6 5.0 5.1",
    "SSH Communications Security IPSEC Express version": "1.1 1.2 2.0 2.1 3.0 4.0 4.1 4.2 5.0 5.1",
    "SSH Communications Security QuickSec": "0.9 1.1 2.1",
}
"""Products whose vendor ID is the MD5 hash of name and release."""
MAX_PATCH = 11

PREFIXES = {
    "09002689dfd6b712": "XAUTH",
    "ade1e70e9953c1328373ebf0257b85ed": "Cisco PIX",
    "1d6e178f6c2c0be284985465450fe9d4": "FortiGate",
    "699369228741c6d4ca094c93e242c9de19e7b7c6": "NetScreen",
    "fd808804df73b15150709d878044cde0ac1efcde": "Juniper SRX",
    "5b362bc820f60001": "SonicWall",
    "5b362bc820f60002": "SonicWall",
    "5b362bc820f60003": "SonicWall",
    "5b362bc820f60005": "SonicWall",
    "5b362bc820f60006": "SonicWall",
    "5b362bc820f60007": "SonicWall",
    "5b362bc820f60008": "SonicWall",
    "5b362bc820f70001": "SonicWall",
    "404bf439522ca3f6": "SonicWall",
    "da8e937880010000": "SonicWall",
    "b858d1addd08c1e8adafea150608aa4497aa6cc8": "ZyXEL ZyWALL",
    "625027749d5ab97f5616c1602765cf480a3b7d0b": "ZyXEL ZyWALL",
    "f758f22668750f03b08df6ebe1d0": "ZyXEL ZyWALL USG 100",
    "424e4553000000": "Nortel Contivity",
    "47bbe7c993f1fc13b4e6d0db565c68e5": "SafeNet SoftRemote",
    b"Mac OSX 10.x".hex(): "Mac OS X",
    b"TIMESTEP".hex(): "TimeStep",
    b"HeartBeat_Notify".hex(): "HeartBeat Notify",
    b"HeartBeat Notify".hex(): "HeartBeat Notify",
    b"OpenPGP".hex(): "OpenPGP",
    b"Raptor PowerVpn Server".hex(): "Symantec Raptor",
    b"OE-Libreswan-".hex(): "libreswan",
    b"CISCO-DELETE-REASON".hex(): "CISCO-DELETE-REASON",
    b"CISCO-DYNAMIC-ROUTE".hex(): "CISCO-DYNAMIC-ROUTE",
    b"CISCOVPN-REV-02".hex(): "CISCOVPN-REV-02",
    b"FLEXVPN-SUPPORTED".hex(): "FLEXVPN-SUPPORTED",
}
"""Vendor IDs by how they begin; what follows is a version or nothing."""


@cache
def hashed() -> dict[bytes, str]:
    """Every vendor ID that is a hash of a text, with its name; made when the first one is looked up."""
    named = {_md5(text): name for text, name in HASHED.items()}
    return named | {_md5(text): text.replace("Communications Security ", "") for text in _releases()}


def _releases() -> Iterator[str]:
    for product, lines in RELEASES.items():
        for line in lines.split():
            yield f"{product} {line}"
            yield from (f"{product} {line}.{patch}" for patch in range(MAX_PATCH + 1))
    yield from ("SSH Sentinel", *(f"SSH Sentinel {release}" for release in ("1.1", "1.2", "1.3", "1.4", "1.4.1")))


def _md5(text: str) -> bytes:
    return md5(text.encode(), usedforsecurity=False).digest()
