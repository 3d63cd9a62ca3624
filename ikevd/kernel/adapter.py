"""The `Kernel` of this machine: Linux XFRM over netlink."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable, Sequence
from typing import Self, TypeVar

from ikevd.addresses import Address
from ikevd.errors import KernelRefused
from ikevd.host import spi_range
from ikevd.host.entropy import Entropy, SystemEntropy
from ikevd.host.events import KernelEvent, Listener, Lost, WaysChanged
from ikevd.host.policies import FoundPolicy, KernelPolicy, PolicyId
from ikevd.host.sas import Counters, FoundSa, KernelSa, SaId, UdpPorts
from ikevd.kernel import offload
from ikevd.kernel.event_filter import hear_others_only
from ikevd.kernel.netlink import NETLINK_XFRM, EventSocket, Message, NetlinkError, RequestSocket
from ikevd.kernel.refusals import describe_policy, describe_sa, policy_taken, refused, sa_refused, spi_refused
from ikevd.kernel.trial import run_trial
from ikevd.kernel.ways import Locals, WayEvents
from ikevd.kernel.xfrm_events import OCTETS as EVENT_OCTETS
from ikevd.kernel.xfrm_events import WHOLE, read_event
from ikevd.kernel.xfrm_layout import Group, Msg
from ikevd.kernel.xfrm_policies import IndexedPolicy, build_policy, build_policy_id, read_policy
from ikevd.kernel.xfrm_sas import (
    build_limit,
    build_moved,
    build_ports,
    build_sa,
    build_sa_id,
    build_spi_request,
    read_info,
    read_sa,
)
from ikevd.policy.packing import HwOffload
from ikevd.policy.reqids import is_ours
from ikevd.policy.suites import IpsecSuite
from ikevd.sa.model import EspKeys, Spi
from ikevd.wire.registry import Protocol

T = TypeVar("T")

SO_RCVBUFFORCE = 33
EVENT_BUFFER = 4 * 1024 * 1024
EVENTS = (Group.ACQUIRE, Group.EXPIRE, Group.SA, Group.POLICY, Group.MAPPING)


class XfrmKernel:
    """IPsec of the network namespace in which it is made, with the capability CAP_NET_ADMIN.

    Make it inside the running loop: `with XfrmKernel() as kernel`, or `close()` it. Closing leaves the SAs
    and policies as they are. Raises `KernelRefused` where the kernel has no XFRM, and `MissingPrivilege`.

    A request is carried out by the time it first awaits, in the calling thread; the first SA of a kind may
    make the kernel load modules, which can take a second: `probe` every suite at start.
    """

    def __init__(self, entropy: Entropy | None = None, event_buffer: int = EVENT_BUFFER) -> None:
        self._entropy = entropy or SystemEntropy()
        self._event_buffer = event_buffer
        self._listeners: list[Listener] = []
        try:
            self._requests = RequestSocket(NETLINK_XFRM)
            try:
                self._events = EventSocket(NETLINK_XFRM, EVENTS, self._heard, self._lost, self._prepare)
                self._locals = Locals()
                self._ways = WayEvents(lambda: self._tell(WaysChanged()))
            except OSError:
                self._requests.close()
                raise
        except PermissionError as error:
            raise refused("open the kernel's IPsec interface (XFRM netlink)", errno.EPERM) from error
        except OSError as error:
            raise KernelRefused(
                f"this kernel has no IPsec interface (XFRM netlink, module xfrm_user): {error.strerror}",
                error.errno or errno.EIO,
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the sockets; requests that wait fail with ECANCELED. Idempotent."""
        self._events.close()
        self._ways.close()
        self._locals.close()
        self._requests.close()

    # -- SAs

    async def reserve_spi(
        self, source: Address, destination: Address, reqid: int, protocol: Protocol = Protocol.ESP
    ) -> Spi:
        """Reserve an inbound SPI or CPI. It is forgotten after 30 s (net.core.xfrm_acq_expires)."""
        request = build_spi_request(source, destination, reqid, spi_range.of(protocol), protocol)
        try:
            answers = await self._requests.ask(Msg.ALLOCSPI, request)
        except NetlinkError as error:
            raise spi_refused(destination, reqid, protocol, error.code, error.detail) from None
        for answer in answers:
            return read_info(answer).id.spi
        raise spi_refused(destination, reqid, protocol, errno.ENOMSG)

    async def add_sa(self, sa: KernelSa, keys: EspKeys, *, reserved: bool) -> None:
        """Install an SA, see `Kernel.add_sa`.

        UPDSA on an SA that is not larval would change its limits only and report success: so it is looked at first.
        """
        body = build_sa(sa, keys)
        try:
            if sa.packing.hw_offload is HwOffload.NO or not await self._offload(sa, body, reserved=reserved):
                await self._install(sa, body, reserved=reserved)
        except NetlinkError as error:
            raise sa_refused(sa, error.code, error.detail) from None

    async def _install(self, sa: KernelSa, body: bytes, *, reserved: bool) -> None:
        if not (reserved and await self._fill(sa, body)):
            await self._requests.ask(Msg.NEWSA, body)

    async def _offload(self, sa: KernelSa, body: bytes, *, reserved: bool) -> bool:
        """Install it so that a network device does the work. False: it stands not, since none can."""
        must = sa.packing.hw_offload is HwOffload.CRYPTO
        asked = body + offload.asked_for(inbound=self.has_address(sa.destination))
        try:
            await self._install(sa, asked, reserved=reserved)
        except NetlinkError as error:
            if error.code in offload.OF_THE_SA:
                raise
            if must:
                raise offload.refused(sa, error.detail or os.strerror(error.code)) from None
            return False
        if must and not any(map(offload.is_done, await self._ask(Msg.GETSA, build_sa_id(sa.id), f"read {sa.id}"))):
            await self.delete_sa(sa.id)
            raise offload.refused(sa)
        return True

    async def _fill(self, sa: KernelSa, body: bytes) -> bool:
        """Fill the larval SA; False where there is none, or none any more."""
        found = await self._find_sa(sa.id, f"read {describe_sa(sa.id)}")
        if found is None or not found.larval or found.reqid != sa.reqid:
            return False
        try:
            await self._requests.ask(Msg.UPDSA, body)
        except NetlinkError as error:
            if error.code == errno.ESRCH:
                return False
            raise
        return True

    async def delete_sa(self, sa: SaId) -> None:
        """Remove an SA of our reqid range; another owner's is left alone, as one that is gone."""
        what = f"remove {describe_sa(sa)}"
        found = await self._find_sa(sa, what)
        if found is not None and is_ours(found.reqid):
            await self._ask(Msg.DELSA, build_sa_id(sa), what, gone=errno.ESRCH)

    async def limit_sa(self, sa: SaId, seconds: int) -> None:
        """Let the SA end that many seconds from now; another owner's is left alone, as one that is gone."""
        what, now = f"limit the life of {describe_sa(sa)}", time.time()
        for answer in await self._ask(Msg.GETSA, build_sa_id(sa), what, gone=errno.ESRCH):
            found = read_sa(answer, now)
            if found is not None and is_ours(found.reqid) and not found.larval:
                await self._ask(Msg.UPDSA, build_limit(answer, seconds, now), what, gone=errno.ESRCH)

    async def change_ports(self, sa: SaId, ports: UdpPorts) -> None:
        """Let an SA of ESP in UDP have these ports; another owner's is left alone, as one that is gone."""
        what = f"give {describe_sa(sa)} other ports"
        for answer in await self._ask(Msg.GETSA, build_sa_id(sa), what, gone=errno.ESRCH):
            found = read_sa(answer, time.time())
            if found is not None and is_ours(found.reqid) and found.encap and not found.larval:
                await self._ask(Msg.UPDSA, build_ports(answer, ports), what, gone=errno.ESRCH)

    async def move_sa(self, sa: SaId, to: KernelSa) -> None:
        """Let an SA of ESP in UDP have the ends of `to`, see `Kernel.move_sa`."""
        what = f"move {describe_sa(sa)} to {to.destination}"
        (answer,) = await self._ask(Msg.GETSA, build_sa_id(sa), what)
        found = read_sa(answer, time.time())
        if found is None or found.larval or not is_ours(found.reqid):
            raise refused(what, errno.ESRCH)
        if (found.id, found.source, found.encap) == (to.id, to.source, to.encap):
            return
        body = build_moved(answer, to)
        await self._ask(Msg.DELSA, build_sa_id(sa), what)
        await self._ask(Msg.NEWSA, body, what)

    async def counters(self, sa: SaId) -> Counters | None:
        """What the SA carried so far, or None where it is gone."""
        found = await self._find_sa(sa, f"read {describe_sa(sa)}")
        return found.counters if found else None

    async def dump_sas(self) -> Sequence[FoundSa]:
        """All SAs of ESP, AH and IPComp, whoever installed them."""
        now = time.time()
        found = await self._dump(Msg.GETSA, "list the SAs", lambda body: read_sa(body, now))
        return [sa for sa in found if sa]

    async def _find_sa(self, sa: SaId, what: str) -> FoundSa | None:
        answers = await self._ask(Msg.GETSA, build_sa_id(sa), what, gone=errno.ESRCH)
        return read_sa(answers[0], time.time()) if answers else None

    # -- policies

    async def put_policy(self, policy: KernelPolicy, *, former: int | None = None) -> None:
        """Install a policy, or turn the one of its selector into it if it is ours, see `Kernel.put_policy`."""
        body, what = build_policy(policy), f"install {describe_policy(policy.id)}"
        try:
            await self._requests.ask(Msg.NEWPOLICY, body)
        except NetlinkError as error:
            if error.code != errno.EEXIST:
                raise refused(what, error.code, error.detail) from None
        else:
            return
        found = await self._find_policy(policy.id)
        if found is not None and not found.policy.belongs_to(policy.reqid, former):
            raise policy_taken(policy.id, found.policy.reqid)
        await self._ask(Msg.UPDPOLICY, body, what)

    async def delete_policy(self, policy: PolicyId, reqid: int) -> None:
        """Remove a policy of ours with this reqid; another owner's is left alone, as one that is gone."""
        found = await self._find_policy(policy)
        if found is not None and found.policy.carries(reqid):
            # By its index: exactly the one that was looked at.
            request = build_policy_id(policy, found.index)
            await self._ask(Msg.DELPOLICY, request, f"remove {describe_policy(policy)}", gone=errno.ENOENT)

    async def idle_seconds(self, policy: PolicyId) -> float | None:
        """Seconds since the last packet that the policy let pass; None where there was none."""
        found = await self._find_policy(policy)
        return max(0.0, time.time() - found.used) if found is not None and found.used else None

    async def dump_policies(self) -> Sequence[FoundPolicy]:
        """All policies but those of sockets, whoever installed them."""
        found = await self._dump(Msg.GETPOLICY, "list the policies", read_policy)
        return [indexed.policy for indexed in found if indexed]

    async def _find_policy(self, policy: PolicyId) -> IndexedPolicy | None:
        what = f"read {describe_policy(policy)}"
        answers = await self._ask(Msg.GETPOLICY, build_policy_id(policy), what, gone=errno.ENOENT)
        return read_policy(answers[0]) if answers else None

    # -- trial

    async def probe(self, suite: IpsecSuite) -> None:
        """Install and remove a trial SA between documentation addresses."""
        await run_trial(self, suite, self._entropy)

    # -- addresses

    def has_address(self, address: Address) -> bool:
        """Is a packet to it for this machine?"""
        return self._locals.has(address)

    # -- events

    def on_event(self, listener: Listener) -> None:
        """Call `listener` for every change that this process did not make, see `Kernel.on_event`."""
        self._listeners.append(listener)

    def _prepare(self, events: socket.socket) -> None:
        events.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, self._event_buffer)
        hear_others_only(events, self._requests.port, EVENT_OCTETS, WHOLE)

    def _heard(self, message: Message) -> None:
        event = read_event(message)
        if event is not None:
            self._tell(event)

    def _lost(self) -> None:
        self._tell(Lost())

    def _tell(self, event: KernelEvent) -> None:
        for listener in self._listeners:
            listener(event)

    # -- requests

    async def _ask(self, kind: Msg, body: bytes, what: str, gone: int = 0) -> list[bytes]:
        """The answers; none also where the errno `gone` says that there is no such thing."""
        try:
            return await self._requests.ask(kind, body)
        except NetlinkError as error:
            if error.code == gone:
                return []
            raise refused(what, error.code, error.detail) from None

    async def _dump(self, kind: Msg, what: str, read: Callable[[bytes], T]) -> list[T]:
        try:
            return await self._requests.dump(kind, read)
        except NetlinkError as error:
            raise refused(what, error.code, error.detail) from None
