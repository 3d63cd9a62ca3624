"""Routes in memory: `Routes` as a Linux kernel is, for tests."""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Sequence

from ikevd.addresses import Address
from ikevd.host.route_claims import is_part
from ikevd.host.routes import PeerRoute, Place, Routed, WantedRoute
from ikevd.kernel.peer_routes import route_refused, source_of
from ikevd.policy.selectors import Network


class MemoryRoutes:
    """`changed` is told that something is otherwise than before."""

    def __init__(
        self, own: Sequence[Address] = (), gateway: Address | None = None, gateway6: Address | None = None
    ) -> None:
        """`own`: addresses of this machine; `gateway` and `gateway6`: on the way to every peer."""
        self.own = own
        self.gateway = gateway
        self.gateway6 = gateway6
        self.link: str | None = "eth0"
        """Where every way begins; None: there is none."""
        self.stands: dict[Place, Routed] = {}
        """Ours."""
        self.taken: set[Place] = set()
        """Somebody else's routes."""
        self.stuck = 0
        """The errno with which it refuses to remove anything."""
        self.changed: Callable[[], None] = lambda: None
        self.done: list[tuple[str, Routed]] = []
        """What was put and removed, in this order."""

    async def resolve(self, wanted: Sequence[WantedRoute]) -> list[PeerRoute | None]:
        """See `Routes.resolve`."""
        return [self._begun(one) if self.link is not None else None for one in wanted]

    def _begun(self, one: WantedRoute) -> PeerRoute:
        gateway = self.gateway if one.peer.version == 4 else self.gateway6
        gateway = gateway if one.peer.version == one.to.version else None
        source = source_of(one, self.own, one.local)
        return PeerRoute(one.to, one.table, one.metric, self.link, gateway, source, one.mtu)

    async def others(self, inside: Collection[Network]) -> frozenset[Network]:
        """See `Routes.others`."""
        networks = (place[0] for place in self.taken if not isinstance(place[0], int))
        return frozenset(network for network in networks if is_part(network, inside))

    async def read(self) -> frozenset[Routed]:
        """See `Routes.read`."""
        return frozenset(self.stands.values())

    async def put(self, thing: Routed, *, instead: bool) -> None:
        """See `Routes.put`."""
        if thing.place in self.taken or (not instead and self.stands.get(thing.place, thing) != thing):
            raise route_refused(thing, errno.EEXIST)
        if isinstance(thing, PeerRoute) and thing.source is not None and thing.source not in self.own:
            raise route_refused(thing, errno.EINVAL)
        self.stands[thing.place] = thing
        self.done.append(("put", thing))
        self.changed()

    async def remove(self, thing: Routed) -> None:
        """See `Routes.remove`."""
        if self.stuck:
            raise route_refused(thing, self.stuck)
        if self.stands.get(thing.place) == thing:
            del self.stands[thing.place]
            self.done.append(("remove", thing))
            self.changed()

    def close(self) -> None:
        """Nothing to close."""

    # -- by the hand of another program

    def take(self, place: Place) -> None:
        """It removes a route of ours."""
        self.stands.pop(place, None)
        self.changed()
