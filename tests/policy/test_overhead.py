"""The longest packet that fits into a tunnel: figures by hand. Against the kernel's own: tests/kernel/test_overhead."""

from __future__ import annotations

import pytest

from ikevd.policy.overhead import inner_mtu
from ikevd.policy.proposals import parse_esp
from ikevd.policy.suites import IpsecSuite
from ikevd.wire.registry import EspTransform, Integrity, Protocol


@pytest.mark.parametrize(
    ("words", "path", "version", "udp", "fits"),
    [
        # 1500 - 20 - 8 - 16 - 16 = 1440, which is 90 blocks; less 2
        ("aes128-sha256", 1500, 4, False, 1438),
        ("aes128-sha256", 1500, 4, True, 1422),
        ("aes128-sha1", 1500, 4, False, 1438),
        ("aes128-sha256", 1500, 6, False, 1406),
        # 1500 - 20 - 8 - 8 - 16 = 1448, in units of 4 octets; less 2
        ("aes256gcm16", 1500, 4, False, 1446),
        ("aes256gcm16", 1492, 4, True, 1430),
        ("3des-md5", 1500, 4, False, 1446),
        ("null-sha1", 1500, 4, False, 1458),
        ("aes128-sha256", 1400, 4, False, 1326),
        ("aes128-sha256", 1280, 6, False, 1280),
    ],
)
def test_the_longest_packet_of_esp(words: str, path: int, version: int, udp: bool, fits: int) -> None:
    assert inner_mtu(parse_esp(words), path, version, udp=udp) == fits


def test_a_shorter_icv_leaves_more_room() -> None:
    suite = parse_esp("null-sha256")
    assert inner_mtu(suite, 1500, 4, icv_bits=96) == inner_mtu(suite, 1500, 4) + 4


SHA256, SHA1 = Integrity.HMAC_SHA2_256, Integrity.HMAC_SHA1


@pytest.mark.parametrize(("check", "version", "fits"), [(SHA256, 4, 1452), (SHA1, 4, 1456), (SHA256, 6, 1428)])
def test_the_longest_packet_of_ah(check: Integrity, version: int, fits: int) -> None:
    assert inner_mtu(IpsecSuite(EspTransform.NULL, 0, check, protocol=Protocol.AH), 1500, version) == fits
