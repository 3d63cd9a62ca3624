"""The contract suite on Linux, each test in a network namespace of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import pytest_asyncio

from ikevd.host.interface import PolicyId, SaId
from ikevd.kernel.adapter import XfrmKernel
from tests.kernel.contract import KernelContract
from tests.kernel.modules import without
from tests.kernel.namespaces import Namespace

pytestmark = pytest.mark.kernel

KEYS = ("auth-trunc", "hmac(sha1)", "0x" + 20 * "ab", "96", "enc", "cbc(aes)", "0x" + 16 * "cd")


class LinuxBench:
    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        with namespace.entered():
            self.kernel = XfrmKernel()

    def shorten_reservations(self) -> float:
        with self.namespace.entered():
            Path("/proc/sys/net/core/xfrm_acq_expires").write_text("1")
        return 1.0

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds + 1.1)  # the kernel counts whole seconds

    def without_blowfish(self) -> AbstractContextManager[None]:
        return without("blowfish_generic")

    def plant_sa(self, sa: SaId, reqid: int) -> None:
        name = f"src 192.0.2.99 dst {sa.destination} proto esp spi 0x{sa.spi} mode tunnel reqid {reqid}"
        self.namespace.run("ip", "xfrm", "state", "add", *name.split(), *KEYS)

    def plant_block(self, policy: PolicyId, priority: int) -> None:
        name = f"src {policy.source} dst {policy.destination} dir {policy.direction.value}"
        self.namespace.run("ip", "xfrm", "policy", "add", *name.split(), "action", "block", "priority", str(priority))

    def plant_policy(self, policy: PolicyId, reqid: int) -> None:
        name = f"src {policy.source} dst {policy.destination} dir {policy.direction.value}"
        template = f"tmpl src 192.0.2.99 dst 198.51.100.99 proto esp mode tunnel reqid {reqid}"
        self.namespace.run("ip", "xfrm", "policy", "add", *name.split(), *template.split())


class TestXfrmKernel(KernelContract):
    @pytest_asyncio.fixture
    async def bench(self, namespace: Namespace) -> AsyncIterator[LinuxBench]:
        bench = LinuxBench(namespace)
        yield bench
        bench.kernel.close()
