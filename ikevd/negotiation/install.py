"""IPsec SA pairs in the kernel: all of a step stands, or nothing of it.

Policies belong to the configured child (its reqid) and stay while any pair of the child needs them; an SA belongs to
one negotiation. A child's policies have one owner: another peer cannot take them over.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import islice

from ikevd.errors import IkeError, KernelRefused
from ikevd.exchanges.link import HostAnswer, HostCall, OpenInbound, OpenOutbound, ReserveSpi
from ikevd.host.interface import (
    Action,
    Counters,
    Direction,
    Kernel,
    KernelPolicy,
    KernelSa,
    PolicyId,
    SaExpired,
    SaId,
    Template,
    UdpPorts,
)
from ikevd.policy.priorities import priority
from ikevd.sa.model import EspKeys, IpsecSa, Spi, UdpEncapsulation

INBOUND = (Direction.IN, Direction.FWD)
OUTBOUND = (Direction.OUT,)
NOTHING = Counters(octets=0, packets=0)
MAX_ASKED = 8
"""Policies of one direction whose last use is asked for: selectors that are ranges make many."""


class Installer:
    """The one place that changes the kernel's SAs and policies. Removes only what it installed itself: the outbound SPI
    is the peer's choice, and may name somebody else's SA."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._lock = asyncio.Lock()
        self._users: dict[Direction, dict[int, tuple[IpsecSa, ...]]] = {kind: {} for kind in Direction}
        """The pairs that need a child's policies of one direction, by its reqid, oldest first."""
        self._outbound: set[Spi] = set()
        """Inbound SPIs of the pairs whose outbound SA we installed."""
        self._owners: dict[int, str] = {}

    async def reserve_spi(self, call: ReserveSpi) -> Spi:
        """An inbound SPI, which the kernel forgets after 30 s."""
        return await self._kernel.reserve_spi(call.remote, call.local, call.reqid)

    async def free_spi(self, call: ReserveSpi, spi: Spi) -> None:
        """Give a reserved SPI back."""
        await self._kernel.delete_sa(SaId(call.local, spi))

    async def open_inbound(self, sa: IpsecSa, keys: EspKeys, owner: str) -> None:
        """The inbound SA with its in and fwd policies; raises `KernelRefused` and leaves nothing."""
        async with self._lock:
            self._claim(sa, owner)
            try:
                await self._kernel.add_sa(_inbound(sa), keys, reserved=True)
                await self._put_policies(sa, INBOUND)
            except IkeError:
                await self._remove(sa, [])
                raise

    async def open_outbound(self, sa: IpsecSa, keys: EspKeys) -> None:
        """The outbound SA with its policy; raises `KernelRefused`, and `close` removes what stands of the pair."""
        async with self._lock:
            await self._kernel.add_sa(_outbound(sa), keys, reserved=False)
            self._outbound.add(sa.inbound)
            await self._put_policies(sa, OUTBOUND)

    async def close(self, sa: IpsecSa) -> None:
        """Remove both SAs, and the policies that no other pair of the child needs. Goes on after a refusal, and
        raises the first one at the end."""
        async with self._lock:
            refusals: list[IkeError] = []
            await self._remove(sa, refusals)
            if refusals:
                raise refusals[0]

    async def close_all(self) -> None:
        """Remove every pair that still stands, as after a bug. What the kernel refuses is for the next start."""
        standing = {sa.inbound: sa for users in self._users.values() for pairs in users.values() for sa in pairs}
        for sa in standing.values():
            with suppress(IkeError):
                await self.close(sa)

    def on_expire(self, listener: Callable[[SaExpired], None]) -> None:
        """Call `listener` for every SA of ours that the kernel ends."""
        self._kernel.on_event(lambda event: listener(event) if isinstance(event, SaExpired) else None)

    async def counters(self, sa: IpsecSa) -> tuple[Counters, Counters]:
        """Inbound and outbound; zero for a direction that is gone."""
        inbound = await self._kernel.counters(_inbound(sa).id)
        outbound = await self._kernel.counters(_outbound(sa).id)
        return inbound or NOTHING, outbound or NOTHING

    async def idle_seconds(self, sa: IpsecSa) -> tuple[float | None, float | None]:
        """Seconds since the last packet of the pair's child, inbound and outbound; None where there was none since its
        policies were last installed. The kernel knows it by policy, and local packets take another one than those that
        are forwarded."""
        return await self._idle(sa, INBOUND), await self._idle(sa, OUTBOUND)

    async def _idle(self, sa: IpsecSa, directions: tuple[Direction, ...]) -> float | None:
        policies = [policy.id for kind in directions for policy in islice(_policies(sa, kind), MAX_ASKED)]
        found = [await self._kernel.idle_seconds(policy) for policy in policies]
        return min((idle for idle in found if idle is not None), default=None)

    def _claim(self, sa: IpsecSa, owner: str) -> None:
        holder = self._owners.setdefault(sa.reqid, owner)
        if holder != owner:
            raise KernelRefused(
                f"the traffic selectors of {sa.child} are in use by another peer, {holder}", errno.EEXIST
            )

    async def _put_policies(self, sa: IpsecSa, directions: tuple[Direction, ...]) -> None:
        for kind in directions:
            self._users[kind][sa.reqid] = (*self._users[kind].get(sa.reqid, ()), sa)
            for policy in _policies(sa, kind):
                await self._kernel.put_policy(policy)

    async def _remove(self, sa: IpsecSa, refusals: list[IkeError]) -> None:
        if sa.inbound in self._outbound:
            self._outbound.discard(sa.inbound)
            await _trying(self._kernel.delete_sa(_outbound(sa).id), refusals)
        await _trying(self._kernel.delete_sa(_inbound(sa).id), refusals)
        for kind in (*OUTBOUND, *INBOUND):
            await self._release(sa, kind, refusals)
        if not any(sa.reqid in users for users in self._users.values()):
            self._owners.pop(sa.reqid, None)

    async def _release(self, sa: IpsecSa, kind: Direction, refusals: list[IkeError]) -> None:
        """Policies follow the newest pair that is left, or go with the last one."""
        users = self._users[kind].get(sa.reqid, ())
        left = tuple(other for other in users if other.inbound != sa.inbound)
        if len(left) == len(users):
            return
        if left:
            self._users[kind][sa.reqid] = left
            for policy in _policies(left[-1], kind):
                await _trying(self._kernel.put_policy(policy), refusals)
            return
        del self._users[kind][sa.reqid]
        for policy in _policies(sa, kind):
            await _trying(self._kernel.delete_policy(policy.id, policy.reqid), refusals)


async def _trying(step: Awaitable[None], refusals: list[IkeError]) -> None:
    try:
        await step
    except IkeError as refusal:
        refusals.append(refusal)


def _inbound(sa: IpsecSa) -> KernelSa:
    return _kernel_sa(sa, sa.inbound, outbound=False)


def _outbound(sa: IpsecSa) -> KernelSa:
    return _kernel_sa(sa, sa.outbound, outbound=True)


def _kernel_sa(sa: IpsecSa, spi: Spi, *, outbound: bool) -> KernelSa:
    source, destination = (sa.local, sa.remote) if outbound else (sa.remote, sa.local)
    encap = _ports(sa.encap, outbound=outbound) if sa.encap else None
    return KernelSa(source, destination, spi, sa.reqid, sa.suite, sa.lifetime, sa.replay_window, encap, sa.icv_bits)


def _ports(encap: UdpEncapsulation, *, outbound: bool) -> UdpPorts:
    ours, theirs = encap.local_port, encap.remote_port
    return UdpPorts(ours, theirs) if outbound else UdpPorts(theirs, ours)


def _policies(sa: IpsecSa, direction: Direction) -> Iterator[KernelPolicy]:
    """One policy for each pair of subnets that make up the two selectors."""
    ours, theirs = sa.local_selector, sa.remote_selector
    out = direction is Direction.OUT
    source, destination = (ours, theirs) if out else (theirs, ours)
    ends = (sa.local, sa.remote) if out else (sa.remote, sa.local)
    for source_network in source.networks:
        for destination_network in destination.networks:
            name = PolicyId(
                source_network,
                destination_network,
                source.protocol or destination.protocol,
                source.port,
                destination.port,
                direction,
            )
            number = priority(source_network, destination_network, name.protocol, source.port, destination.port)
            yield KernelPolicy(name, Action.TUNNEL, number, Template(*ends, sa.reqid))


class KernelHost:
    """The host of one Quick Mode: remembers what it did, so that it can be undone."""

    def __init__(self, installer: Installer, owner: str) -> None:
        self._installer = installer
        self._owner = owner
        self._lock = asyncio.Lock()
        self.reqid: int | None = None
        """Of the child that this machine was asked to serve, whether or not it could."""
        self._reserved: tuple[ReserveSpi, Spi] | None = None
        self._opened: IpsecSa | None = None

    @property
    def child(self) -> str | None:
        """The child whose SA was opened."""
        return self._opened.child if self._opened else None

    @property
    def spi(self) -> Spi | None:
        """The inbound SPI that the peer may know, once a message of ours has left."""
        return self._reserved[1] if self._reserved else None

    async def serve(self, call: HostCall) -> HostAnswer:
        """Carry out one call of the exchange; raises `KernelRefused`."""
        async with self._lock:
            match call:
                case ReserveSpi():
                    self.reqid = call.reqid
                    self._reserved = call, await self._installer.reserve_spi(call)
                    return self._reserved[1]
                case OpenInbound(sa, keys):
                    await self._installer.open_inbound(sa, keys, self._owner)
                    self._opened = sa
                case OpenOutbound(sa, keys):
                    await self._installer.open_outbound(sa, keys)
        return None

    async def undo(self) -> None:
        """Remove whatever was done, once a call in flight has ended."""
        async with self._lock:
            if self._opened:
                await self._installer.close(self._opened)
            elif self._reserved:
                await self._installer.free_spi(*self._reserved)
            self._opened = None
