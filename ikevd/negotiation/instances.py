"""Which client of many: an instance is a number given at birth; its address and port find it again at renewal."""

from __future__ import annotations

from collections.abc import Callable

from ikevd.addresses import Endpoint
from ikevd.frozen import frozen
from ikevd.peer import clients
from ikevd.peer.state import PeerKey, PeerState
from ikevd.policy.connection import Connection
from ikevd.policy.identity import Identity


@frozen
class _Place:
    connection: str
    identity: Identity
    endpoint: Endpoint
    """Of IKE, after the float."""


class Instances:
    """Of connections whose key several clients share; whose identity is its own is one peer, wherever it comes from."""

    def __init__(self, where: Callable[[PeerKey], Endpoint | None]) -> None:
        """`where`: the place of one that is alive."""
        self._where = where
        self._at: dict[_Place, PeerKey] = {}
        self._places: dict[PeerKey, _Place] = {}
        self._numbers: dict[tuple[str, Identity], dict[int, None]] = {}
        """Those that are alive, in the order of their birth; the last number is the greatest."""

    def key(self, connection: Connection, identity: Identity, endpoint: Endpoint) -> PeerKey:
        """Who has proven this identity from there: an instance that is known there, or else one that is born now."""
        if not connection.group_key:
            return PeerKey(connection.name, identity)
        found = self._at.get(_Place(connection.name, identity, endpoint))
        if found is not None:
            return found
        alive = self._numbers.get((connection.name, identity), {})
        return PeerKey(connection.name, identity, next(reversed(alive), 0) + 1)

    def follow(self, state: PeerState) -> None:
        """A message of it was accepted, perhaps from another place than before. The place of another one that is still
        there stays that one's."""
        key = state.key
        if not key.instance or key.identity is None:
            return
        endpoint, before = clients.endpoint(state), self._places.get(key)
        if endpoint is None or (before is not None and before.endpoint == endpoint):
            self._alive(key.connection, key.identity)[key.instance] = None
            return
        if before is not None and self._at.get(before) == key:
            del self._at[before]
        self._alive(key.connection, key.identity)[key.instance] = None
        place = _Place(key.connection, key.identity, endpoint)
        holder = self._at.get(place)
        if holder is not None and holder != key and self._where(holder) == endpoint:
            self._places.pop(key, None)
            return
        self._places[key], self._at[place] = place, key

    def gone(self, key: PeerKey) -> None:
        """Nothing of it is left."""
        if not key.instance or key.identity is None:
            return
        place = self._places.pop(key, None)
        if place is not None and self._at.get(place) == key:
            del self._at[place]
        alive = self._alive(key.connection, key.identity)
        alive.pop(key.instance, None)
        if not alive:
            del self._numbers[key.connection, key.identity]

    def _alive(self, connection: str, identity: Identity) -> dict[int, None]:
        return self._numbers.setdefault((connection, identity), {})
