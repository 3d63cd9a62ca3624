"""Real sockets on the loopback interface, both event loops."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from ipaddress import IPv4Address, ip_address
from pathlib import Path as File
from typing import Any

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.errors import MissingPrivilege, PortInUse
from ikevd.transport.source import source_for
from ikevd.transport.udp import AT_ONCE
from tests.eventually import eventually_async
from tests.transport.ears import LOCAL, LOCAL6, Ears, endpoint

OUR_NAME = File("/proc/self/comm").read_text().strip()


async def test_a_datagram_arrives_with_both_its_endpoints(ears: Ears, peer: socket.socket) -> None:
    peer.sendto(b"hello", ("127.0.0.1", ears.ike.port))
    await eventually_async(lambda: ears.datagrams)
    assert ears.datagrams == [(b"hello", Path(ears.ike, endpoint(peer)))]


async def test_no_port_is_read_in_vain_while_another_has_something(
    ears: Ears, peer: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    read = socket.socket.recvmsg_into

    def counted(udp: socket.socket, *how: Any) -> Any:
        reads.append(udp.fileno())
        return read(udp, *how)

    monkeypatch.setattr(socket.socket, "recvmsg_into", counted)
    peer.sendto(b"hello", ("127.0.0.1", ears.ike.port))
    peer.sendto(bytes(4) + b"hello", ("127.0.0.1", ears.nat.port))
    await eventually_async(lambda: len(ears.datagrams) == 2)
    assert len(reads) == 2


@pytest.mark.usefixtures("ipv6")
async def test_an_ipv6_datagram_is_answered(everywhere: Ears, peer6: socket.socket) -> None:
    ike6 = next(bound for bound in everywhere.transport.endpoints if bound.address.version == 6)
    peer6.sendto(b"hello", ("::1", ike6.port))
    await eventually_async(lambda: everywhere.datagrams)
    assert everywhere.datagrams == [(b"hello", Path(Endpoint(LOCAL6, ike6.port), endpoint(peer6)))]
    everywhere.transport.send(b"answer", everywhere.datagrams[0][1])
    assert peer6.recvfrom(100)[:2] == (b"answer", ("::1", ike6.port, 0, 0))


@pytest.mark.parametrize("asked", ["127.0.0.2", "127.0.0.3"])
async def test_the_answer_leaves_from_the_address_that_was_asked(
    everywhere: Ears, peer: socket.socket, asked: str
) -> None:
    port = everywhere.ike.port
    peer.sendto(b"hello", (asked, port))
    await eventually_async(lambda: everywhere.datagrams)
    path = everywhere.datagrams[0][1]
    assert path.local == Endpoint(ip_address(asked), port)
    everywhere.transport.send(b"answer", path)
    assert peer.recvfrom(100) == (b"answer", (asked, port))


@pytest.mark.usefixtures("ipv6")
async def test_by_default_both_families_and_both_ports_are_bound(everywhere: Ears) -> None:
    assert [str(bound.address) for bound in everywhere.transport.endpoints] == ["0.0.0.0", "0.0.0.0", "::", "::"]
    assert not everywhere.transport.warnings


@pytest.mark.usefixtures("ipv6")
async def test_configured_addresses_are_bound_and_no_others() -> None:
    ears = Ears("127.0.0.2", "::1").open()
    assert {bound.address for bound in ears.transport.endpoints} == {ip_address("127.0.0.2"), LOCAL6}
    ears.transport.close()


async def test_a_machine_without_ipv6_goes_on_with_ipv4_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class WithoutIpv6(socket.socket):
        def __init__(self, family: int = -1, *rest: int) -> None:
            if family == socket.AF_INET6:
                raise OSError(97, "Address family not supported by protocol")
            super().__init__(family, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", WithoutIpv6)
        ears = Ears().open()
    assert {bound.address for bound in ears.transport.endpoints} == {IPv4Address(0)}
    assert ears.transport.warnings == (
        "listening on IPv4 only, as this machine has no IPv6 (Address family not supported by protocol)",
    )
    ears.transport.close()


@pytest.mark.usefixtures("ipv6")
async def test_every_socket_is_prepared_before_it_is_bound() -> None:
    ports: list[int] = []
    ears = Ears("127.0.0.1", "::1", prepare=lambda udp: ports.append(udp.getsockname()[1])).open()
    ears.transport.close()
    assert ports == [0, 0, 0, 0]


async def test_the_socket_of_the_nat_port_is_prepared_for_esp() -> None:
    prepared: list[socket.socket] = []
    ears = Ears("127.0.0.1", prepare_nat=prepared.append).open()
    (udp,) = prepared
    assert udp.getsockname() == ("127.0.0.1", ears.nat.port)
    ears.transport.close()


async def test_where_a_socket_cannot_be_prepared_nothing_is_bound() -> None:
    def refuse(udp: socket.socket) -> None:
        raise MissingPrivilege("the capability CAP_NET_ADMIN is missing")

    ears = Ears("127.0.0.1", prepare=refuse)
    with pytest.raises(MissingPrivilege, match="CAP_NET_ADMIN"):
        ears.open()
    assert ears.transport.endpoints == ()


async def test_a_burst_is_drained_in_pieces_that_leave_room_for_timers(ears: Ears, peer: socket.socket) -> None:
    seen: list[int] = []
    for number in range(AT_ONCE * 2):
        peer.sendto(number.to_bytes(2, "big"), ("127.0.0.1", ears.ike.port))

    def look() -> None:
        seen.append(len(ears.datagrams))
        if len(ears.datagrams) < AT_ONCE * 2:
            loop.call_soon(look)

    loop = asyncio.get_running_loop()
    loop.call_soon(look)
    await eventually_async(lambda: len(ears.datagrams) == AT_ONCE * 2)
    assert AT_ONCE in seen
    assert [octets for octets, _ in ears.datagrams] == [n.to_bytes(2, "big") for n in range(AT_ONCE * 2)]


async def test_an_empty_datagram_is_handed_up_and_harms_nothing(ears: Ears, peer: socket.socket) -> None:
    peer.sendto(b"", ("127.0.0.1", ears.ike.port))
    await eventually_async(lambda: ears.datagrams)
    assert ears.datagrams[0][0] == b""


async def test_the_largest_datagram_arrives_whole(ears: Ears, peer: socket.socket) -> None:
    largest = bytes(range(256)) * 255
    peer.sendto(largest, ("127.0.0.1", ears.ike.port))
    await eventually_async(lambda: ears.datagrams)
    assert ears.datagrams[0][0] == largest


async def test_a_datagram_to_a_broadcast_address_is_dropped(everywhere: Ears, peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    peer.sendto(b"hello", ("127.255.255.255", everywhere.ike.port))
    await eventually_async(lambda: everywhere.dropped)
    assert (everywhere.dropped, everywhere.datagrams) == (["sent to a broadcast or multicast address"], [])


async def test_on_the_nat_port_the_marker_is_stripped(ears: Ears, peer: socket.socket) -> None:
    peer.sendto(bytes(4) + b"hello", ("127.0.0.1", ears.nat.port))
    await eventually_async(lambda: ears.datagrams)
    assert ears.datagrams == [(b"hello", Path(ears.nat, endpoint(peer)))]


async def test_on_the_nat_port_the_marker_is_added(ears: Ears, peer: socket.socket) -> None:
    ears.transport.send(b"answer", Path(ears.nat, endpoint(peer)))
    assert peer.recvfrom(100) == (bytes(4) + b"answer", ("127.0.0.1", ears.nat.port))


async def test_a_nat_keepalive_is_one_octet_without_a_marker(ears: Ears, peer: socket.socket) -> None:
    ears.transport.keepalive(Path(ears.nat, endpoint(peer)))
    assert peer.recvfrom(100) == (b"\xff", ("127.0.0.1", ears.nat.port))


async def test_a_nat_keepalive_that_cannot_be_sent_is_reported(ears: Ears) -> None:
    path = Path(Endpoint(LOCAL6, 4500), Endpoint(LOCAL6, 4500))
    assert ears.transport.keepalive(path) == "cannot send to [::1]:4500: no socket is bound to [::1]:4500"


async def test_on_the_ike_port_four_zero_octets_are_the_peers_own(ears: Ears, peer: socket.socket) -> None:
    peer.sendto(bytes(4) + b"hello", ("127.0.0.1", ears.ike.port))
    await eventually_async(lambda: ears.datagrams)
    assert ears.datagrams[0][0] == bytes(4) + b"hello"


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"\xff", "NAT keepalive"),
        (b"\xde\xad\xbe\xef" + bytes(40), "no non-ESP marker"),
        (bytes(3), "no non-ESP marker"),
        (b"", "no non-ESP marker"),
    ],
)
async def test_on_the_nat_port_what_is_not_ike_is_dropped(
    ears: Ears, peer: socket.socket, octets: bytes, reason: str
) -> None:
    peer.sendto(octets, ("127.0.0.1", ears.nat.port))
    await eventually_async(lambda: ears.dropped)
    assert (ears.dropped, ears.datagrams) == ([reason], [])


async def test_a_port_in_use_names_the_process_that_holds_it(peer: socket.socket) -> None:
    port = endpoint(peer).port
    with pytest.raises(PortInUse) as caught:
        Ears("127.0.0.1", port=port).open()
    assert str(caught.value) == f"cannot listen on UDP 127.0.0.1:{port}: {OUR_NAME} (pid {os.getpid()}) holds it"


async def test_where_one_port_is_in_use_nothing_stays_bound(peer: socket.socket) -> None:
    ears = Ears("127.0.0.2", "127.0.0.1", port=endpoint(peer).port)
    with pytest.raises(PortInUse):
        ears.open()
    assert ears.transport.endpoints == ()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.2", endpoint(peer).port))


async def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(PortInUse, match=r"this machine does not have the address 198\.51\.100\.7"):
        Ears("198.51.100.7").open()


async def test_close_may_come_from_a_callback_and_twice(ears: Ears, peer: socket.socket) -> None:
    heard: list[bytes] = []

    def close(octets: bytes, path: Path) -> None:
        heard.append(octets)
        ears.transport.close()

    ears.on_datagram = close
    port = ears.ike.port
    for _ in range(3):
        peer.sendto(b"hello", ("127.0.0.1", port))
    await eventually_async(lambda: heard)
    await asyncio.sleep(0.01)
    ears.transport.close()
    assert heard == [b"hello"]


async def test_after_close_the_ports_are_free(ears: Ears) -> None:
    port = ears.ike.port
    ears.transport.close()
    again = Ears("127.0.0.1", port=port).open()
    again.transport.close()


PRIVILEGED = """
import asyncio, ctypes, os, sys
from ipaddress import ip_address
from ikevd.errors import MissingPrivilege
from ikevd.policy.settings import Listen
from ikevd.transport.udp import UdpTransport

async def main():
    nothing = lambda *anything: None
    UdpTransport(Listen((ip_address("127.0.0.5"),), 1, 0), on_datagram=nothing, on_dropped=nothing,
                 on_unreachable=nothing).open()

if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    asyncio.run(main())
except MissingPrivilege as error:
    print(error)
"""


def test_a_missing_capability_is_named() -> None:
    if int(File("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 1:
        pytest.skip("every process may bind every port here (net.ipv4.ip_unprivileged_port_start)")
    ran = subprocess.run([sys.executable, "-c", PRIVILEGED], capture_output=True, text=True, timeout=20)
    assert ran.stdout == "cannot listen on UDP 127.0.0.5:1: the capability CAP_NET_BIND_SERVICE is missing\n", (
        ran.stderr
    )


def test_the_source_is_what_routing_chooses() -> None:
    assert source_for(ip_address("127.0.0.9")) == LOCAL


@pytest.mark.usefixtures("ipv6")
def test_the_ipv6_source_is_what_routing_chooses() -> None:
    assert source_for(LOCAL6) == LOCAL6


def test_no_route_is_an_os_error() -> None:
    with pytest.raises(OSError):
        source_for(ip_address("255.255.255.255"))
