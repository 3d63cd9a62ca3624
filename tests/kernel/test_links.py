"""The contract of `Links` on Linux: with VTI, and in the second guest with XFRM interfaces."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ikevd.errors import KernelRefused
from ikevd.host.links import Link
from ikevd.kernel.links import LinuxLinks
from ikevd.policy.interface import InterfaceKind
from tests.kernel.contract_links import HERE, PEER, LinkBench, LinkContract, link_of
from tests.kernel.namespaces import Namespace

pytestmark = pytest.mark.kernel


class LinuxLinkBench:
    def __init__(self, namespace: Namespace, kind: InterfaceKind) -> None:
        self.namespace = namespace
        self.kind = kind
        self.links = LinuxLinks()
        with namespace.entered():
            self.links.open()

    def plant(self, link: Link) -> None:
        if self.kind is InterfaceKind.VTI:
            self.namespace.ip(f"link add {link.name} type vti local {HERE} remote {PEER} key {link.number}")
        else:
            self.namespace.ip(f"link add {link.name} type xfrm if_id {link.number}")

    def take(self, name: str) -> None:
        self.namespace.ip(f"link delete {name}")


class OnLinux(LinkContract):
    """What programs of Linux look for besides."""

    async def test_routing_daemons_find_the_flag_of_multicast(self, bench: LinuxLinkBench) -> None:
        await bench.links.put(link_of(bench))
        assert "MULTICAST" in bench.namespace.run("ip", "link", "show", "tun")


class TestVti(OnLinux):
    @pytest_asyncio.fixture
    async def bench(self, namespace: Namespace) -> AsyncIterator[LinkBench]:
        with (bench := LinuxLinkBench(namespace, InterfaceKind.VTI)).links:
            yield bench

    async def test_an_xfrm_interface_can_be_made_where_the_kernel_has_them_and_else_that_is_said(
        self, bench: LinuxLinkBench
    ) -> None:
        link = Link("tun", InterfaceKind.XFRM, 42, "berlin", up=True)
        if InterfaceKind.XFRM in await bench.links.kinds():
            await bench.links.put(link)
        else:
            with pytest.raises(KernelRefused, match=r"this kernel has none of that kind \(module xfrm_interface\)"):
                await bench.links.put(link)


@pytest.mark.xfrm_interface
class TestXfrmInterface(OnLinux):
    @pytest_asyncio.fixture
    async def bench(self, namespace: Namespace) -> AsyncIterator[LinkBench]:
        with (bench := LinuxLinkBench(namespace, InterfaceKind.XFRM)).links:
            yield bench
