"""What fits into a tunnel, by our reckoning and by the kernel's: a socket asks for the longest packet of its route,
which takes the tunnel."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network

import pytest

from ikevd.addresses import Address
from ikevd.host.policies import Direction
from ikevd.host.sas import UdpPorts
from ikevd.policy.overhead import inner_mtu
from ikevd.policy.proposals import parse_esp
from ikevd.policy.suites import IpsecSuite
from ikevd.sa.model import Spi
from ikevd.wire.registry import EspTransform, Integrity, Protocol
from tests.kernel.namespaces import Namespace, new_namespace
from tests.kernel.places import kernel_in
from tests.kernel.samples import HERE, HERE6, PEER, PEER6, SPI, add, policy_of, sa_of

pytestmark = pytest.mark.kernel

IP_MTU, IPV6_MTU = 14, 24
SUITES = [
    *map(parse_esp, ("aes128-sha256", "aes256-sha1", "aes256-sha512", "3des-md5", "aes256gcm16", "aes128gcm8")),
    *map(parse_esp, ("aes128ccm12", "aes128ctr-sha256", "null-sha1", "aes128gmac")),
    IpsecSuite(EspTransform.NULL, 0, Integrity.HMAC_SHA2_256, protocol=Protocol.AH),
    IpsecSuite(EspTransform.NULL, 0, Integrity.HMAC_SHA1, protocol=Protocol.AH),
]


@pytest.fixture(scope="module")
def on_a_wire() -> Iterator[Namespace]:
    """Its packets leave by a link that takes 1500 octets, at whose other end nobody is."""
    namespace = new_namespace()
    namespace.ip(
        "link add wire type dummy",
        "link set wire mtu 1500 up",
        *(f"addr add {address} dev wire" for address in (HERE, "10.1.0.1/32")),
        *(f"addr add {address} dev wire nodad" for address in (HERE6, "fd00:1::1/128")),
        *(f"route add {network} dev wire" for network in (PEER, PEER6, "10.2.0.0/24", "fd00:2::/64")),
    )
    yield namespace
    namespace.close()


def longest(namespace: Namespace, source: str, destination: str) -> int:
    """Of a packet from one to the other."""
    six = ":" in source
    with namespace.entered(), socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind((source, 0))
        asking.connect((destination, 9))
        found: int = asking.getsockopt(socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP, IPV6_MTU if six else IP_MTU)
        return found


@pytest.mark.parametrize("udp", [False, True], ids=["alone", "in UDP"])
@pytest.mark.parametrize("ends", [(HERE, PEER), (HERE6, PEER6)], ids=["over IPv4", "over IPv6"])
@pytest.mark.parametrize("inner", [("10.1.0.1", "10.2.0.1"), ("fd00:1::1", "fd00:2::1")], ids=["IPv4", "IPv6"])
async def test_the_longest_packet_is_the_kernels(
    on_a_wire: Namespace, inner: tuple[str, str], ends: tuple[Address, Address], udp: bool
) -> None:
    source, destination = ends
    networks = [str(ip_network(f"{inner[0]}/128" if ":" in inner[0] else f"{inner[0]}/32")), str(ip_network(inner[1]))]
    found, wanted = {}, {}
    with kernel_in(on_a_wire) as kernel:
        for suite in SUITES:
            if udp and suite.protocol is Protocol.AH:
                continue
            sa = replace(
                sa_of(Spi.of(suite.protocol, SPI.octets), suite=suite, source=source, destination=destination),
                encap=UdpPorts(4500, 4500) if udp else None,
            )
            policy = policy_of(*networks, direction=Direction.OUT, ends=ends)
            assert policy.template is not None
            policy = replace(policy, template=replace(policy.template, spi=sa.spi, protocol=suite.protocol))
            await add(kernel, sa)
            await kernel.put_policy(policy)
            found[str(suite)] = longest(on_a_wire, *inner)
            wanted[str(suite)] = inner_mtu(suite, 1500, source.version, udp=udp)
            await kernel.delete_policy(policy.id, policy.reqid)
            await kernel.delete_sa(sa.id)
    assert found == wanted
