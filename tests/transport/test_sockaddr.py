"""Link-local IPv6 addresses keep their interface, in both directions."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address

import pytest

from ikevd.addresses import Endpoint
from ikevd.transport.pktinfo import destination, for_many, from_address, icmp_error
from ikevd.transport.sockaddr import from_sockaddr, to_sockaddr

LO = socket.if_nametoindex("lo")
NO_SUCH_INTERFACE = 999_999


@pytest.mark.parametrize(
    ("address", "sockaddr"),
    [
        ("192.0.2.1", ("192.0.2.1", 500)),
        ("2001:db8::1", ("2001:db8::1", 500, 0, 0)),
        ("fe80::1%lo", ("fe80::1", 500, 0, LO)),
        (f"fe80::1%{NO_SUCH_INTERFACE}", ("fe80::1", 500, 0, NO_SUCH_INTERFACE)),
    ],
)
def test_an_endpoint_becomes_a_socket_address_and_back(address: str, sockaddr: tuple[object, ...]) -> None:
    assert to_sockaddr(ip_address(address), 500) == sockaddr
    assert from_sockaddr(sockaddr) == Endpoint(ip_address(address), 500)


def test_an_interface_that_went_away_is_no_interface() -> None:
    assert to_sockaddr(ip_address("fe80::1%gone0"), 500) == ("fe80::1", 500, 0, 0)


def test_a_global_address_needs_no_interface() -> None:
    assert from_sockaddr(("2001:db8::1", 500, 0, LO)) == Endpoint(ip_address("2001:db8::1"), 500)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "fe80::1%lo"])
def test_the_address_that_was_asked_survives_the_ancillary_data(address: str) -> None:
    (level, kind, data), local = from_address(ip_address(address))[0], ip_address(address)
    if local.version == 4:
        data = data[:8] + data[4:8]  # on receipt the kernel fills the header's destination too
    assert destination([(level, kind, data)]) == local
    assert not for_many([(level, kind, data)])


def test_a_multicast_destination_is_recognised() -> None:
    data = ip_address("ff02::1").packed + struct.pack("=i", LO)
    assert for_many([(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, data)])


@pytest.mark.parametrize(
    ("origin", "icmp_type", "code", "words"),
    [
        (2, 3, 1, "host unreachable"),
        (2, 3, 13, "communication administratively prohibited"),
        (2, 3, 99, "ICMP type 3 code 99"),
        (1, 0, 0, None),
    ],
)
def test_an_icmp_error_is_told_in_words(origin: int, icmp_type: int, code: int, words: str | None) -> None:
    error = struct.pack("=IBBBxII", 113, origin, icmp_type, code, 0, 0)
    router = ip_address("192.0.2.9")
    offender = struct.pack("=HH4s8x", socket.AF_INET, 0, router.packed)
    told = icmp_error([(socket.IPPROTO_IP, 11, error + offender)])
    assert told == (None if words is None else (words, router))


def test_an_icmp_error_without_sender_names_none() -> None:
    error = struct.pack("=IBBBxII", 111, 2, 3, 3, 0, 0)
    assert icmp_error([(socket.IPPROTO_IP, 11, error)]) == ("port unreachable", None)
