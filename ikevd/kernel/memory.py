"""A `Kernel` in memory, for tests and dry runs. One contract suite holds for it and for the real kernel."""

from __future__ import annotations

import errno
import heapq
import itertools
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ikevd.addresses import Address
from ikevd.host.entropy import Entropy, SystemEntropy
from ikevd.host.interface import (
    Counters,
    FoundPolicy,
    FoundSa,
    KernelPolicy,
    KernelSa,
    PolicyId,
    SaExpired,
    SaId,
    Template,
)
from ikevd.kernel.algorithms import kernel_algorithms
from ikevd.kernel.refusals import (
    MAX_REPLAY_WINDOW,
    describe_policy,
    describe_sa,
    policy_taken,
    refused,
    sa_refused,
    window_refused,
)
from ikevd.kernel.trial import run_trial
from ikevd.policy.model import EspSuite
from ikevd.policy.reqids import REQID_FIRST, REQID_LAST
from ikevd.sa.model import EspKeys, Spi

LARVAL_SECONDS = 30.0
"""Linux, net.core.xfrm_acq_expires."""
SPI_FIRST = 0xC0000000

NOTHING_CARRIED = Counters(octets=0, packets=0)

Operation = Literal[
    "reserve_spi",
    "add_sa",
    "delete_sa",
    "counters",
    "put_policy",
    "delete_policy",
    "idle_seconds",
    "dump_sas",
    "dump_policies",
]


@dataclass(frozen=True, slots=True)
class _Larval:
    """A reserved SPI."""

    reqid: int
    ends: float


@dataclass(frozen=True, slots=True)
class _Held:
    """An installed SA and what it carried."""

    sa: KernelSa
    keys: EspKeys
    ends: float
    counters: Counters = NOTHING_CARRIED

    @property
    def reqid(self) -> int:
        return self.sa.reqid


@dataclass(frozen=True, slots=True)
class _Planted:
    """Another program's SA."""

    reqid: int


@dataclass(slots=True)
class _Fault:
    operation: Operation
    code: int
    calls_left: int


class MemoryKernel:
    """IPsec without packets. `clock` gives seconds; it is looked at by every operation, and by `tick()`.

    `lacking` names algorithms, as the kernel does, that it shall not know: `{"cbc(des3_ede)"}`.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        entropy: Entropy | None = None,
        lacking: Collection[str] = (),
    ) -> None:
        self._clock = clock
        self._entropy = entropy or SystemEntropy()
        self.lacking = set(lacking)
        self._sas: dict[SaId, _Larval | _Held | _Planted] = {}
        self._ends: list[tuple[float, int, SaId]] = []
        """A heap of what ends when, with a number so that no two compare by SaId; some of it may be gone by then."""
        self._count = itertools.count()
        self._policies: dict[PolicyId, FoundPolicy] = {}
        self._used: dict[PolicyId, float] = {}
        """When a packet last took a policy of ours, by the clock."""
        self._listeners: list[Callable[[SaExpired], None]] = []
        self._faults: list[_Fault] = []

    # -- to look at and to play with

    @property
    def sas(self) -> Mapping[SaId, KernelSa]:
        """The SAs that were installed by `add_sa`."""
        return {sa_id: entry.sa for sa_id, entry in self._sas.items() if isinstance(entry, _Held)}

    @property
    def keys(self) -> Mapping[SaId, EspKeys]:
        """The keys of the SAs that were installed by `add_sa`."""
        return {sa_id: entry.keys for sa_id, entry in self._sas.items() if isinstance(entry, _Held)}

    @property
    def larval(self) -> Collection[SaId]:
        """The SPIs that are reserved and not yet used."""
        return [sa_id for sa_id, entry in self._sas.items() if isinstance(entry, _Larval)]

    @property
    def policies(self) -> Mapping[PolicyId, KernelPolicy]:
        """The policies that `put_policy` could have installed."""
        return {key: found.policy for key, found in self._policies.items() if found.policy}

    def fail(self, operation: Operation, code: int, nth: int = 1) -> None:
        """From now on the `nth` call of `operation` fails with the errno `code` and changes nothing."""
        self._faults.append(_Fault(operation, code, nth))

    def plant_sa(self, sa: SaId, reqid: int) -> None:
        """An SA that another program installs."""
        self._sas[sa] = _Planted(reqid)

    def plant_policy(self, policy: PolicyId, reqid: int, priority: int = 0) -> None:
        """A policy that another program installs, of a form that is not ours."""
        self._policies[policy] = FoundPolicy(policy, reqid, priority, None)

    def carry(self, sa: SaId, octets: int, packets: int = 1) -> None:
        """Let packets pass through an installed SA; it expires where its kilobytes are used up."""
        entry = self._sas[sa]
        if not isinstance(entry, _Held):
            raise ValueError(f"{describe_sa(sa)} was not installed by add_sa")
        total = Counters(entry.counters.octets + octets, entry.counters.packets + packets)
        self._sas[sa] = replace(entry, counters=total)
        self._use_policies(entry.sa)
        limit = entry.sa.lifetime.kilobytes
        if limit is not None and total.octets >= limit * 1024:
            self._expire(sa)

    def _use_policies(self, sa: KernelSa) -> None:
        for policy in self.policies.values():
            if policy.template == Template(sa.source, sa.destination, sa.reqid):
                self._used[policy.id] = self._clock()

    def tick(self) -> None:
        """End what the clock has ended, and tell the listeners."""
        now = self._clock()
        while self._ends and self._ends[0][0] <= now:
            ends, _, key = heapq.heappop(self._ends)
            entry = self._sas.get(key)
            if isinstance(entry, _Larval | _Held) and entry.ends == ends:
                self._expire(key)

    def _enter(self, sa: SaId, entry: _Larval | _Held) -> None:
        self._sas[sa] = entry
        heapq.heappush(self._ends, (entry.ends, next(self._count), sa))

    def _expire(self, sa: SaId) -> None:
        entry = self._sas.pop(sa)
        if isinstance(entry, _Held) and REQID_FIRST <= entry.reqid <= REQID_LAST:
            for listener in self._listeners:
                listener(SaExpired(sa, entry.reqid, hard=True))

    def _fault(self, operation: Operation) -> int:
        """Called once for each operation: lets time pass; the errno with which it fails, or 0."""
        self.tick()
        code = 0
        for fault in [fault for fault in self._faults if fault.operation == operation]:
            fault.calls_left -= 1
            if fault.calls_left == 0:
                self._faults.remove(fault)
                code = fault.code
        return code

    # -- SAs

    async def reserve_spi(self, source: Address, destination: Address, reqid: int) -> Spi:
        """Reserve an inbound SPI; it is forgotten after 30 s, and nobody is told."""
        if code := self._fault("reserve_spi"):
            raise refused(f"reserve an SPI for {destination} (reqid {reqid:#x})", code)
        while True:
            spi = Spi(SPI_FIRST | int.from_bytes(self._entropy.octets(4), "big") >> 4)
            if SaId(destination, spi) not in self._sas:
                self._enter(SaId(destination, spi), _Larval(reqid, self._clock() + LARVAL_SECONDS))
                return spi

    async def add_sa(self, sa: KernelSa, keys: EspKeys, *, reserved: bool) -> None:
        """Install an SA, see `Kernel.add_sa`."""
        code = self._fault("add_sa")
        if not 1 <= sa.replay_window <= MAX_REPLAY_WINDOW:
            raise window_refused(sa)
        algorithms = kernel_algorithms(sa.suite)
        existing = self._sas.get(sa.id)
        if code:
            raise sa_refused(sa, code)
        if {algorithms.cipher, algorithms.mac} & self.lacking:
            raise sa_refused(sa, errno.ENOSYS)
        key_bits = (len(keys.encryption) * 8, len(keys.integrity) * 8)
        if key_bits != (algorithms.cipher_key_bits, algorithms.mac_key_bits):
            raise sa_refused(sa, errno.EINVAL)
        if existing is not None and not (reserved and isinstance(existing, _Larval)):
            raise sa_refused(sa, errno.EEXIST)
        self._enter(sa.id, _Held(sa, keys, self._clock() + sa.lifetime.seconds))

    async def delete_sa(self, sa: SaId) -> None:
        """Remove an SA of our reqid range; another owner's is left alone, as one that is gone."""
        if code := self._fault("delete_sa"):
            raise refused(f"remove {describe_sa(sa)}", code)
        entry = self._sas.get(sa)
        if entry is not None and REQID_FIRST <= entry.reqid <= REQID_LAST:
            del self._sas[sa]

    async def counters(self, sa: SaId) -> Counters | None:
        """What the SA carried so far, or None where it is gone."""
        if code := self._fault("counters"):
            raise refused(f"read {describe_sa(sa)}", code)
        entry = self._sas.get(sa)
        if entry is None:
            return None
        return entry.counters if isinstance(entry, _Held) else NOTHING_CARRIED

    async def dump_sas(self) -> Sequence[FoundSa]:
        """All ESP SAs, whoever installed them."""
        if code := self._fault("dump_sas"):
            raise refused("list the SAs", code)
        return [
            FoundSa(
                key,
                entry.reqid,
                larval=isinstance(entry, _Larval),
                counters=entry.counters if isinstance(entry, _Held) else NOTHING_CARRIED,
                encap=entry.sa.encap if isinstance(entry, _Held) else None,
            )
            for key, entry in self._sas.items()
        ]

    # -- policies

    async def put_policy(self, policy: KernelPolicy) -> None:
        """Install a policy, or turn the one of its selector into it if it is ours."""
        if code := self._fault("put_policy"):
            raise refused(f"install {describe_policy(policy.id)}", code)
        existing = self._policies.get(policy.id)
        if existing is not None and not existing.belongs_to(policy.reqid):
            raise policy_taken(policy.id, existing.reqid)
        self._policies[policy.id] = FoundPolicy(policy.id, policy.reqid, policy.priority, policy)
        self._used.pop(policy.id, None)

    async def delete_policy(self, policy: PolicyId, reqid: int) -> None:
        """Remove a policy of ours with this reqid; another owner's is left alone, as one that is gone."""
        if code := self._fault("delete_policy"):
            raise refused(f"remove {describe_policy(policy)}", code)
        existing = self._policies.get(policy)
        if existing is not None and existing.belongs_to(reqid):
            del self._policies[policy]
            self._used.pop(policy, None)

    async def idle_seconds(self, policy: PolicyId) -> float | None:
        """Seconds since the last packet that the policy let pass; None where there was none."""
        if code := self._fault("idle_seconds"):
            raise refused(f"read {describe_policy(policy)}", code)
        used = self._used.get(policy) if policy in self._policies else None
        return None if used is None else self._clock() - used

    async def dump_policies(self) -> Sequence[FoundPolicy]:
        """All policies, whoever installed them."""
        if code := self._fault("dump_policies"):
            raise refused("list the policies", code)
        return list(self._policies.values())

    async def probe(self, suite: EspSuite) -> None:
        """Install and remove a trial SA."""
        await run_trial(self, suite, self._entropy)

    def on_expire(self, listener: Callable[[SaExpired], None]) -> None:
        """Call `listener` for every SA in our reqid range that expires; a reserved SPI is none."""
        self._listeners.append(listener)
