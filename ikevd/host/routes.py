"""The port to the routes of this machine that follow policy-based tunnels. Implemented by `kernel/peer_routes` and, for
tests, in memory.

What is ours is known by its protocol number. All calls raise `ikevd.errors.KernelRefused` (or `MissingPrivilege`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from ipaddress import ip_network
from typing import Protocol

from ikevd.addresses import Address
from ikevd.frozen import frozen
from ikevd.policy.interface import MAIN_TABLE
from ikevd.policy.selectors import Network

PROTOCOL = 206
"""Of our routes (RTA_PROTOCOL) and rules (FRA_PROTOCOL); none that iproute2 names, and not that of interfaces."""
RULE_PRIORITY = 220
"""Of the rule of each table but `main`; strongSwan's has the same."""


@frozen
class PeerRoute:
    """A route that begins as the way to a peer does."""

    to: Network
    table: int
    metric: int
    """Never 0 for IPv6."""
    link: str | None = None
    """None: what goes there is looked for in the tables that come after this one (`throw`)."""
    gateway: Address | None = None
    source: Address | None = None
    """Of packets of this machine that have chosen none."""
    mtu: int | None = None

    @property
    def place(self) -> Place:
        """The kernel has one route in each."""
        return self.to, self.table, self.metric


@frozen
class Rule:
    """All packets of an IP version are looked for in a table, before `main`."""

    version: int
    table: int

    @property
    def place(self) -> Place:
        """There is one in each."""
        return self.version, self.table, 0


Place = tuple[Network | int, int, int]
Routed = PeerRoute | Rule
"""What is put and removed by itself."""


@frozen
class WantedRoute:
    """What is not known before the routing tables of this moment tell it is left open."""

    to: Network
    peer: Address
    local: Address | None
    """Our end of the tunnel; None: routing chooses."""
    within: tuple[Network, ...]
    """What the tunnel carries of this side: its source lies in there."""
    sources: tuple[Address, ...] = ()
    """Empty: an address of this machine."""
    table: int = MAIN_TABLE
    metric: int = 0
    mtu: int | None = None
    inside: Network | None = None
    """The peer chose `to` out of this network; None: the file says it."""
    spared: tuple[Address, ...] = ()
    """Other peers in it, which it does not lead to."""

    @property
    def place(self) -> Place:
        """As of what becomes of it."""
        return self.to, self.table, self.metric

    @property
    def beside(self) -> tuple[Routed, ...]:
        """What it needs: no peer is reached by it, and its table is looked at."""
        if self.table == MAIN_TABLE:
            return ()
        covers = self.peer.version == self.to.version and self.peer in self.to
        apart = (self.peer, *self.spared) if covers else self.spared
        aside = (PeerRoute(ip_network(peer), self.table, self.metric) for peer in apart)
        return *aside, Rule(self.to.version, self.table)


class Routes(Protocol):
    """Of one network namespace."""

    async def resolve(self, wanted: Sequence[WantedRoute]) -> list[PeerRoute | None]:
        """As they shall stand now; None: no way leads to the peer."""

    async def others(self, inside: Collection[Network]) -> frozenset[Network]:
        """To which routes of others lead, in any table, and addresses of this machine, as far as they are parts of one
        of these networks."""

    async def read(self) -> frozenset[Routed]:
        """All of ours that stands."""

    async def put(self, thing: Routed, *, instead: bool) -> None:
        """`instead` of one of ours in the same place; else it is refused where another one stands there."""

    async def remove(self, thing: Routed) -> None:
        """What is gone, or another's, is left alone."""

    def close(self) -> None:
        """Idempotent. What stands stays."""
