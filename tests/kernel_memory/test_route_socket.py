"""`LinuxLinks` and its socket as far as they need no privilege: they read the loopback interface."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from ikevd.errors import KernelRefused
from ikevd.host.links import FoundLink, Link
from ikevd.host.routes import WantedRoute
from ikevd.kernel.first_hop import first_hop
from ikevd.kernel.links import LinuxLinks
from ikevd.kernel.peer_routes import LinuxRoutes
from ikevd.kernel.rtnetlink import NETLINK_GET_STRICT_CHK
from ikevd.policy.interface import InterfaceKind

LOOPBACK = ip_address("127.0.0.1")


class SocketBefore420(socket.socket):
    """Of a kernel that filters no dumps."""

    def setsockopt(self, level: int, option: int, *value: Any) -> None:
        if option == NETLINK_GET_STRICT_CHK:
            raise OSError(errno.ENOPROTOOPT, "Protocol not available")
        super().setsockopt(level, option, *value)


async def test_links_that_are_closed_answer_no_more() -> None:
    links = LinuxLinks()
    assert [link.name for link in (await links.read("lo")).links] == ["lo"]
    links.close()
    links.close()
    with pytest.raises(KernelRefused):
        await links.read("lo")


async def test_what_waits_while_links_are_closed_is_cancelled() -> None:
    links, busy = LinuxLinks(), threading.Event()
    asyncio.get_running_loop().run_in_executor(links._ready(), busy.wait)
    waiting = [asyncio.ensure_future(links.read("lo")) for _ in range(2)]
    await asyncio.sleep(0)
    threading.Timer(0.5, busy.set).start()
    links.close()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[-1], asyncio.CancelledError)


async def test_a_kernel_that_filters_no_dumps_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with LinuxLinks() as links:
        expected = (await links.read("lo")).addresses
    monkeypatch.setattr(socket, "socket", SocketBefore420)
    with LinuxLinks() as links:
        assert (await links.read("lo")).addresses == expected


def of_a_tunnel(below: int) -> FoundLink:
    return FoundLink("ike0", 7, ours=True, kind=InterfaceKind.XFRM, number=42, alias="", up=True, mtu=1400, below=below)


async def test_while_its_vrf_is_away_an_interface_is_left_as_it_is_and_none_is_made() -> None:
    with LinuxLinks("nowhere") as links:
        assert not links._above(of_a_tunnel(5)).astray
        with pytest.raises(KernelRefused, match="the VRF nowhere is gone"):
            await links.put(Link("ike0", InterfaceKind.XFRM, 42, "peer", up=True))


async def test_no_way_leads_by_a_vrf_that_is_away() -> None:
    assert first_hop(LOOPBACK, "nowhere") is None
    with LinuxRoutes("nowhere") as routes:
        assert await routes.resolve([WantedRoute(ip_network("10.2.0.0/16"), LOOPBACK, None, ())]) == [None]
