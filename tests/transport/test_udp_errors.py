"""Datagrams that did not arrive, by what ICMP says, and those that cannot leave this machine; both event loops."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.findings import Unreachable
from ikevd.transport.udp import MAX_DATAGRAM
from tests.eventually import eventually_async
from tests.transport.ears import CLOSED, LOCAL, LOCAL6, Ears, endpoint


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
