"""What is known of one peer, as plain records: frozen, storable, free of clocks, tasks and keys of IPsec SAs.

Its ISAKMP SAs are in `isakmp_state`, its children and their pairs in `child_state`, its exchanges under way in
`exchange_state`, whether ESP is blocked in `one_way_state`. Times are seconds since the machine was started
(CLOCK_BOOTTIME): they go on when the process is another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from ikevd.addresses import Address, Endpoint
from ikevd.errors import Finding
from ikevd.frozen import frozen
from ikevd.peer.child_state import ChildState
from ikevd.peer.exchange_state import Attempt, QuickModeState
from ikevd.peer.isakmp_state import IsakmpState
from ikevd.peer.one_way_state import OneWay
from ikevd.policy.identity import Identity
from ikevd.sa.model import Cookies, Spi


@frozen
class PeerKey:
    """Who it is. Several clients may share one identity: the instance tells them apart."""

    connection: str
    identity: Identity | None
    instance: int = 0


@frozen
class Moves:
    """How often the peer was followed to another place, lately."""

    at: tuple[float, ...]
    """The last times, oldest first."""
    told: bool = False
    """Does it stand in the record that it moves too often?"""
    asked_at: float = 0.0
    """When it was last asked where it is, since it does."""


@frozen
class SaidDelete:
    """A Delete for an SPI of ours, and when it was said."""

    spi: Spi
    at: float


@frozen
class Replacement:
    """The peer came from another place than before, and what it had there ended."""

    by: Endpoint
    """Where it is now."""
    at: float


@frozen
class Refused:
    """One of two that replace each other."""

    place: Endpoint
    until: float


@frozen
class PeerState:
    """All of one peer."""

    key: PeerKey
    isakmp: Mapping[Cookies, IsakmpState] = field(default_factory=dict)
    """Oldest first."""
    children: Mapping[str, ChildState] = field(default_factory=dict)
    quick_modes: Mapping[Attempt, QuickModeState] = field(default_factory=dict)
    """Oldest first."""
    phase1: Attempt | None = None
    """Our phase 1 under way."""
    serial: int = 0
    """The last number that was given to an attempt."""
    waiting: tuple[str, ...] = ()
    """Children that wait for an ISAKMP SA or for their turn, in the order in which they were wanted."""
    deletes_to_send: tuple[Spi, ...] = ()
    """SPIs of ours whose Delete waits for an ISAKMP SA."""
    deletes_said: tuple[SaidDelete, ...] = ()
    """Deletes whose copies may not have left yet: a process that ends takes those with it."""
    replacements: tuple[Replacement, ...] = ()
    """The last two, oldest first."""
    refused: Refused | None = None
    hinted_at: float | None = None
    """When it was last asked, or called, since unproven words said that it had lost something."""
    moves: Moves | None = None
    one_way: OneWay | None = None
    """None: nothing suggests that ESP is blocked."""
    esp_came_from: Address | None = None
    """Where the peer was when a packet of it came by ESP alone; None: none has, since this machine's end is where it
    is."""
    lenders: tuple[str, ...] = ()
    """Children whose pairs carry what is of others, too."""
    unlinked: Finding | None = None
    """Why the interface of the connection does not stand as it shall; None: it does, or there is none."""

    @property
    def has_peer(self) -> bool:
        """Is there somebody to whom last words can be said?"""
        return bool(self.isakmp) or self.phase1 is not None

    @property
    def rests(self) -> bool:
        """Does nothing stand, and is nothing under way?"""
        busy = any(child.pairs or child.attempt for child in self.children.values())
        return not (busy or self.waiting or self.has_peer)
