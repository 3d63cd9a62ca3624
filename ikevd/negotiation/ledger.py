"""One peer's part of the store: what a fact changed is written before its effects, and what moves an exchange before
what it leads to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ikevd.conversation.effects import Remember
from ikevd.conversation.inputs import Beginning, Inputs
from ikevd.frozen import replace
from ikevd.negotiation.message_ids import Tally
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.state import PeerKey, PeerState
from ikevd.policy.connection import Connection
from ikevd.policy.digest import digest
from ikevd.sa.model import Cookies
from ikevd.store.difference import difference
from ikevd.store.interface import Changes, ExchangeKey, ExchangeState, Store

MAX_KEPT_OCTETS = 256 * 1024
"""Of the datagrams of one peer's exchanges; what exceeds that cannot be told again by a new process."""
NOTHING_USED: Mapping[Cookies, tuple[int, ...]] = MappingProxyType({})


class Ledger:
    """Writes what a new process needs to go on with this peer."""

    __slots__ = ("_connection", "_key", "_store", "_trouble", "_written", "kept_octets", "message_ids", "renews")

    def __init__(self, store: Store, key: PeerKey, connection: Connection, trouble: Callable[[str], None]) -> None:
        """`trouble` is told, once, that the store can be written no more."""
        self._store = store
        self._key = key
        self._connection = connection
        self._trouble = trouble
        self._written: PeerState | None = None
        self.renews = False
        """What the store holds was written for another connection; from the next fact on it is this one's."""
        self.kept_octets = 0
        """Of the datagrams of all exchanges that are kept."""
        self.message_ids = Tally()
        """How many the store holds of the peer."""

    def reload(self, connection: Connection) -> None:
        """The connection is another one from the next fact on."""
        self._connection, self.renews = connection, True

    @property
    def open(self) -> bool:
        """Is anything written at all?"""
        return self._store.invalid is None

    def read(self, state: PeerState) -> None:
        """This is what the store holds, written by an earlier process."""
        self._written = state

    def learnt(self, state: PeerState, used: Mapping[Cookies, tuple[int, ...]] = NOTHING_USED) -> None:
        """The state after a fact; `used`: message IDs that the fact uses up."""
        if not self.open:
            return
        changes = difference(self._written, state)
        if used:
            changes = replace(changes, used={key: ids for key, ids in used.items() if key in state.isakmp})
        if self._written is None or self.renews:
            changes, self.renews = replace(changes, digest=digest(self._connection)), False
        self._put(changes)
        self._written = state

    def exchange(self, cookies: Cookies, message_id: int, state: ExchangeState) -> None:
        """An exchange has been moved; it is not kept longer than its ISAKMP SA, a phase 1 of the peer's not longer than
        the peer. Before the peer's first message is stored, its message ID is not used up: a repetition is served
        anew."""
        if not message_id and self._written is not None:
            self._put(Changes(self._key, exchanges={ExchangeKey(cookies, message_id): state}))
        elif self._has(cookies):
            used = {cookies: (message_id,)} if state.inputs.beginning.initiator or state.inputs.heard else {}
            self._put(Changes(self._key, exchanges={ExchangeKey(cookies, message_id): state}, used=used))

    def used(self, cookies: Cookies, message_id: int) -> None:
        """A message ID of ours, for an exchange that is not kept."""
        if self._has(cookies):
            self._put(Changes(self._key, used={cookies: (message_id,)}))

    def _has(self, cookies: Cookies) -> bool:
        return self._written is not None and cookies in self._written.isakmp

    def forget_exchange(self, cookies: Cookies, message_id: int) -> None:
        """Nobody will ask for it any more."""
        if self._written is not None:
            self._put(Changes(self._key, gone_exchanges=(ExchangeKey(cookies, message_id),)))

    def give_up(self, cookies: Cookies, message_id: int) -> None:
        """The exchange goes on, but no other process can tell it again, nor begin another one with its message ID."""
        if self._written is not None:
            used = {cookies: (message_id,)} if self._has(cookies) else {}
            self._put(Changes(self._key, gone_exchanges=(ExchangeKey(cookies, message_id),), used=used))

    def gone(self) -> None:
        """Nothing of the peer is left."""
        self._put(Changes(self._key, gone=True))
        self._written = None

    def _put(self, changes: Changes) -> None:
        if said := self._store.put(changes):
            self._trouble(said)


class Kept:
    """What has moved one exchange so far."""

    __slots__ = ("_attempt", "_child", "_inputs", "_ledger")

    def __init__(self, ledger: Ledger, beginning: Beginning, child: str | None = None) -> None:
        """`child`: of a Quick Mode of ours."""
        self._ledger = ledger
        self._inputs: Inputs | None = Inputs(beginning)
        self._attempt: Attempt | None = None
        self._child = child

    @classmethod
    def read(cls, ledger: Ledger, state: ExchangeState) -> Kept:
        """As an earlier process left it."""
        kept = cls(ledger, state.inputs.beginning, state.child)
        kept._inputs, kept._attempt = state.inputs, state.attempt
        ledger.kept_octets += state.inputs.octets
        return kept

    @property
    def beginning(self) -> Beginning:
        """Of an exchange that is kept, and not forgotten yet."""
        assert self._inputs is not None
        return self._inputs.beginning

    def numbered(self, attempt: Attempt) -> None:
        """The number of a Quick Mode."""
        self._attempt = attempt

    def remember(self, new: Remember) -> None:
        """One thing more. Where it is too much, of this exchange or of all of the peer, it cannot be told again."""
        if self._inputs is None:
            return
        beginning, more = self._inputs.beginning, self._inputs.adding(new.given, new.said)
        added = len(new.given.octets)
        if more is None or self._ledger.kept_octets + added > MAX_KEPT_OCTETS:
            self.let_go()
            self._ledger.give_up(beginning.name, beginning.message_id)
            return
        self._inputs = more
        self._ledger.kept_octets += added
        state = ExchangeState(more, self._attempt, self._child)
        self._ledger.exchange(beginning.name, beginning.message_id, state)

    def forget(self) -> None:
        """Nobody will ask for it any more."""
        if inputs := self.let_go():
            self._ledger.forget_exchange(inputs.beginning.name, inputs.beginning.message_id)

    def let_go(self) -> Inputs | None:
        """Its room is free again, as where its ISAKMP SA is gone, with which the store forgets it. Gives what was
        kept."""
        inputs, self._inputs = self._inputs, None
        if inputs is not None:
            self._ledger.kept_octets -= inputs.octets
        return inputs
