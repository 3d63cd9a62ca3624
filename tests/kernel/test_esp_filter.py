"""The packet filter's program, and what is read of the packets that it passes."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from ikevd.kernel.esp_filter import MAX_KNOWN, class_mask, compiled
from ikevd.kernel.unknown_esp import Stray, count, read

MAX_STEPS = 600
"""Which take, as the kernel translates them, less than net.core.optmem_max."""
SPI = 0xD0000001
IPV4 = bytes.fromhex("4500 0054 0000 4000 4032 0000") + bytes([192, 0, 2, 1, 192, 0, 2, 2])
IPV6 = bytes.fromhex("6000 0000 0040 3240") + ip_address("2001:db8::1").packed + ip_address("2001:db8::2").packed


@pytest.mark.parametrize("known", [0, 1, MAX_KNOWN, MAX_KNOWN + 1, 5_000])
def test_however_many_spis_are_known_the_program_is_one_that_the_kernel_takes(known: int) -> None:
    assert len(compiled(range(SPI, SPI + known))) // 8 <= MAX_STEPS


def test_so_many_classes_are_made_that_one_of_them_fits() -> None:
    assert [class_mask(known) for known in (0, 250, 251, 500, 501, 5000)] == [0, 0, 1, 1, 3, 31]


def test_what_is_read_of_a_packet() -> None:
    spi = SPI.to_bytes(4, "big")
    over_ipv4 = Stray(ip_address("192.0.2.1"), ip_address("192.0.2.2"), SPI)
    over_ipv6 = Stray(ip_address("2001:db8::1"), ip_address("2001:db8::2"), SPI)
    udp = bytes.fromhex("1194119400100000")
    assert read(IPV4 + spi) == over_ipv4
    assert read(IPV4[:9] + b"\x11" + IPV4[10:] + udp + spi) == over_ipv4
    assert read(b"\x46" + IPV4[1:] + bytes(4) + spi) == over_ipv4, "with an option"
    assert read(IPV6 + spi) == over_ipv6
    assert read(IPV6[:6] + b"\x11" + IPV6[7:] + udp + spi) == over_ipv6


@pytest.mark.parametrize("cut", [b"", b"\x45", IPV4, IPV4 + bytes(3), IPV6, b"\x4f" + IPV4[1:] + bytes(8)])
def test_a_packet_that_is_cut_short_is_none(cut: bytes) -> None:
    assert read(cut) is None


def test_a_kernel_that_does_not_count_is_known(tmp_path: Path) -> None:
    assert count(tmp_path / "xfrm_stat") is None
    (tmp_path / "xfrm_stat").write_text("XfrmInError \t0\nXfrmInNoStates          \t7\n")
    assert count(tmp_path / "xfrm_stat") == 7
