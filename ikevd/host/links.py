"""The port to the network interfaces and routes of this machine, as far as they are made for tunnels. Implemented by
`kernel/links` and, for tests, in memory.

What is ours is known by numbers: interfaces by their group, which they have from the moment that they are made, routes
by their protocol. All calls raise `ikevd.errors.KernelRefused` (or `MissingPrivilege`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from ipaddress import IPv4Interface, IPv6Interface
from typing import Protocol

from ikevd.addresses import Address
from ikevd.frozen import frozen
from ikevd.policy.interface import InterfaceKind
from ikevd.policy.selectors import Network

GROUP = 0x696B
"""Of our interfaces (IFLA_GROUP)."""
ALIAS = "ikevd:"
"""Before the name of the connection, in the alias of an interface of ours."""
ROUTE_PROTOCOL = 205
"""Of our routes (RTA_PROTOCOL); none that iproute2 names."""
LAST_METRIC = 0xFF000000
"""Of what is unreachable while no tunnel stands: any other route to the same network wins."""
METRIC_6 = 1024
"""What IPv6 makes of metric 0."""


@frozen
class Link:
    """An interface."""

    name: str
    kind: InterfaceKind
    number: int
    """if_id, or mark and key."""
    owner: str
    """The connection."""
    up: bool
    local: Address | None = None
    """Of a VTI: our end of the tunnel; None: any."""
    remote: Address | None = None
    """Of a VTI: the peer; None: any."""
    mtu: int | None = None
    """None: the kernel's own."""
    namespace: str = ""
    """The network namespace in which it stands; empty: ours, in which its SAs are in any case."""


@frozen
class LinkAddress:
    """An address of an interface, with its network."""

    link: str
    address: IPv4Interface | IPv6Interface
    namespace: str = ""


@frozen
class Route:
    """A route to a network."""

    to: Network
    link: str | None
    """None: it is unreachable."""
    table: int
    metric: int
    """Never 0 for IPv6."""
    namespace: str = ""


Thing = Link | LinkAddress | Route
"""What is put and removed by itself."""


@frozen
class FoundLink:
    """An interface that stands, whoever made it."""

    name: str
    index: int
    """Another interface of the same name has another one."""
    ours: bool
    kind: InterfaceKind | None
    """None: it is of neither."""
    number: int
    alias: str
    up: bool
    mtu: int
    local: Address | None = None
    remote: Address | None = None
    below: int = 0
    """Of an XFRM interface: the index of the VRF by whose routes ESP leaves; 0: by those of its own."""
    astray: bool = False
    """Is that another one than it shall be? Never of an interface that somebody else made."""
    namespace: str = ""

    @property
    def owner(self) -> str:
        """The connection that it was made for; empty: that was not written yet."""
        return self.alias.removeprefix(ALIAS)

    def is_of(self, link: Link) -> bool:
        """Is it ours, for the same connection?"""
        return self.ours and self.owner in ("", link.owner)

    def is_made_as(self, link: Link) -> bool:
        """Has it what cannot be changed?"""
        ends = self.local == link.local and self.remote == link.remote
        same = (self.kind, self.number) == (link.kind, link.number) and not self.astray
        return same and (link.kind is InterfaceKind.XFRM or ends)

    def is_adopted_as(self, link: Link) -> bool:
        """Has somebody else made it, as just this one?"""
        return not self.ours and self.is_made_as(link)

    def stands_as(self, link: Link) -> bool:
        """Is nothing of it to be changed? One that is adopted goes up for us, and never down."""
        if self.is_adopted_as(link):
            return self.up or not link.up
        alike = self.is_of(link) and self.owner == link.owner and self.is_made_as(link)
        return alike and self.up is link.up and link.mtu in (None, self.mtu)


@frozen
class FoundLinks:
    """What stands."""

    links: Sequence[FoundLink]
    addresses: Sequence[LinkAddress]
    """Of these."""
    routes: Sequence[Route]
    """Ours."""


class Links(Protocol):
    """Interfaces and routes of our network namespace, and of those that are named."""

    async def kinds(self) -> Collection[InterfaceKind]:
        """Those that this kernel can make."""

    async def read(self, name: str, namespace: str = "") -> FoundLinks:
        """The interface of this name, its addresses, and all routes of ours there."""

    async def read_ours(self, namespaces: Collection[str] = ()) -> FoundLinks:
        """All interfaces and routes of ours, those in `namespaces` too, as far as these are there."""

    async def put(self, thing: Thing) -> None:
        """Make it, or let it be as `thing` where it is ours and stands. A `Link` that somebody else has made as just
        that one is adopted: it is set up, and else left as it is. Any other one of its name is refused."""

    async def remove(self, thing: Thing) -> None:
        """Take it away where it is ours; what is gone, or another's, is left alone: an address of an interface that
        somebody else made, too. With an interface its addresses and routes go, and all of it with its namespace."""

    def path_mtu(self, source: Address, destination: Address) -> int | None:
        """The longest packet that reaches `destination` whole, as far as this machine knows; None: it has no way
        there. Takes microseconds."""

    def close(self) -> None:
        """Idempotent. What stands stays."""
