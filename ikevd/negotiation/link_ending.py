"""The interfaces and routes of a daemon that takes all down: the kernel takes tens of milliseconds for an interface."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress

from ikevd.errors import IkeError
from ikevd.host.links import GROUP, ROUTE_PROTOCOL, Link, Links, Route, Thing
from ikevd.negotiation.paced import paced
from ikevd.negotiation.reports import surely_done
from ikevd.negotiation.session import Session
from ikevd.peer.links import namespaces_of

LEFT = (
    "interfaces and routes of tunnels are left; they are removed at the next start, or where no other ikevd runs by "
    f"`ip route flush table all proto {ROUTE_PROTOCOL}`, the same with `ip -6`, and `ip link delete group {GROUP}`"
)


async def remove_links(sessions: Collection[Session], links: Links | None) -> None:
    """What is unreachable, then the interfaces, with which their addresses and routes go; then the routes that still
    stand, as those through an interface that was adopted."""
    await _remove(sessions, lambda thing: isinstance(thing, Route) and thing.link is None)
    await _remove(sessions, lambda thing: isinstance(thing, Link))
    if links is not None and any(session.connection.interface is not None for session in sessions):
        there = namespaces_of(session.connection for session in sessions)
        with suppress(IkeError):
            stands = frozenset((await links.read_ours(there)).routes)
            await _remove(sessions, stands.__contains__)


async def _remove(sessions: Collection[Session], which: Callable[[Thing], bool]) -> None:
    async for session in paced(sessions):
        await surely_done(session.clear_links(which))
