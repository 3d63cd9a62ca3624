"""Sockets of a former process that are taken over, in the real kernel."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest

from ikevd.addresses import Endpoint
from ikevd.kernel.bypass import bypass_ipsec
from ikevd.kernel.encapsulation import take_esp
from ikevd.policy.settings import Listen
from ikevd.transport.inherited import UDP_ENCAP, take_no_esp, take_over
from tests.kernel.namespaces import Namespace

pytestmark = pytest.mark.kernel

HERE = ip_address("127.0.0.1")
LISTEN = Listen((HERE,), 15_500, 15_501)


def bound(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((str(HERE), port))
    return made


def test_one_of_another_network_namespace_is_closed(namespace: Namespace) -> None:
    """Its packets would come and go where this daemon is not: a container that was made anew."""
    with namespace.entered():
        elsewhere = bound(LISTEN.port)
    here = bound(LISTEN.nat_port)
    with elsewhere, here:
        assert take_over([elsewhere, here], LISTEN) == {Endpoint(HERE, LISTEN.nat_port): here}
        assert elsewhere.fileno() < 0
        with namespace.entered():
            assert take_over([here], LISTEN) == {}


def test_one_is_exempt_from_ipsec_and_takes_esp_as_often_as_it_is_told(namespace: Namespace) -> None:
    with namespace.entered(), bound(LISTEN.nat_port) as udp:
        for _ in range(2):
            bypass_ipsec(udp)
            take_esp(udp)
        assert udp.getsockopt(socket.IPPROTO_UDP, UDP_ENCAP) == 2
        take_no_esp(udp)
        assert udp.getsockopt(socket.IPPROTO_UDP, UDP_ENCAP) == 0
