"""What all connections of one daemon know of a peer together: do we hold anything with it, and what has it lost?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ikevd.addresses import Address
from ikevd.conversation.core import Conversation
from ikevd.exchanges.link import FirstContact
from ikevd.frozen import frozen
from ikevd.peer import contact, facts
from ikevd.peer.isakmp_state import IsakmpState
from ikevd.peer.state import PeerState
from ikevd.policy.connection import Connection, Unique
from ikevd.policy.identity import Identity
from ikevd.sa.model import IsakmpSa
from ikevd.wire.registry import ExchangeType

LEARNT_WITHIN = 1.0
"""Seconds after its end in which a session has surely learnt of a phase 1."""


class Known(Protocol):
    """A peer of one connection."""

    connection: Connection
    state: PeerState

    def post(self, *happenings: facts.BeganAnew | facts.Doubted) -> None:
        """Learn this."""


@frozen
class _Pair:
    """With whom we are who."""

    local_id: Identity
    remote_id: Identity
    remote: Address


_Both = tuple[Identity, Identity | None]


class Contacts:
    """Shared by all sessions of a daemon."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._known: dict[_Both, dict[Known, None]] = {}
        """By the peer's identity and ours: many connections may lead to one peer."""
        self._entered: dict[Known, _Both] = {}
        """Under which of these."""
        self._greeting: dict[_Pair, Conversation] = {}
        """Phase 1s in which INITIAL-CONTACT was said and of which no session has learnt yet."""

    def enter(self, session: Known) -> None:
        """A peer of some connection; of the one that stands for all peers from anywhere nothing is known."""
        identity = session.state.key.identity
        if identity is not None:
            both = self._entered[session] = identity, _ours(session.connection)
            self._known.setdefault(both, {})[session] = None

    def changed(self, session: Known) -> None:
        """Its connection is another one now, perhaps with another identity of ours."""
        both = self._entered.get(session)
        if both is not None and both[1] != _ours(session.connection):
            self.leave(session)
            self.enter(session)

    def leave(self, session: Known) -> None:
        """It is gone."""
        both = self._entered.pop(session, None)
        if both is None:
            return
        del self._known[both][session]
        if not self._known[both]:
            del self._known[both]

    def _between(self, ours: Identity, theirs: Identity) -> tuple[Known, ...]:
        """Those that may be of these two."""
        return (*self._known.get((theirs, ours), ()), *self._known.get((theirs, None), ()))

    # -- INITIAL-CONTACT, said

    def is_first(self, asked: FirstContact, asker: Conversation) -> bool:
        """Does nothing stand with the peer, nor is about to? Of several phase 1s that ask while none has ended, one is
        the first."""
        pair = _Pair(asked.local_id, asked.remote_id, asked.remote)
        greeting = self._greeting.get(pair)
        if greeting is not None and greeting is not asker and self._is_about_to_stand(greeting, pair):
            return False
        if any(_holds(session, pair) for session in self._between(pair.local_id, pair.remote_id)):
            return False
        greetings = self._greeting.items()
        self._greeting = {between: one for between, one in greetings if self._is_about_to_stand(one, between)}
        self._greeting[pair] = asker
        return True

    def greets_apart(self, connection: Connection, sa: IsakmpSa, asker: Conversation) -> bool:
        """Is it the first, after an Aggressive Mode of ours, in which it has no place?"""
        if sa.exchange != ExchangeType.AGGRESSIVE or not sa.initiator or connection.unique is Unique.NEVER:
            return False
        return self.is_first(FirstContact(sa.connection, sa.local_id, sa.remote_id, sa.path.remote.address), asker)

    def _is_about_to_stand(self, phase1: Conversation, pair: _Pair) -> bool:
        if not phase1.ended:
            return True
        if phase1.ended_at is None or self._now() >= phase1.ended_at + LEARNT_WITHIN:
            return False
        known, cookies = self._between(pair.local_id, pair.remote_id), phase1.cookies
        return not any(cookies in session.state.isakmp for session in known)  # else what became of it is known

    # -- INITIAL-CONTACT, heard

    def tell_others(self, session: Known, bearer: IsakmpState) -> None:
        """The peer has said it, proven, under `bearer`."""
        connection, sa = session.connection, bearer.sa
        for other in self._between(sa.local_id, sa.remote_id):
            if other is session:
                continue
            same_key = other.connection.psk.key == connection.psk.key
            if not same_key or connection.group_key or other.connection.group_key:
                self._doubt(other, bearer)
            elif bearer.began is not None and contact.holds(
                other.connection, other.state, sa.local_id, bearer.path.remote.address
            ):
                other.post(facts.BeganAnew(bearer.began))

    def _doubt(self, other: Known, bearer: IsakmpState) -> None:
        """Any member of a group has its key, and who has another key has proven something else: so it ends nothing. But
        what lived at its address may have become it."""
        remote = bearer.path.remote
        if any(known.path.remote.address == remote.address for known in other.state.isakmp.values()):
            other.post(facts.Doubted(f"a peer at {remote} begins anew under the same identity"))


def _ours(connection: Connection) -> Identity | None:
    """Who we are to its peer; None: that depends on our address."""
    return connection.local_id or (Identity.of_address(connection.local) if connection.local else None)


def _holds(session: Known, pair: _Pair) -> bool:
    """A member of a group is another one at another address; else the peer is the same wherever it is."""
    address = pair.remote if session.connection.group_key else None
    return contact.holds(session.connection, session.state, pair.local_id, address)
