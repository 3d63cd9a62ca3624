"""Floods of first messages against the real daemon: memory is bounded, the peer connects."""

from __future__ import annotations

import random
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from ikevd.policy.lives import Lifetime
from ikevd.policy.proposals import parse_ike
from ikevd.policy.transforms import offer_phase1
from ikevd.wire.message import Header, encode_chain
from ikevd.wire.registry import ExchangeType, Flags, PayloadType
from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology
from tests.plugins.secrets import MARK

ANYBODY = (
    f"  anybody:\n    remote: any\n    remote_id: anybody.example\n    psk: 'another {MARK}, of anybody'\n"
    "    ike_proposals: aes128-sha256-modp2048\n"
    "    children:\n      visit: {local: 10.1.7.0/24, remote: 10.7.0.0/24, esp_proposals: aes128-sha256}\n"
)
GROWTH = 20 * 1024
"""Kilobytes: some thousands of first messages and two hundred records of strangers."""


Sources = Callable[[random.Random], bytes]


def anywhere(dice: random.Random) -> bytes:
    """An address of nobody's."""
    return bytes([dice.choice((11, 44, 101, 203)), *dice.randbytes(3)])


def packets(target: str, sources: Sources, seed: int) -> Iterator[bytes]:
    """IPv4 packets with a first message each, under random cookies."""
    dice = random.Random(seed)
    chain = encode_chain([offer_phase1([parse_ike("aes128-sha256-modp2048")], Lifetime(86400))])
    destination = IPv4Address(target).packed
    while True:
        head = Header(dice.randbytes(8), bytes(8), PayloadType.SA, ExchangeType.MAIN_MODE, Flags.NONE, 0)
        message = head.encode(len(chain)) + chain
        udp = struct.pack("!4H", 500, 500, 8 + len(message), 0) + message
        head_of_ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0)
        yield head_of_ip + sources(dice) + destination + udp


@contextmanager
def flooding(attacker: Node, target: str, sources: Sources, per_second: int) -> Iterator[list[int]]:
    """Sends until the end of the block; the list counts."""
    sent, over = [0], threading.Event()
    with attacker.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)) as raw:

        def send() -> None:
            for packet in packets(target, sources, seed=21):
                raw.sendto(packet, (target, 0))
                sent[0] += 1
                if sent[0] % 20 == 0 and over.wait(20 / per_second):
                    return

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield sent
        finally:
            over.set()
            thread.join()


def resident_kilobytes(pid: int) -> int:
    (kilobytes,) = re.findall(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(kilobytes)


def wait_for(sent: list[int], count: int) -> None:
    eventually(lambda: sent[0], lambda number: number >= count)


def test_a_flood_from_random_addresses_while_the_peer_connects(topology: Topology, charon_b: StrongSwan) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(site.here, site.ikevd() + ANYBODY) as ikevd:
        ikevd.status()
        before = resident_kilobytes(ikevd.process.pid)
        with flooding(topology.router, site.here.address, anywhere, 400) as sent:
            wait_for(sent, 1500)
            charon_b.initiate("lan", timeout=20)
            assert topology.host_a.ping(topology.host_b.address, 3) == 3
            wait_for(sent, 3000)
            status = ikevd.status()
        grown = resident_kilobytes(ikevd.process.pid) - before
        print(f"{sent[0]} first messages, half-open {status['half_open']}, {grown} kB more, {status['counters']}")
        assert status["half_open"] > 1000
        assert grown < GROWTH
        assert len(ikevd.log.splitlines()) < 200
        assert "internal error" not in ikevd.log


@pytest.mark.parametrize(("per_second", "delay_ms"), [(100, 130), (1000, 150)])
def test_a_flood_that_bears_the_peers_own_address_while_the_peer_connects(
    topology: Topology, charon_b: StrongSwan, per_second: int, delay_ms: int
) -> None:
    """`delay_ms` each way."""
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    forged = IPv4Address(site.there.address).packed
    topology.impair(delay_ms=delay_ms, limit=10_000)
    try:
        with Ikevd(site.here, site.ikevd()) as ikevd:
            ikevd.status()
            with flooding(topology.router, site.here.address, lambda dice: forged, per_second) as sent:
                wait_for(sent, 2 * per_second)
                began = time.monotonic()
                charon_b.initiate("lan", timeout=20)
                took = time.monotonic() - began
            print(f"{sent[0]} first messages, up after {took:.2f} s, {ikevd.status()['counters']}")
            assert took < 10
            assert "internal error" not in ikevd.log
    finally:
        topology.impair()
