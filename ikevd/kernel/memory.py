"""A `Kernel` in memory, for tests and dry runs. One contract suite holds for it and for the real kernel."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from ikevd.addresses import Address, Endpoint
from ikevd.errors import KeysWithheld
from ikevd.host import spi_range
from ikevd.host.entropy import Entropy, SystemEntropy
from ikevd.host.events import (
    KernelEvent,
    Listener,
    Lost,
    Packet,
    PoliciesFlushed,
    PolicyChanged,
    PolicyRemoved,
    SaAsked,
    SaMapped,
    SaRemoved,
    SasFlushed,
    WaysChanged,
)
from ikevd.host.policies import Action, FoundPolicy, KernelPolicy, PolicyId, Template
from ikevd.host.sas import Counters, FoundSa, KernelSa, SaId, UdpPorts
from ikevd.kernel import offload
from ikevd.kernel.algorithms import kernel_algorithms
from ikevd.kernel.faults import Faults, Operation
from ikevd.kernel.memory_sas import Held, Larval, Planted, SaTable
from ikevd.kernel.refusals import (
    describe_policy,
    describe_sa,
    padding_fits,
    policy_taken,
    refused,
    sa_refused,
    spi_refused,
    window_fits,
    window_refused,
)
from ikevd.kernel.trial import run_trial
from ikevd.policy.packing import HwOffload
from ikevd.policy.reqids import is_ours
from ikevd.policy.suites import IpsecSuite
from ikevd.sa.model import EspKeys, Spi
from ikevd.wire.registry import Protocol


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
        self._table = SaTable(clock, self._tell)
        self._policies: dict[PolicyId, KernelPolicy | FoundPolicy] = {}
        """`FoundPolicy` where `put_policy` could not have installed it."""
        self._used: dict[PolicyId, float] = {}
        """When a packet last took a policy of ours, by the clock."""
        self.locked_down = False
        """It shows nobody the keys of its SAs, and so lets no SA be changed."""
        self.offloads = False
        """Its network devices encrypt and decrypt."""
        self.absent: set[Address] = set()
        """The addresses that this machine does not have."""
        self._listeners: list[Listener] = []
        self._faults = Faults()

    # -- to look at and to play with

    @property
    def sas(self) -> Mapping[SaId, KernelSa]:
        """The SAs that were installed by `add_sa`."""
        return {name: entry.sa for name, entry in self._held()}

    @property
    def keys(self) -> Mapping[SaId, EspKeys]:
        """Theirs."""
        return {name: entry.keys for name, entry in self._held()}

    @property
    def dead(self) -> Collection[SaId]:
        """Those that stood before under the same keys: their sequence numbers began anew, the peer drops everything."""
        return [name for name, entry in self._held() if entry.dead]

    @property
    def larval(self) -> Collection[SaId]:
        """The SPIs that are reserved and not yet used."""
        return [name for name, entry in self._table.entries.items() if isinstance(entry, Larval)]

    @property
    def policies(self) -> Mapping[PolicyId, KernelPolicy]:
        """The policies that `put_policy` could have installed."""
        return {name: policy for name, policy in self._policies.items() if isinstance(policy, KernelPolicy)}

    def _held(self) -> Iterator[tuple[SaId, Held]]:
        return ((name, entry) for name, entry in self._table.entries.items() if isinstance(entry, Held))

    def fail(self, operation: Operation, code: int, nth: int = 1) -> None:
        """From now on the `nth` call of `operation` fails with the errno `code` and changes nothing."""
        self._faults.add(operation, code, nth)

    def heal(self) -> None:
        """No fault is left."""
        self._faults = Faults()

    def carry(self, sa: SaId, octets: int, packets: int = 1) -> None:
        """Let packets pass through an installed SA; it expires where its kilobytes are used up."""
        carried = self._table.carry(sa, octets, packets)
        for policy in self.policies.values():
            if policy.template and any(_leads(step, carried) for step in policy.template.steps):
                self._used[policy.id] = self._clock()

    def drop(self, policy: PolicyId) -> None:
        """A packet in the clear, perhaps with a forged source, meets an in policy: counted as a use of it."""
        self._used[policy] = self._clock()

    def arrive(self, sa: SaId, source: Endpoint, octets: int = 100) -> None:
        """A whole packet of the peer comes by an inbound SA of ESP in UDP, from there."""
        carried = self.sas[sa]
        self.carry(sa, octets)
        if carried.encap is not None and source != Endpoint(carried.source, carried.encap.source):
            self._tell(SaMapped(sa, carried.reqid, source))

    def send(self, policy: PolicyId) -> bool:
        """A packet meets an out policy: does it leave? Where a tunnel has no SA, one is asked for."""
        self.tick()
        found = self.policies.get(policy)
        if found is None or found.action is Action.BYPASS:
            return True
        if found.action is Action.BLOCK or found.template is None:
            return False
        ours = [sa for sa in self.sas.values() if sa.if_id == policy.if_id]
        steps = found.template.steps
        way = [sa for step in steps if (sa := next((sa for sa in ours if _leads(step, sa)), None))]
        if len(way) == len(steps):
            for sa in way:
                self.carry(sa.id, 100)
            return True
        if self._table.ask(found.template):
            packet = Packet(policy.source[1], policy.destination[1], policy.protocol, policy.destination_port)
            self._tell(SaAsked(found.reqid, packet))
        return False

    def tick(self) -> None:
        """End what the clock has ended, and tell the listeners."""
        self._table.tick()

    # -- by the hand of another program

    def plant_sa(self, sa: SaId, reqid: int, source: Address | None = None) -> None:
        """It installs an SA."""
        self._table.entries[sa] = Planted(source or sa.destination, reqid)

    def plant_policy(self, policy: PolicyId, reqid: int, priority: int = 0) -> None:
        """It installs a policy of a form that is not ours, or changes the one that stands into it."""
        self._policies[policy] = FoundPolicy(policy, reqid, priority, None)
        self._tell(PolicyChanged(policy))

    def change_policy(self, policy: KernelPolicy) -> None:
        """It installs a policy of a form that is ours, or changes the one that stands into it."""
        self._policies[policy.id] = policy
        self._tell(PolicyChanged(policy.id))

    def remove_sa(self, sa: SaId) -> None:
        """It removes an SA."""
        entry = self._table.remove(sa)
        if is_ours(entry.reqid) and isinstance(entry, Held):
            self._tell(SaRemoved(sa, entry.reqid))

    def remove_policy(self, policy: PolicyId) -> None:
        """It removes a policy."""
        del self._policies[policy]
        self._tell(PolicyRemoved(policy))

    def flush_sas(self) -> None:
        """It removes all SAs."""
        for sa in tuple(self._table.entries):
            self._table.remove(sa)
        self._table.asked.clear()
        self._tell(SasFlushed())

    def flush_policies(self) -> None:
        """It removes all policies."""
        self._policies.clear()
        self._tell(PoliciesFlushed())

    def lose_address(self, address: Address) -> None:
        """It takes an address away."""
        self.absent.add(address)
        self._tell(WaysChanged())

    def gain_address(self, address: Address) -> None:
        """It gives an address to this machine."""
        self.absent.discard(address)
        self._tell(WaysChanged())

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """What happens meanwhile is not told; at the end the listeners hear that something was lost."""
        listeners, self._listeners = self._listeners, []
        yield
        self._listeners = listeners
        self._tell(Lost())

    def _tell(self, event: KernelEvent) -> None:
        for listener in self._listeners:
            listener(event)

    def _fault(self, operation: Operation) -> int:
        """Called once for each operation: lets time pass; the errno with which it fails, or 0."""
        self.tick()
        return self._faults.met_by(operation)

    # -- SAs

    async def reserve_spi(
        self, source: Address, destination: Address, reqid: int, protocol: Protocol = Protocol.ESP
    ) -> Spi:
        """Reserve an inbound SPI; it is forgotten after 30 s, and nobody is told."""
        if code := self._fault("reserve_spi"):
            raise spi_refused(destination, reqid, protocol, code)
        first, last = spi_range.of(protocol)
        for _ in range(first, last + 1):
            number = first | int.from_bytes(self._entropy.octets(4), "big") >> 32 - (last - first).bit_length()
            spi = Spi.of(protocol, number.to_bytes(4, "big"))
            if SaId(destination, spi) not in self._table.entries:
                self._table.reserve(SaId(destination, spi), source, reqid)
                return spi
        raise spi_refused(destination, reqid, protocol, errno.ENOENT)

    async def add_sa(self, sa: KernelSa, keys: EspKeys, *, reserved: bool) -> None:
        """Install an SA, see `Kernel.add_sa`."""
        code = self._fault("add_sa")
        if not window_fits(sa):
            raise window_refused(sa)
        algorithms = kernel_algorithms(sa.suite)
        existing = self._table.entries.get(sa.id)
        if code:
            raise sa_refused(sa, code)
        if {algorithms.cipher, algorithms.mac} & self.lacking:
            raise sa_refused(sa, errno.ENOSYS)
        key_bits = (len(keys.encryption) * 8, len(keys.integrity) * 8)
        if key_bits != (algorithms.cipher_key_bits, algorithms.mac_key_bits) or not padding_fits(sa):
            raise sa_refused(sa, errno.EINVAL)
        if existing and not (reserved and isinstance(existing, Larval) and existing.reqid == sa.reqid):
            raise sa_refused(sa, errno.EEXIST)
        if sa.packing.hw_offload is HwOffload.CRYPTO and not (self.offloads and sa.encap is None):
            raise offload.refused(sa)
        self._table.install(sa, keys)

    async def delete_sa(self, sa: SaId) -> None:
        """Remove an SA of our reqid range; another owner's is left alone, as one that is gone."""
        if code := self._fault("delete_sa"):
            raise refused(f"remove {describe_sa(sa)}", code)
        entry = self._table.entries.get(sa)
        if entry is not None and is_ours(entry.reqid):
            self._table.remove(sa)

    async def limit_sa(self, sa: SaId, seconds: int) -> None:
        """Let the SA end that many seconds from now; another owner's is left alone, as one that is gone."""
        if code := self._fault("limit_sa"):
            raise refused(f"limit the life of {describe_sa(sa)}", code)
        if self.locked_down:
            raise KeysWithheld("this kernel does not show the keys of its SAs (it is locked down)")
        self._table.limit(sa, seconds)

    async def change_ports(self, sa: SaId, ports: UdpPorts) -> None:
        """Let an SA of ESP in UDP have these ports; another owner's is left alone, as one that is gone."""
        if code := self._fault("change_ports"):
            raise refused(f"give {describe_sa(sa)} other ports", code)
        if self.locked_down:
            raise KeysWithheld("this kernel does not show the keys of its SAs (it is locked down)")
        self._table.change_ports(sa, ports)

    async def move_sa(self, sa: SaId, to: KernelSa) -> None:
        """Let an SA of ESP in UDP have the ends of `to`, see `Kernel.move_sa`."""
        if code := self._fault("move_sa"):
            raise refused(f"move {describe_sa(sa)} to {to.destination}", code)
        if self.locked_down:
            raise KeysWithheld("this kernel does not show the keys of its SAs (it is locked down)")
        if not self._table.move(sa, to):
            raise refused(f"move {describe_sa(sa)} to {to.destination}", errno.ESRCH)

    async def counters(self, sa: SaId) -> Counters | None:
        """What the SA carried so far, or None where it is gone."""
        if code := self._fault("counters"):
            raise refused(f"read {describe_sa(sa)}", code)
        return self._table.found(sa).counters if sa in self._table.entries else None

    async def dump_sas(self) -> Sequence[FoundSa]:
        """All SAs of ESP, AH and IPComp, whoever installed them."""
        if code := self._fault("dump_sas"):
            raise refused("list the SAs", code)
        return self._table.found_all()

    # -- policies

    async def put_policy(self, policy: KernelPolicy, *, former: int | None = None) -> None:
        """Install a policy, or turn the one of its selector into it if it is ours, see `Kernel.put_policy`."""
        if code := self._fault("put_policy"):
            raise refused(f"install {describe_policy(policy.id)}", code)
        existing = self._find_policy(policy.id)
        if existing is not None and not existing.belongs_to(policy.reqid, former):
            raise policy_taken(policy.id, existing.reqid)
        self._policies[policy.id] = policy
        self._used.pop(policy.id, None)

    async def delete_policy(self, policy: PolicyId, reqid: int) -> None:
        """Remove a policy of ours with this reqid; another owner's is left alone, as one that is gone."""
        if code := self._fault("delete_policy"):
            raise refused(f"remove {describe_policy(policy)}", code)
        existing = self._find_policy(policy)
        if existing is not None and existing.carries(reqid):
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
        return [found for name in self._policies if (found := self._find_policy(name))]

    def _find_policy(self, policy: PolicyId) -> FoundPolicy | None:
        entry = self._policies.get(policy)
        if isinstance(entry, KernelPolicy):
            return FoundPolicy(entry.id, entry.reqid, entry.priority, entry)
        return entry

    async def probe(self, suite: IpsecSuite) -> None:
        """Install and remove a trial SA."""
        await run_trial(self, suite, self._entropy)

    def has_address(self, address: Address) -> bool:
        """Is it ours?"""
        return address not in self.absent

    def on_event(self, listener: Listener) -> None:
        """Call `listener` for every change that was not made by an operation, see `Kernel.on_event`."""
        self._listeners.append(listener)


def _leads(step: Template, sa: KernelSa) -> bool:
    """Does a packet take that SA?"""
    somewhere = step.source.is_unspecified or step.source == sa.source
    return (
        somewhere
        and (step.destination, step.reqid) == (sa.destination, sa.reqid)
        and step.spi in (None, sa.spi)
        and (step.protocol, step.transport) == (sa.spi.protocol, sa.suite.transport)
    )
