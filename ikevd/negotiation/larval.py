"""Places of first messages whose senders have not echoed our cookie yet: anybody may have forged them.

Who forges a thousand a second must not push out the one that is genuine before its sender has had time to answer, so
there is room for many, at most a kilobyte each on average: all that is kept is what our answer was made of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from ikevd.addresses import Address, Path
from ikevd.findings import Unreachable
from ikevd.frozen import frozen
from ikevd.negotiation.first_message import FirstMessage
from ikevd.negotiation.router import Authenticated
from ikevd.negotiation.running import Running
from ikevd.policy.connection import Connection
from ikevd.sa.model import COOKIE_OCTETS
from ikevd.wire.message import Header

Shelf = TypeVar("Shelf")

SHORT = 256
"""Octets of a message. Where longer ones make up more than that on average, the oldest of them make way; of those of
about one length that hold the most octets, so that who floods with one length pushes out only that."""
SPARE = 512 * 1024
"""Octets of messages beyond that average: room for a few senders with long offers."""


@frozen
class Answer:
    """Message 2, all that stands behind the two cookies, for the connections that message 1 may have been meant for."""

    connections: tuple[Connection, ...]
    octets: bytes


@dataclass(slots=True)
class Kept:
    """A first message without its cookie, by which forgeries differ: once for all that are equal."""

    octets: bytes
    places: int = 0
    answer: Answer | None = None
    """Known once there were two."""

    @property
    def bits(self) -> int:
        """Of its length: messages of about one length have the same."""
        return len(self.octets).bit_length()


class Place:
    """What is kept of one first message; the router hands it whatever bears our cookie."""

    __slots__ = ("_on_echo", "answers", "cookie", "key", "message", "path", "since")

    def __init__(self, cookie: bytes, first: FirstMessage, since: float, on_echo: OnEcho) -> None:
        """`cookie`: ours; `since`: when the message came, on the clock of the event loop."""
        self.cookie = cookie
        self.key = first.key
        self.message = Kept(first.octets[COOKIE_OCTETS:])
        self.path = first.path
        self.since = since
        self.answers = 1
        self._on_echo = on_echo

    @property
    def octets(self) -> bytes:
        """The first message, whole."""
        return self.key[-COOKIE_OCTETS:] + self.message.octets

    def heard(self, header: Header, octets: bytes, path: Path) -> Authenticated | None:
        """A datagram that names our cookie."""
        return self._on_echo(self, header, octets, path)

    def unreachable(self, message_id: int, path: Path, found: Unreachable) -> None:
        """Our answer did not arrive: nothing is kept of that, since its sender may be anybody."""


OnEcho = Callable[[Place, Header, bytes, Path], Authenticated | None]


class Places:
    """First in, first out: at most `each` of one owner, `total` in all, and a bound on the octets of all."""

    def __init__(self, each: int, total: int, owner: Callable[[Address], bytes]) -> None:
        """`owner`: whose queue a source address belongs to, in octets, whose hash is cheap."""
        self._each, self._total = each, total
        self._owner = owner
        self._queues: dict[bytes, dict[bytes, Place]] = {}
        self._by_age: dict[bytes, Place] = {}
        self._kept: dict[bytes, Kept] = {}
        self._octets: Counter[int] = Counter()
        """Of all different messages, by the bits of their length."""
        self.begun: dict[bytes, Running] = {}
        """The exchanges of a few, which wait for message 3, by our cookie."""
        self._long: dict[int, dict[bytes, Place]] = {}
        """Those whose message is longer than SHORT, by the bits of its length."""

    def __len__(self) -> int:
        return len(self._by_age)

    def bound(self, each: int, total: int) -> None:
        """Other bounds from here on: what is too much leaves as others come."""
        self._each, self._total = each, total

    def __contains__(self, place: Place) -> bool:
        return place.cookie in self._by_age

    def __iter__(self) -> Iterator[Place]:
        """Oldest first."""
        return iter(self._by_age.values())

    def queued(self, path: Path) -> int:
        """How many there are in the queue of a message that came along `path`."""
        return len(self._queue(path))

    def find(self, key: bytes, path: Path) -> Place | None:
        """The place of an earlier message between the same endpoints under the same cookie."""
        return self._queue(path).get(key)

    def equal(self, octets: bytes) -> Kept | None:
        """What is kept of other first messages that are equal but for their cookie."""
        return self._kept.get(octets[COOKIE_OCTETS:])

    def enter(self, place: Place) -> None:
        """One more, whether there is room or not."""
        self._keep_once(place)
        self._by_age[place.cookie] = place
        self._queues.setdefault(self._owner(place.path.remote.address), {})[place.key] = place
        if len(place.message.octets) > SHORT:
            self._long.setdefault(place.message.bits, {})[place.cookie] = place

    def to_make_way(self, newest: Place) -> Place | None:
        """Who must leave now that `newest` has come; None where all fit."""
        queue = self._queue(newest.path)
        if len(queue) > self._each:
            return next(iter(queue.values()))
        if len(self) > self._total:
            return next(iter(self))
        if self._octets.total() > SPARE + SHORT * len(self):
            return next(iter(self._long[max(self._long, key=self._octets.__getitem__)].values()))
        return None

    def leave(self, place: Place) -> Running | None:
        """One less; gives its exchange if that was kept."""
        del self._by_age[place.cookie]
        _remove(self._queues, self._owner(place.path.remote.address), place.key)
        if len(place.message.octets) > SHORT:
            _remove(self._long, place.message.bits, place.cookie)
        place.message.places -= 1
        if not place.message.places:
            del self._kept[place.message.octets]
            self._octets[place.message.bits] -= len(place.message.octets)
        return self.begun.pop(place.cookie, None)

    def _queue(self, path: Path) -> dict[bytes, Place]:
        return self._queues.get(self._owner(path.remote.address), {})

    def _keep_once(self, place: Place) -> None:
        octets = place.message.octets
        if octets not in self._kept:
            self._kept[octets] = place.message
            self._octets[place.message.bits] += len(octets)
        place.message = self._kept[octets]
        place.message.places += 1


def _remove(shelves: dict[Shelf, dict[bytes, Place]], shelf: Shelf, key: bytes) -> None:
    things = shelves[shelf]
    del things[key]
    if not things:
        del shelves[shelf]
