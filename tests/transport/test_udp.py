"""Real sockets on the loopback interface, both event loops."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from ipaddress import IPv4Address, ip_address
from pathlib import Path as File

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.errors import MissingPrivilege, PortInUse
from ikevd.findings import Unreachable
from ikevd.policy.model import Listen
from ikevd.transport.udp import AT_ONCE, MAX_DATAGRAM, Prepare, UdpTransport, source_for
from tests.eventually import PATIENCE, eventually_async

LOCAL = ip_address("127.0.0.1")
LOCAL6 = ip_address("::1")
OUR_NAME = File("/proc/self/comm").read_text().strip()
CLOSED = 9
"""The discard port: nobody listens there."""


class Ears:
    """A transport on free ports, and what it reported."""

    def __init__(
        self,
        *addresses: str,
        port: int = 0,
        prepare: Prepare = lambda udp: None,
        prepare_nat: Prepare = lambda udp: None,
    ) -> None:
        self.datagrams: list[tuple[bytes, Path]] = []
        self.dropped: list[str] = []
        self.unreachable: list[tuple[Path, Unreachable, bytes]] = []
        self.on_datagram: Callable[[bytes, Path], None] = lambda octets, path: self.datagrams.append((octets, path))
        self.transport = UdpTransport(
            Listen(tuple(map(ip_address, addresses)), port, 0),
            on_datagram=lambda octets, path: self.on_datagram(octets, path),
            on_dropped=self.dropped.append,
            on_unreachable=lambda *told: self.unreachable.append(told),
            prepare=prepare,
            prepare_nat=prepare_nat,
        )

    def open(self) -> Ears:
        self.transport.open()
        return self

    @property
    def ike(self) -> Endpoint:
        return self.transport.endpoints[0]

    @property
    def nat(self) -> Endpoint:
        return self.transport.endpoints[1]


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


def endpoint(udp: socket.socket) -> Endpoint:
    return Endpoint(ip_address(udp.getsockname()[0]), udp.getsockname()[1])


async def test_a_datagram_arrives_with_both_its_endpoints(ears: Ears, peer: socket.socket) -> None:
    peer.sendto(b"hello", ("127.0.0.1", ears.ike.port))
    await eventually_async(lambda: ears.datagrams)
    assert ears.datagrams == [(b"hello", Path(ears.ike, endpoint(peer)))]


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


async def test_an_icmp_error_is_reported_with_its_sender(ears: Ears) -> None:
    path = Path(ears.ike, Endpoint(LOCAL, CLOSED))
    ears.transport.send(b"anyone?", path)
    await eventually_async(lambda: ears.unreachable)
    refused = Unreachable("port unreachable", "127.0.0.1", "127.0.0.1:9")
    assert ears.unreachable == [(path, refused, b"anyone?")]


async def test_an_icmp_error_quotes_our_message_without_the_marker(ears: Ears) -> None:
    ears.transport.send(b"anyone?", Path(ears.nat, Endpoint(LOCAL, CLOSED)))
    await eventually_async(lambda: ears.unreachable)
    assert [quoted for _, _, quoted in ears.unreachable] == [b"anyone?"]


@pytest.mark.usefixtures("ipv6")
async def test_an_icmpv6_error_is_reported_with_its_sender(everywhere: Ears) -> None:
    ike6 = next(bound for bound in everywhere.transport.endpoints if bound.address.version == 6)
    path = Path(Endpoint(LOCAL6, ike6.port), Endpoint(LOCAL6, CLOSED))
    everywhere.transport.send(b"anyone?", path)
    await eventually_async(lambda: everywhere.unreachable)
    assert everywhere.unreachable == [(path, Unreachable("port unreachable", "::1", "[::1]:9"), b"anyone?")]


async def test_icmp_error_on_a_wildcard_socket_names_the_real_local_address(everywhere: Ears) -> None:
    path = Path(Endpoint(ip_address("127.0.0.2"), everywhere.ike.port), Endpoint(LOCAL, CLOSED))
    everywhere.transport.send(b"anyone?", path)
    await eventually_async(lambda: everywhere.unreachable)
    assert [reported for reported, _, _ in everywhere.unreachable] == [path]


async def test_after_an_icmp_error_the_port_still_hears(ears: Ears, peer: socket.socket) -> None:
    for _ in range(3):
        ears.transport.send(b"anyone?", Path(ears.ike, Endpoint(LOCAL, CLOSED)))
        await eventually_async(lambda: ears.unreachable)
        ears.unreachable.clear()
    peer.sendto(b"hello", ("127.0.0.1", ears.ike.port))
    await eventually_async(lambda: ears.datagrams)


async def test_an_icmp_error_of_one_peer_does_not_eat_the_message_to_another(ears: Ears, peer: socket.socket) -> None:
    ears.transport.send(b"anyone?", Path(ears.ike, Endpoint(LOCAL, CLOSED)))
    ears.transport.send(b"answer", Path(ears.ike, endpoint(peer)))
    assert peer.recv(100) == b"answer"
    await eventually_async(lambda: ears.unreachable)
    assert len(ears.unreachable) == 1


@pytest.mark.parametrize(
    ("local", "remote", "octets", "reason"),
    [
        ("127.0.0.1", "255.255.255.255", 100, "routing or a packet filter of this machine refuses it"),
        ("127.0.0.1", "127.0.0.1", MAX_DATAGRAM, "the message is too long for a datagram"),
    ],
)
async def test_a_send_that_this_machine_refuses_is_reported_and_not_raised(
    local: str, remote: str, octets: int, reason: str
) -> None:
    ears = Ears(local).open()
    path = Path(ears.ike, Endpoint(ip_address(remote), CLOSED))
    told = ears.transport.send(bytes(octets), path)
    ears.transport.close()
    assert told == f"cannot send from {path.local} to {path.remote}: {reason}"


async def test_a_source_address_that_is_not_this_machines_is_named(everywhere: Ears) -> None:
    """sendmsg gives ENETUNREACH for it, as it does where there is no route."""
    local = Endpoint(ip_address("192.0.2.1"), everywhere.ike.port)
    told = everywhere.transport.send(b"hello", Path(local, Endpoint(ip_address("192.0.2.99"), 500)))
    assert str(told).endswith("192.0.2.1 (local) is not an address of this machine")


@pytest.mark.usefixtures("ipv6")
async def test_an_ipv6_source_address_that_is_not_this_machines_is_named(everywhere: Ears) -> None:
    """sendmsg gives EINVAL for it."""
    ike6 = next(bound for bound in everywhere.transport.endpoints if bound.address.version == 6)
    local = Endpoint(ip_address("2001:db8::1"), ike6.port)
    told = everywhere.transport.send(b"hello", Path(local, Endpoint(LOCAL6, 500)))
    assert str(told).endswith("2001:db8::1 (local) is not an address of this machine")


async def test_a_send_from_an_address_that_nobody_bound_is_reported(ears: Ears, peer: socket.socket) -> None:
    told = ears.transport.send(b"hello", Path(Endpoint(ip_address("127.0.0.2"), ears.ike.port), endpoint(peer)))
    assert told == f"cannot send to {endpoint(peer)}: no socket is bound to 127.0.0.2:{ears.ike.port}"


@pytest.mark.usefixtures("ipv6")
async def test_a_link_local_peer_without_interface_is_refused_in_words(everywhere: Ears) -> None:
    ike6 = next(bound for bound in everywhere.transport.endpoints if bound.address.version == 6)
    told = everywhere.transport.send(b"hello", Path(ike6, Endpoint(ip_address("fe80::1"), 500)))
    assert str(told).endswith("a link-local address needs its interface (%eth0)")


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
from ikevd.policy.model import Listen
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
