"""Sockets that are bound to an interface, as to a VRF; the loopback interface stands for one."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.errors import CannotStart
from ikevd.policy.settings import Listen
from ikevd.transport.inherited import take_over
from ikevd.transport.source import source_for
from ikevd.vrf import bind_to, vrf_of
from tests.eventually import eventually_async
from tests.transport.ears import LOCAL, Ears, endpoint


async def test_what_comes_in_by_it_is_heard_and_answered(peer: socket.socket) -> None:
    ears = Ears("127.0.0.1", vrf="lo").open()
    try:
        assert {vrf_of(udp) for udp in ears.transport.sockets.values()} == {"lo"}
        peer.sendto(b"hello", ("127.0.0.1", ears.ike.port))
        await eventually_async(lambda: ears.datagrams)
        assert ears.transport.send(b"answer", Path(ears.ike, endpoint(peer))) is None
        assert peer.recv(100) == b"answer"
    finally:
        ears.transport.close()


async def test_one_that_is_not_there_is_said_with_what_makes_it() -> None:
    with pytest.raises(
        CannotStart, match=r"VRF nowhere: this machine has none of that name; wanted .*`ip link add nowh"
    ):
        Ears("127.0.0.1", vrf="nowhere").open()


def test_the_source_address_is_one_that_can_be_used_there() -> None:
    assert source_for(LOCAL, "lo") == LOCAL
    with pytest.raises(OSError):
        source_for(LOCAL, "nowhere")


@pytest.mark.parametrize(("bound", "wanted", "taken"), [("lo", "lo", True), ("lo", "", False), ("", "lo", False)])
def test_a_socket_of_another_one_is_not_taken_over(bound: str, wanted: str, taken: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        bind_to(udp, bound)
        udp.bind(("127.0.0.1", 0))
        port = udp.getsockname()[1]
        found = take_over([udp], Listen((ip_address("127.0.0.1"),), port, 65_535, vrf=wanted))
        assert list(found) == ([Endpoint(LOCAL, port)] if taken else [])


async def test_nothing_is_bound_anew_while_it_is_the_same_one() -> None:
    ears = Ears("127.0.0.1", vrf="lo").open()
    before = ears.transport.sockets
    assert not ears.transport.follow_vrf()
    assert ears.transport.sockets == before
    ears.transport.close()
