"""`unreachable` routes are put before what has kept their networks from leaving in the clear so far goes."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from ikevd.errors import IkeError
from ikevd.host.links import Links, Route
from ikevd.negotiation.paced import paced
from ikevd.negotiation.session import Session


async def put_unreachable(links: Links | None, sessions: Iterable[Session]) -> None:
    """Of those whose interfaces are not brought about yet. What the kernel refuses they tell and try again."""
    wanted = dict[Route, None]()
    async for session in paced(sessions):
        wanted.update(dict.fromkeys(session.unreachable_routes()))
    if links is None or not wanted:
        return
    stands = frozenset[Route]()
    with suppress(IkeError):
        stands = frozenset((await links.read_ours({route.namespace for route in wanted} - {""})).routes)
    for route in wanted:
        if route not in stands:
            with suppress(IkeError):
                await links.put(route)
