"""The difference between what shall stand of an interface and what stands, and how it is carried out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator

from ikevd.errors import IkeError
from ikevd.host.links import FoundLinks, Link, LinkAddress, Links, Thing


async def carry_out(
    links: Links,
    desired: Iterable[Thing],
    own: Iterable[Thing],
    found: FoundLinks,
    goes_on: Callable[[], bool],
    is_wanted: Callable[[Thing], bool],
) -> list[tuple[Thing, IkeError]]:
    """What goes first, then what comes, in its order, as long as it `goes_on`. `own`: all that may ever have been put;
    what `is_wanted` by another connection stays. What was refused, and why; what would stand on an interface that was
    refused is not tried."""
    refused = list[tuple[Thing, IkeError]]()
    wanted = tuple(desired)
    for thing in to_remove(wanted, own, found):
        if goes_on() and not is_wanted(thing):
            await _tried(links.remove(thing), thing, refused)
    for thing in to_put(wanted, found):
        if goes_on() and not any(isinstance(one, Link) and _is_on(thing, one) for one, _ in refused):
            await _tried(links.put(thing), thing, refused)
    return refused


def to_remove(desired: Iterable[Thing], own: Iterable[Thing], found: FoundLinks) -> list[Thing]:
    """Routes alone: an address stays as long as its interface."""
    kept = {*desired}
    return [thing for thing in own if thing in found.routes and thing not in kept]


def to_put(desired: Iterable[Thing], found: FoundLinks) -> Iterator[Thing]:
    """With an interface that does not stand as it shall all that shall stand on it."""
    fresh = list[Link]()
    for thing in desired:
        if isinstance(thing, Link):
            if not any(one.stands_as(thing) for one in found.links):
                fresh.append(thing)
                yield thing
        elif any(_is_on(thing, link) for link in fresh) or not _stands(thing, found):
            yield thing


def _stands(thing: Thing, found: FoundLinks) -> bool:
    return thing in (found.addresses if isinstance(thing, LinkAddress) else found.routes)


def _is_on(thing: Thing, link: Link) -> bool:
    return not isinstance(thing, Link) and thing.link == link.name


async def _tried(step: Awaitable[None], thing: Thing, refused: list[tuple[Thing, IkeError]]) -> None:
    try:
        await step
    except IkeError as refusal:
        refused.append((thing, refusal))
