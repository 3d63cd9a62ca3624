"""ESP under SPIs that the kernel does not know: it counts such packets (XfrmInNoStates) and tells nothing else. Where
the count grows, a packet socket is open for a second. Needs the capability CAP_NET_RAW."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Collection
from ipaddress import ip_address
from pathlib import Path

from ikevd.addresses import Address
from ikevd.frozen import frozen
from ikevd.kernel import esp_filter
from ikevd.kernel.esp_filter import ESP, HEAD_OCTETS

COUNTS = Path("/proc/self/net/xfrm_stat")
COUNT = "XfrmInNoStates"
LOOKS_FOR = 1.0
"""Seconds."""
MAX_PACKETS = 100
BUFFER = 64 * 1024
"""Octets that the kernel queues: some hundred packets that were cut to their heads."""
ETH_P_ALL = 0x0003
IPV6_OCTETS, UDP_OCTETS = 40, 8


@frozen
class Stray:
    """ESP that nobody here can read."""

    source: Address
    destination: Address
    spi: int


def count(counts: Path = COUNTS) -> int | None:
    """How many packets came under unknown SPIs so far; None: this kernel does not count them."""
    try:
        lines = counts.read_text().splitlines()
    except OSError:
        return None
    counted = dict(line.split()[:2] for line in lines)
    return int(counted[COUNT]) if COUNT in counted else None


async def watch(
    known: Callable[[], Collection[int]], tell: Callable[[Address, Address, int], None], trouble: Callable[[str], None]
) -> None:
    """For ever, until the capability turns out to be wanting. `known` gives the SPIs that are no news, `tell` gets
    source, destination and SPI of what came, `trouble` is told in words."""
    before = count()
    if before is None:
        trouble(f"unknown_esp has no effect: this kernel has no {COUNTS} (CONFIG_XFRM_STATISTICS)")
        return
    while True:
        await asyncio.sleep(LOOKS_FOR)
        now = count() or 0
        grows, before = now > before, now
        if not grows:
            continue
        try:
            strays = await look(known(), int.from_bytes(os.urandom(4), "big"))
        except OSError as error:
            trouble(f"unknown_esp has no effect: a packet socket needs CAP_NET_RAW and AF_PACKET ({error.strerror})")
            return
        for stray in strays:
            tell(stray.source, stray.destination, stray.spi)


async def look(known: Collection[int], salt: int) -> list[Stray]:
    """Those of the next second, each once. `known`: SPIs of which nobody needs to hear; `salt` chooses among too many.
    Raises OSError, PermissionError where the capability is wanting."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)) as packets:
        packets.setblocking(False)
        packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        esp_filter.attach(packets, known, salt)
        _drained(packets)  # what came before the filter stood
        await asyncio.sleep(LOOKS_FOR)
        return list(dict.fromkeys(_drained(packets)))


def _drained(packets: socket.socket) -> list[Stray]:
    found: list[Stray] = []
    for _ in range(MAX_PACKETS):
        try:
            head = packets.recv(HEAD_OCTETS)
        except BlockingIOError:
            break
        if (stray := read(head)) is not None:
            found.append(stray)
    return found


def read(head: bytes) -> Stray | None:
    """The beginning of a packet that the filter has passed; None where it is cut short."""
    ipv6 = head[:1] and head[0] >> 4 == 6
    begins = IPV6_OCTETS if ipv6 else 4 * (head[0] & 15 if head else 0)
    if len(head) < max(begins, 20) + 4:
        return None
    addresses, protocol = (head[8:40], head[6]) if ipv6 else (head[12:20], head[9])
    half = len(addresses) // 2
    spi = head[begins if protocol == ESP else begins + UDP_OCTETS :][:4]
    if len(spi) < 4:
        return None
    return Stray(ip_address(addresses[:half]), ip_address(addresses[half:]), int.from_bytes(spi, "big"))
