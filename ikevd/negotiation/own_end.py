"""What a change of this machine's addresses, links and routes means to one session."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ikevd.addresses import Address
from ikevd.peer import ways
from ikevd.peer.facts import Fact
from ikevd.peer.path_facts import AddressGone, WayFound
from ikevd.peer.state import PeerState


def news(
    state: PeerState, source: Address | None, is_ours: Callable[[Address], bool], has_way: Callable[[], bool]
) -> Iterator[Fact]:
    """`source`: of our phase 1 under way; `is_ours`: is it an address of this machine; `has_way`: can a first message
    leave?"""
    for address in ways.in_use(state) | ({source} if source else set()):
        if not is_ours(address):
            yield AddressGone(address, state.phase1 if address == source else None)
    if ways.waits(state) and has_way():
        yield WayFound()
