"""The working copy of a peer's state inside one `decide`. What is not touched stays the very same object."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping
from typing import Generic, TypeVar

from ikevd.errors import Finding
from ikevd.peer.child_state import ChildState
from ikevd.peer.effects import Effect
from ikevd.peer.exchange_state import Attempt, QuickModeState
from ikevd.peer.isakmp_state import IsakmpState
from ikevd.peer.state import PeerState
from ikevd.policy.child import Child
from ikevd.policy.connection import Connection
from ikevd.sa.model import Cookies, Spi

K = TypeVar("K")
V = TypeVar("V")


class Records(Generic[K, V]):
    """A mapping that is copied at the first change."""

    __slots__ = ("_changed", "get", "result")

    def __init__(self, found: Mapping[K, V]) -> None:
        self.result = found
        """What it was given, if nothing has changed."""
        self.get: Callable[[K], V | None] = found.get
        """Of what stands: the method of the mapping itself, since each fact asks a few times."""
        self._changed: dict[K, V] | None = None

    @property
    def changed(self) -> bool:
        """Is it another one than it was given?"""
        return self._changed is not None

    def __getitem__(self, key: K) -> V:
        """Of what stands."""
        return self.result[key]

    def put(self, key: K, value: V) -> None:
        """A new key comes last."""
        if self.result.get(key) is not value:
            self._own()[key] = value

    def drop(self, key: K) -> V | None:
        """Remove it, if it is there."""
        if key not in self.result:
            return None
        left = self._own()
        value = left.pop(key)
        if not left:  # a dict that was emptied is three times as large as an empty one
            left.clear()
        return value

    def items(self) -> ItemsView[K, V]:
        return self.result.items()

    def __iter__(self) -> Iterator[K]:
        return iter(tuple(self.result))

    def _own(self) -> dict[K, V]:
        if self._changed is None:
            self.result = self._changed = dict(self.result)
            self.get = self._changed.get
        return self._changed


class Draft:
    """What the rooms of `ikevd.peer` read and change."""

    def __init__(self, connection: Connection, state: PeerState, now: float, salt: bytes) -> None:
        self.connection = connection
        self.key = state.key
        self.now = now
        self.salt = salt
        """Of this process: no peer knows it."""
        self.effects: list[Effect] = []
        self.farewells: dict[Cookies, tuple[int, tuple[Spi, ...]]] = {}
        """The newest Delete of IPsec SAs under each ISAKMP SA: its place among the effects, and its SPIs."""
        self.asked: dict[str, Finding] = {}
        """Why a child begins, where nobody else tells."""
        self.isakmp: Records[Cookies, IsakmpState] = Records(state.isakmp)
        self.children: Records[str, ChildState] = Records(state.children)
        self.quick_modes: Records[Attempt, QuickModeState] = Records(state.quick_modes)
        self.phase1 = state.phase1
        self.waiting = state.waiting
        self.deletes_to_send = state.deletes_to_send
        self.deletes_said = state.deletes_said
        self.replacements = state.replacements
        self.refused = state.refused
        self.hinted_at = state.hinted_at
        self.moves = state.moves
        self.one_way = state.one_way
        self.esp_came_from = state.esp_came_from
        self.unlinked = state.unlinked
        self.serial = state.serial
        self.lenders = state.lenders
        self._configured: dict[str, Child] | None = None

    @property
    def result(self) -> PeerState:
        """The state after the fact."""
        return PeerState(  # by position: one is made for each fact, and by name takes twice as long
            self.key,
            self.isakmp.result,
            self.children.result,
            self.quick_modes.result,
            self.phase1,
            self.serial,
            self.waiting,
            self.deletes_to_send,
            self.deletes_said,
            self.replacements,
            self.refused,
            self.hinted_at,
            self.moves,
            self.one_way,
            self.esp_came_from,
            self.lenders,
            self.unlinked,
        )

    def say(self, effect: Effect) -> None:
        self.effects.append(effect)

    def child(self, name: str) -> ChildState:
        """Of a child that nothing was heard of yet: as at the start."""
        return self.children.get(name) or ChildState()

    def configured(self, name: str) -> Child | None:
        """None: not in the configuration any more."""
        if self._configured is None:  # a peer may have 1,000 children, and a fact be about all of them
            self._configured = {child.name: child for child in self.connection.children}
        return self._configured.get(name)

    def number(self) -> Attempt:
        """For a new attempt of ours."""
        self.serial += 1
        return Attempt(self.serial)
