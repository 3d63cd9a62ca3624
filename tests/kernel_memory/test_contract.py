"""The contract suite on the kernel in memory."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ikevd.host.policies import KernelPolicy, PolicyId
from ikevd.host.sas import SaId
from ikevd.kernel.memory import MemoryKernel
from ikevd.kernel.memory_sas import LARVAL_SECONDS
from tests.kernel.contract import KernelContract


class MemoryBench:
    def __init__(self) -> None:
        self.now = 1000.0
        self.kernel = MemoryKernel(clock=lambda: self.now)

    def shorten_reservations(self) -> float:
        return LARVAL_SECONDS

    async def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.kernel.tick()

    @contextmanager
    def without_blowfish(self) -> Iterator[None]:
        self.kernel.lacking.add("cbc(blowfish)")
        yield
        self.kernel.lacking.clear()

    def successor(self) -> MemoryKernel:
        return self.kernel

    def send(self, policy: PolicyId) -> None:
        self.kernel.send(policy)

    def remove_sa(self, sa: SaId) -> None:
        self.kernel.remove_sa(sa)

    def remove_policy(self, policy: PolicyId) -> None:
        self.kernel.remove_policy(policy)

    def change_policy(self, policy: KernelPolicy) -> None:
        self.kernel.change_policy(policy)

    def flush_sas(self) -> None:
        self.kernel.flush_sas()

    def flush_policies(self) -> None:
        self.kernel.flush_policies()

    def plant_sa(self, sa: SaId, reqid: int) -> None:
        self.kernel.plant_sa(sa, reqid)

    def plant_block(self, policy: PolicyId, priority: int) -> None:
        self.kernel.plant_policy(policy, 0, priority)

    def plant_policy(self, policy: PolicyId, reqid: int) -> None:
        self.kernel.plant_policy(policy, reqid)


class TestMemoryKernel(KernelContract):
    @pytest.fixture
    def bench(self) -> MemoryBench:
        return MemoryBench()
