"""Which sockets of an earlier process are taken over, and that they serve as new ones do."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.policy.settings import Listen
from ikevd.transport.inherited import UDP_ENCAP, name_of, take_over
from tests.eventually import eventually_async
from tests.transport.ears import LOCAL, Ears, endpoint

Made = Callable[[], socket.socket]


def bound(address: str = "127.0.0.1", kind: socket.SocketKind = socket.SOCK_DGRAM) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    made.bind((address, 0))
    return made


def connected() -> socket.socket:
    made = bound()
    made.connect(("127.0.0.1", 9))
    return made


def listen(port: int, address: str = "127.0.0.1") -> Listen:
    return Listen((ip_address(address),), port, 65_535)


def test_a_socket_that_is_bound_as_configured_is_taken_over() -> None:
    with bound() as udp:
        port = udp.getsockname()[1]
        assert take_over([udp], listen(port)) == {Endpoint(LOCAL, port): udp}
        assert udp.fileno() >= 0


@pytest.mark.parametrize(
    ("make", "address"),
    [
        (bound, "127.0.0.2"),
        (lambda: bound("0.0.0.0"), "127.0.0.1"),
        (lambda: bound(kind=socket.SOCK_STREAM), "127.0.0.1"),
        (connected, "127.0.0.1"),
        (lambda: bound("::1"), "127.0.0.1"),
    ],
    ids=["another address", "every address", "TCP", "connected", "IPv6"],
)
def test_a_socket_that_is_not_what_we_would_have_bound_is_closed(make: Made, address: str) -> None:
    with make() as other:
        assert take_over([other], listen(other.getsockname()[1], address)) == {}
        assert other.fileno() < 0


@pytest.mark.usefixtures("ipv6")
def test_an_ipv6_socket_that_holds_the_ipv4_port_too_is_closed() -> None:
    """It can be exempt from IPsec for one family only."""
    with bound("::") as both:
        port = both.getsockname()[1]
        assert take_over([both], listen(port, "::")) == {}
        assert both.fileno() < 0


def test_what_is_no_udp_socket_at_all_is_closed() -> None:
    one, two = socket.socketpair()
    with one, two:
        assert take_over([one], listen(500)) == {}
        assert one.fileno() < 0


async def test_what_came_while_nobody_read_is_heard_by_the_next(peer: socket.socket) -> None:
    first = Ears("127.0.0.1").open()
    ike, held = first.ike, first.transport.sockets[name_of(first.ike)].dup()
    first.transport.close()
    peer.sendto(b"hello", ("127.0.0.1", ike.port))
    second = Ears("127.0.0.1", port=ike.port, inherited={ike: held}).open()
    await eventually_async(lambda: second.datagrams)
    second.transport.close()
    assert second.datagrams == [(b"hello", Path(ike, endpoint(peer)))]


async def test_a_socket_that_took_esp_takes_none_on_the_port_of_ike() -> None:
    udp = bound()
    port = udp.getsockname()[1]
    udp.setsockopt(socket.IPPROTO_UDP, UDP_ENCAP, 2)
    ears = Ears("127.0.0.1", port=port, inherited={Endpoint(LOCAL, port): udp}).open()
    assert udp.getsockopt(socket.IPPROTO_UDP, UDP_ENCAP) == 0
    ears.transport.close()


async def test_a_socket_that_was_taken_over_is_prepared_as_a_new_one() -> None:
    """The kernel does not tell whether it is exempt from IPsec."""
    udp, prepared = bound(), list[socket.socket]()
    port = udp.getsockname()[1]
    ears = Ears("127.0.0.1", port=port, prepare=prepared.append, inherited={Endpoint(LOCAL, port): udp}).open()
    ears.transport.close()
    assert prepared[0] is udp


@pytest.mark.parametrize(
    ("address", "name"),
    [("0.0.0.0", "ike-0.0.0.0-500"), ("::", "ike-__-500"), ("fe80::1%eth0", "ike-fe80__1%eth0-500")],
)
def test_the_name_for_the_holder_has_no_colon(address: str, name: str) -> None:
    assert name_of(Endpoint(ip_address(address), 500)) == name
