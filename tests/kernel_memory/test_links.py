"""The contract of `Links` on the one in memory, and the octets of rtnetlink."""

from __future__ import annotations

import asyncio
import threading
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from ikevd.errors import KernelRefused
from ikevd.host.links import GROUP, FoundLink, Link, LinkAddress, Route
from ikevd.kernel.interfaces import build_address, build_new_link, read_address, read_link
from ikevd.kernel.links import LinuxLinks
from ikevd.kernel.memory_links import MemoryLinks
from ikevd.kernel.routes import build_route, read_route
from ikevd.kernel.rtnetlink import IFADDRMSG, IFINFOMSG, RTMSG
from ikevd.policy.interface import InterfaceKind
from tests.kernel.contract_links import ADDRESSES, ROUTES, UNREACHABLE, LinkContract

VTI = Link("tun", InterfaceKind.VTI, 42, "berlin", False, ip_address("192.0.2.1"), ip_address("198.51.100.1"))
VTI6 = Link("tun", InterfaceKind.VTI, 42, "berlin", False, None, ip_address("2001:db8::1"))
XFRM = Link("tun", InterfaceKind.XFRM, 42, "berlin", False)


class MemoryLinkBench:
    def __init__(self, kind: InterfaceKind) -> None:
        self.kind = kind
        self.links = MemoryLinks()

    def plant(self, link: Link) -> None:
        found = FoundLink(link.name, 7, False, link.kind, link.number, "", False, 1500, link.local, link.remote)
        self.links.plant(found)

    def take(self, name: str) -> None:
        self.links.take([name])


class TestMemoryLinks(LinkContract):
    @pytest.fixture(params=list(InterfaceKind))
    def bench(self, request: pytest.FixtureRequest) -> MemoryLinkBench:
        return MemoryLinkBench(request.param)


def test_sizes_are_those_of_the_headers() -> None:
    assert [struct.size for struct in (IFINFOMSG, IFADDRMSG, RTMSG)] == [16, 8, 12]


@pytest.mark.parametrize("link", [VTI, VTI6, XFRM], ids=["vti", "vti6", "xfrm"])
def test_an_interface_is_read_as_it_is_built_and_ours_from_the_first_moment(link: Link) -> None:
    found = read_link(build_new_link(link))
    assert found.is_made_as(link)
    assert found.is_of(link)
    assert GROUP.to_bytes(2, "little") in build_new_link(link)


@pytest.mark.parametrize("found", ADDRESSES)
def test_an_address_is_read_as_it_is_built(found: LinkAddress) -> None:
    assert read_address(build_address(7, found), {7: "tun"}) == found
    assert read_address(build_address(8, found), {7: "tun"}) is None


@pytest.mark.parametrize("route", [*ROUTES, *UNREACHABLE])
def test_a_route_is_read_as_it_is_built(route: Route) -> None:
    assert read_route(build_route(route, 7 if route.link else None), {7: "tun"}.__getitem__) == route


def test_anothers_route_is_passed_over() -> None:
    body = bytearray(build_route(Route(ip_network("10.2.0.0/16"), "tun", 254, 0), 7))
    body[5] = 4  # RTPROT_STATIC
    assert read_route(bytes(body), {7: "tun"}.__getitem__) is None


def test_an_address_keeps_its_host_bits() -> None:
    address = LinkAddress("tun", ip_interface("169.254.7.1/30"))
    found = read_address(build_address(7, address), {7: "tun"})
    assert found is not None
    assert str(found.address) == "169.254.7.1/30"


async def test_while_the_machine_has_no_thread_left_that_is_a_refusal_and_the_next_request_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with LinuxLinks() as links:
        with monkeypatch.context() as while_none_is_left:
            while_none_is_left.setattr(threading.Thread, "start", none_left)
            with pytest.raises(KernelRefused, match="can't start new thread"):
                await links.read("lo")
        assert [link.name for link in (await asyncio.wait_for(links.read("lo"), 10)).links] == ["lo"]
