"""Transports that listen, and peers that speak to them."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.eventually import PATIENCE
from tests.transport.ears import Ears


@pytest.fixture
async def ears() -> AsyncIterator[Ears]:
    ears = Ears("127.0.0.1").open()
    yield ears
    ears.transport.close()


@pytest.fixture
async def everywhere() -> AsyncIterator[Ears]:
    ears = Ears().open()
    yield ears
    ears.transport.close()


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(PATIENCE)
        yield udp


@pytest.fixture
def peer6(ipv6: None) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
        udp.bind(("::1", 0))
        udp.settimeout(PATIENCE)
        yield udp


@pytest.fixture
def ipv6() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
        try:
            udp.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 on the loopback interface")
