"""ESP under unknown SPIs in the real kernel: it is counted, and a packet socket shows whose it is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from ikevd.kernel import unknown_esp
from ikevd.kernel.unknown_esp import Stray, look
from tests.kernel.namespaces import Namespace
from tests.kernel.places import LEFT, LEFT6, RIGHT, RIGHT6, Pair

pytestmark = pytest.mark.kernel

KNOWN, UNKNOWN = 0xD0000001, 0xD0000002


def packet(spi: int) -> bytes:
    """The beginning of ESP; nobody can read what follows."""
    return spi.to_bytes(4, "big") + (1).to_bytes(4, "big") + bytes(64)


def raw(family: socket.AddressFamily, spi: int) -> None:
    with socket.socket(family, socket.SOCK_RAW, 50) as esp:
        esp.sendto(packet(spi), (str(RIGHT if family == socket.AF_INET else RIGHT6), 0))


def udp(family: socket.AddressFamily, spi: int) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.sendto(packet(spi), (str(RIGHT if family == socket.AF_INET else RIGHT6), 4500))


SENDERS = [
    pytest.param(raw, socket.AF_INET, LEFT, id="ESP over IPv4"),
    pytest.param(udp, socket.AF_INET, LEFT, id="UDP over IPv4"),
    pytest.param(raw, socket.AF_INET6, LEFT6, id="ESP over IPv6"),
    pytest.param(udp, socket.AF_INET6, LEFT6, id="UDP over IPv6"),
]


async def heard(pair: Pair, known: list[int], send: Callable[[], None]) -> list[Stray]:
    """What the right end hears while the left one sends."""
    left, right = pair
    with right.entered():
        looking = asyncio.ensure_future(look(known, salt=0))
        await asyncio.sleep(0.1)
    within(left, send)
    return await looking


def many(first: int, count: int) -> Callable[[], None]:
    def send() -> None:
        for spi in range(first, first + count):
            raw(socket.AF_INET, spi)

    return send


def within(namespace: Namespace, do: Callable[[], None]) -> None:
    with namespace.entered():
        do()


@pytest.mark.parametrize(("send", "family", "source"), SENDERS)
async def test_an_unknown_spi_is_heard_once_and_a_known_one_not_at_all(
    pair: Pair, send: Callable[[socket.AddressFamily, int], None], family: socket.AddressFamily, source: object
) -> None:
    def both() -> None:
        for spi in (KNOWN, UNKNOWN, KNOWN, UNKNOWN):
            send(family, spi)

    to = str(RIGHT if family == socket.AF_INET else RIGHT6)
    pair[0].run("ping", "-c", "1", "-w", "10", to)  # one that has to find its neighbour first may come too late
    found = await heard(pair, [KNOWN], both)
    assert [(stray.source, stray.spi) for stray in found] == [(source, UNKNOWN)]
    assert found[0].destination == ip_address(to)


async def test_ike_on_port_4500_and_other_datagrams_are_not_heard(pair: Pair) -> None:
    def others() -> None:
        udp(socket.AF_INET, 0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"\xff", (str(RIGHT), 4500))
            sender.sendto(packet(UNKNOWN), (str(RIGHT), 4501))

    assert await heard(pair, [], others) == []


async def test_of_a_flood_a_hundred_packets_are_read(pair: Pair) -> None:
    found = await heard(pair, [], many(0xD0000100, 500))
    assert 0 < len(found) <= unknown_esp.MAX_PACKETS


async def test_with_more_spis_than_a_program_holds_a_class_of_them_is_heard(pair: Pair) -> None:
    known = list(range(0xD0001000, 0xD0001000 + 3000))
    found = await heard(pair, known, many(0xE0000000, 32))
    assert [stray.spi & 15 for stray in found] == [0, 0]


async def test_the_kernel_counts_them(pair: Pair) -> None:
    left, right = pair
    with right.entered():
        before = unknown_esp.count()
    within(left, lambda: raw(socket.AF_INET, UNKNOWN))
    await asyncio.sleep(0.1)
    with right.entered():
        assert before is not None
        assert unknown_esp.count() == before + 1
