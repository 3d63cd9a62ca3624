"""XFRM interfaces, by iproute2 and the kernel: what has an interface's number (if_id) is for that one alone."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from ikevd.frozen import replace
from ikevd.host.interface import Kernel
from ikevd.host.policies import Direction, PolicyId
from ikevd.host.unknown import is_our_policy
from tests.kernel.namespaces import Namespace
from tests.kernel.places import Pair, kernel_in
from tests.kernel.samples import REQID, policy_of

pytestmark = [pytest.mark.kernel, pytest.mark.xfrm_interface]

NUMBER, ANOTHER = 42, 43
ICMP, ESP = 1, 50
SUITE = f"aead rfc4106(gcm(aes)) 0x{20 * 'ab'} 128"
EVERYTHING = "src 0.0.0.0/0 dst 0.0.0.0/0"


def route_through_interfaces(pair: Pair, *, sas_of: int = NUMBER) -> None:
    """On each side an interface, the route to the other's network over it, and SAs and policies for all that goes
    there. The SAs may be of another number."""
    for namespace, me, other in ((pair[0], 1, 2), (pair[1], 2, 1)):
        here, there = f"192.0.2.{me}", f"192.0.2.{other}"
        outward, inward = f"src {here} dst {there} proto esp", f"src {there} dst {here} proto esp"
        namespace.ip(
            f"link add tunnel type xfrm dev wire if_id {NUMBER}",
            "link set tunnel up",
            f"route replace 10.{other}.0.0/24 dev tunnel src 10.{me}.0.1",
            f"xfrm state add {outward} spi 0x{me}000 reqid 1 mode tunnel {SUITE} if_id {sas_of}",
            f"xfrm state add {inward} spi 0x{other}000 reqid 1 mode tunnel {SUITE} if_id {sas_of}",
            f"xfrm policy add {EVERYTHING} dir out tmpl {outward} reqid 1 mode tunnel if_id {NUMBER}",
            f"xfrm policy add {EVERYTHING} dir in tmpl {inward} reqid 1 mode tunnel if_id {NUMBER}",
        )


def ping(namespace: Namespace, address: str) -> str:
    """The line that counts; 5 packets, of which some may be lost."""
    output = namespace.run("sh", "-c", f"ping -c 5 -i 0.05 -W 2 {address} || true")
    return next(line for line in output.splitlines() if "received" in line)


@contextmanager
def seen_on_the_wire(namespace: Namespace) -> Iterator[Counter[int]]:
    """How many IPv4 packets of each protocol its end of the wire sees meanwhile, both ways."""
    with namespace.entered():
        sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    with sniffer:
        sniffer.bind(("wire", 3))  # ETH_P_ALL: else what leaves is not seen
        seen: Counter[int] = Counter()
        yield seen
        with suppress(BlockingIOError):
            while True:
                packet, (_, protocol, *_) = sniffer.recvfrom(100)
                seen.update([packet[9]] if protocol == 0x0800 else [])


def test_packets_that_are_routed_to_the_interface_cross_as_esp_and_come_out_of_the_peers(pair: Pair) -> None:
    route_through_interfaces(pair)
    with seen_on_the_wire(pair[1]) as seen:
        assert "5 received" in ping(pair[0], "10.2.0.1")
    assert seen == {ESP: 10}
    for namespace in pair:
        (link,) = json.loads(namespace.run("ip", "-s", "-j", "link", "show", "tunnel"))
        assert link["stats64"]["rx"]["packets"] == 5


def test_an_sa_of_another_number_carries_nothing(pair: Pair) -> None:
    route_through_interfaces(pair, sas_of=ANOTHER)
    with seen_on_the_wire(pair[1]) as seen:
        assert "0 received" in ping(pair[0], "10.2.0.1")
    assert seen == {}


def test_what_is_not_routed_to_the_interface_crosses_in_the_clear_though_its_policies_cover_it(pair: Pair) -> None:
    route_through_interfaces(pair)
    with seen_on_the_wire(pair[1]) as seen:
        assert "5 received" in ping(pair[0], "192.0.2.2")
    assert seen == {ICMP: 10}


async def names_of_ours(kernel: Kernel) -> list[PolicyId]:
    """Of the policies that a start without a store would hold to be ours."""
    return [found.id for found in await kernel.dump_policies() if is_our_policy(found)]


async def test_policies_of_an_interface_stand_beside_ours_of_the_same_selector_and_are_none_of_ours(
    namespace: Namespace,
) -> None:
    with kernel_in(namespace) as kernel:
        ours = policy_of(direction=Direction.OUT)
        theirs = f"src {ours.id.source} dst {ours.id.destination} dir out if_id {NUMBER}"
        namespace.run("ip", "xfrm", "policy", "add", *theirs.split(), "action", "block")
        await kernel.put_policy(ours)
        assert await names_of_ours(kernel) == [ours.id]
        await kernel.delete_policy(ours.id, REQID)
        assert await names_of_ours(kernel) == []
        assert [found.id for found in await kernel.dump_policies()] == [replace(ours.id, if_id=NUMBER)]
        assert f"if_id {NUMBER:#x}" in namespace.run("ip", "xfrm", "policy", "get", *theirs.split())
