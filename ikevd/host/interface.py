"""The port to the kernel of this machine. Implemented by `kernel/` and, for tests and dry runs, in memory.

Its objects are in `sas` and `policies`, what it tells unasked in `events`. All calls raise `ikevd.errors.KernelRefused`
(or `MissingPrivilege`) and leave the kernel unchanged on error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ikevd.addresses import Address
from ikevd.host.events import Listener
from ikevd.host.policies import FoundPolicy, KernelPolicy, PolicyId
from ikevd.host.sas import Counters, FoundSa, KernelSa, SaId, UdpPorts
from ikevd.policy.suites import IpsecSuite
from ikevd.sa.model import EspKeys, Spi
from ikevd.wire import registry


class Kernel(Protocol):
    """The IPsec side of a kernel."""

    async def reserve_spi(
        self, source: Address, destination: Address, reqid: int, protocol: registry.Protocol = registry.Protocol.ESP
    ) -> Spi:
        """Reserve an inbound SPI of ESP or AH, or a CPI (XFRM_MSG_ALLOCSPI). The kernel forgets it after 30 s."""

    async def add_sa(self, sa: KernelSa, keys: EspKeys, *, reserved: bool) -> None:
        """Install an SA under these keys. `reserved`: fill the larval SA of `reserve_spi` (UPDSA), be it of an
        earlier process, or, where it has expired meanwhile (ESRCH), a new one."""

    async def delete_sa(self, sa: SaId) -> None:
        """Remove an SA, larval or not. One that is gone already is no error."""

    async def limit_sa(self, sa: SaId, seconds: int) -> None:
        """Let the SA end that many seconds from now, whatever its limit was; its sequence numbers go on. One that is
        gone already is no error. Raises `KeysWithheld` where the kernel is locked down."""

    async def change_ports(self, sa: SaId, ports: UdpPorts) -> None:
        """Let an SA of ESP in UDP have these ports; its sequence numbers, its replay window and its limits go on. One
        that is gone already is no error. Raises `KeysWithheld` where the kernel is locked down."""

    async def move_sa(self, sa: SaId, to: KernelSa) -> None:
        """Let an SA of ESP in UDP have the ends of `to`, which has the same SPI. Its sequence numbers go on further up,
        its replay window, limits and counters as they are; packets of these moments are lost. Nothing must be sent
        through it meanwhile. Raises `KernelRefused` also where it is gone, and where it is gone since.

        The one exception to "never again under its keys": its inbound half cannot be added beside the old one (EEXIST:
        same destination and SPI), and XFRM_MSG_MIGRATE would have two outbound SAs of one number space for a moment."""

    async def counters(self, sa: SaId) -> Counters | None:
        """What the SA carried so far, or None where it is gone."""

    async def put_policy(self, policy: KernelPolicy, *, former: int | None = None) -> None:
        """Install a policy, or turn the one of that selector into it if it is ours: if it has the same reqid or,
        without a template, a priority of ours. `former`: it may also stand under this reqid of ours, whose holder has
        no use for it any more. Two policies of one selector never stand side by side, whatever their
        actions and priorities: another owner's is refused (EEXIST)."""

    async def delete_policy(self, policy: PolicyId, reqid: int) -> None:
        """Remove a policy that carries this reqid of ours; 0 names one of ours without a template. One that is gone
        already is no error."""

    async def idle_seconds(self, policy: PolicyId) -> float | None:
        """Seconds since the last packet that the policy let pass, in whole seconds of the kernel; None where there was
        none since it was installed, or where it is gone."""

    async def dump_sas(self) -> Sequence[FoundSa]:
        """All SAs of ESP, AH and IPComp of this network namespace, whoever installed them. A tunnel of IPComp has SAs
        of IP in IP beside it, which are the kernel's own and come and go with it."""

    async def dump_policies(self) -> Sequence[FoundPolicy]:
        """All policies of this network namespace that a `PolicyId` names, whoever installed them: not those of sockets,
        nor those for one interface or user."""

    async def probe(self, suite: IpsecSuite) -> None:
        """Install and remove a trial SA: raises `KernelRefused` where this kernel cannot run the suite."""

    def has_address(self, address: Address) -> bool:
        """Is a packet to it for this machine?"""

    def on_event(self, listener: Listener) -> None:
        """Call `listener` for every change that this process did not make: of SAs in our reqid range (a reserved SPI
        is none), of policies of whatever owner, and of addresses, links and routes. It is a hint, never the state: what
        stands is read anew."""
