"""The store as a session sees it: what one fact changed is one transaction, written before the fact's effects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Protocol

from ikevd.addresses import Address
from ikevd.conversation.inputs import Inputs
from ikevd.crypto.secret import Secret
from ikevd.frozen import frozen
from ikevd.host.links import Link, LinkAddress, Route, Thing
from ikevd.host.policies import PolicyId
from ikevd.host.routes import PeerRoute, Routed, Rule
from ikevd.host.sas import SaId
from ikevd.peer.child_state import ChildState
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import IsakmpState
from ikevd.peer.state import PeerKey, PeerState
from ikevd.sa.model import Cookies


@frozen
class ExchangeKey:
    """One exchange under an ISAKMP SA."""

    cookies: Cookies
    message_id: int
    """Of 32 bits; 0: phase 1 itself."""


@frozen
class ExchangeState:
    """An exchange as a new process can tell it again, under way or ended: then it answers repetitions."""

    inputs: Inputs
    """From which its keys can be derived, as from the keys of its ISAKMP SA."""
    attempt: Attempt | None = None
    child: str | None = None
    """A Quick Mode of ours: which child it is for."""


@frozen
class Changes:
    """What one transaction changes about one peer."""

    peer: PeerKey
    head: PeerState | None = None
    """All of it but its ISAKMP SAs and children, which are empty here. None: as it was."""
    isakmp: Mapping[Cookies, IsakmpState] = field(default_factory=dict)
    children: Mapping[str, ChildState] = field(default_factory=dict)
    gone_isakmp: tuple[Cookies, ...] = ()
    """Their exchanges go with them."""
    gone_children: tuple[str, ...] = ()
    exchanges: Mapping[ExchangeKey, ExchangeState] = field(default_factory=dict)
    gone_exchanges: tuple[ExchangeKey, ...] = ()
    used: Mapping[Cookies, tuple[int, ...]] = field(default_factory=dict)
    """Message IDs that no exchange may have again; they go with their ISAKMP SA."""
    digest: Secret | None = None
    """Of the connection as it was configured when the peer came (`policy.digest`); None: as it was."""
    gone: bool = False
    """The peer goes with all that is stored of it."""

    def __bool__(self) -> bool:
        """Does it change anything?"""
        records = (self.isakmp, self.children, self.gone_isakmp, self.gone_children)
        parts = (*records, self.exchanges, self.gone_exchanges, self.used)
        return self.gone or self.head is not None or self.digest is not None or any(parts)


@frozen
class StoredPeer:
    """One peer as a former process left it."""

    state: PeerState
    digest: Secret | None
    """None where none was ever written."""
    exchanges: Mapping[ExchangeKey, ExchangeState]
    used: Mapping[Cookies, tuple[int, ...]] = field(default_factory=dict)
    """Message IDs, by ISAKMP SA."""


@frozen
class PlacedPolicy:
    """A policy that this ikevd has put, or is about to put."""

    id: PolicyId
    reqid: int
    """0: a bypass or a drop."""


@frozen
class Placed:
    """What stands in the kernel beside what the records of the peers name: what the file alone asks for, and what is
    still to be removed."""

    policies: tuple[PlacedPolicy, ...] = ()
    sas: tuple[SaId, ...] = ()
    ends: tuple[Address, ...] = ()
    """Where tunnels of this ikevd ended, or may have ended."""
    links: tuple[Link, ...] = ()
    addresses: tuple[LinkAddress, ...] = ()
    routes: tuple[Route, ...] = ()
    peer_routes: tuple[PeerRoute, ...] = ()
    rules: tuple[Rule, ...] = ()

    @property
    def routed(self) -> tuple[Routed, ...]:
        """Routes that follow policy-based tunnels, and the rules of their tables."""
        return (*self.peer_routes, *self.rules)

    @property
    def things(self) -> tuple[Thing, ...]:
        """Interfaces, their addresses, and routes."""
        return (*self.links, *self.addresses, *self.routes)


class Store(Protocol):
    """What it holds is valid, or it holds nothing: as soon as something cannot be written or read it is made invalid on
    its medium, is never read again, and from then on nothing is written."""

    @property
    def invalid(self) -> str | None:
        """Why it is invalid, in words; None while it is valid."""

    def put(self, *changes: Changes) -> str | None:
        """Write all of it or nothing, in one transaction. Where that fails the store becomes invalid: a sentence for
        the log, the first time only. Never raises."""

    def load(self) -> Iterator[StoredPeer]:
        """All peers, one by one, so that many need not be read in one step; nothing may be written meanwhile.

        Raises `Unreadable`, in words, where something cannot be read: the store is invalid then, and what was read so
        far does not count either.
        """

    def place(self, placed: Mapping[str, Placed | None]) -> str | None:
        """As `put`: what stands in the kernel, by names of the caller's; None: nothing of that name any more."""

    def placed(self) -> Iterator[tuple[str, Placed]]:
        """As `load`: all that was placed, one name after the other."""

    def invalidate(self, reason: str) -> str | None:
        """What it holds is true no more. A sentence for the log, the first time only."""

    def close(self) -> None:
        """What was written stays. Idempotent."""


class NoStore:
    """`Store` where there can be none."""

    def __init__(self, reason: str) -> None:
        self.invalid = reason

    def put(self, *changes: Changes) -> None:
        """Nothing is written, as was said."""

    def load(self) -> Iterator[StoredPeer]:
        """Nobody."""
        return iter(())

    def place(self, placed: Mapping[str, Placed | None]) -> None:
        """Nothing is written, as was said."""

    def placed(self) -> Iterator[tuple[str, Placed]]:
        """Nothing."""
        return iter(())

    def invalidate(self, reason: str) -> None:
        """It was said already."""

    def close(self) -> None:
        """There is nothing to close."""
