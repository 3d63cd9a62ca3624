"""What is known of one peer, as plain records: frozen, storable, free of clocks, tasks and keys of IPsec SAs.

Times are seconds since the machine was started (CLOCK_BOOTTIME): they go on when the process is another one. An
exchange under way is an `Attempt`, a number, never an object: `negotiation` knows which exchange bears it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from hashlib import blake2b
from typing import NewType

from ikevd.addresses import Address, Endpoint, Path
from ikevd.errors import Finding
from ikevd.frozen import frozen
from ikevd.liveness_findings import Quirk
from ikevd.policy.identity import Identity
from ikevd.sa.model import Cookies, IpsecSa, IsakmpSa, Spi
from ikevd.wire.registry import NotifyType

Attempt = NewType("Attempt", int)
"""One exchange of one peer; no number is given twice."""


@frozen
class PeerKey:
    """Who it is. Several clients may share one identity: the instance tells them apart."""

    connection: str
    identity: Identity | None
    instance: int = 0


class Stage(Enum):
    """Of an ISAKMP SA."""

    ADMITTING = "admitting"
    """XAuth or Mode Config come first: no Quick Mode yet."""
    READY = "ready"
    LEAVING = "leaving"
    """Deleted by either side: only farewells leave and are heard, in whatever order they come."""


@frozen
class LastFlight:
    """What ended phase 1 on our side, for a peer that repeats itself since our answer was lost."""

    heard: bytes
    """Digest of its last message."""
    said: tuple[bytes, ...] = field(repr=False)
    """Our answer, octet by octet."""

    @staticmethod
    def digest(datagram: bytes) -> bytes:
        """By which a repetition is known."""
        return blake2b(datagram, digest_size=16).digest()


@frozen
class Liveness:
    """Of one ISAKMP SA: whether the peer lives, what it was asked about that, and what it asks (RFC 3706)."""

    number: int
    """Of our last R-U-THERE."""
    look_at: float | None = None
    """When to see whether the peer has been silent for too long; None: nobody asks it."""
    asked: int = 0
    """R-U-THERE since its last sign of life: none is answered."""
    asked_at: float = 0.0
    """When the first of these left, or of those before."""
    carried: float | None = None
    """When a packet came through an SA of a child."""
    theirs: int | None = None
    """The number of the peer's newest R-U-THERE."""
    answers: int = 0
    """Of ours, within the second that began with `answered_at`."""
    answered_at: float = 0.0
    quirks: tuple[Quirk, ...] = ()
    """That stand in the record."""
    jumped: int = 0
    """So far the numbers have jumped since the first of these (`dpd.numbered`)."""
    reserved: int | None = None
    """A process before may have heard R-U-THERE up to this number: they show nothing, and are nothing odd."""
    left_asked_at: float | None = None
    """When the kernel was last asked whether any packet has left, while none has come; None: not yet."""


@frozen
class Roaming:
    """Where the peer may be by now: an authenticated message or packet came from there."""

    path: Path
    number: int | None
    """Of the R-U-THERE that it was sent there; None: it lacks dead peer detection."""
    at: float
    """When."""
    wrong: int = 0
    """Answers from there that had another number: who guesses is heard only so often."""


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
class IsakmpState:
    """An ISAKMP SA and what changes about it."""

    sa: IsakmpSa
    stage: Stage
    path: Path
    """Moves only on an accepted message."""
    born: float
    heard: float
    """When the last authenticated message came."""
    expires: float
    """The end of its hard lifetime."""
    unresponsive: bool = False
    """A Quick Mode stayed unanswered and nothing else was heard since: not for new ones."""
    leave_at: float | None = None
    """LEAVING: forgotten then. READY: made only to say Delete, it ends then unless it serves somebody."""
    refusals: tuple[NotifyType, ...] = ()
    """Refusals of the peer that could not be told from one another while several Quick Modes were under way."""
    early_deletes: tuple[Spi, ...] = ()
    """SPIs that the peer deleted and that may be those of a Quick Mode under way: kept until none is."""
    delete_waits: bool = False
    """LEAVING: its Delete is said once the Quick Modes under it have ended, after their own last words."""
    peer_deleted: bool = False
    """LEAVING: the peer knows of it no more, and hears nothing under it."""
    last_flight: LastFlight | None = None
    """None: nothing answers phase 1, or the peer has shown that it got the answer."""
    liveness: Liveness | None = None
    """None: neither side has asked, and nobody will."""
    began: float | None = None
    """When message 1 of its phase 1 was sent or came; None: not known, as in the record of an older ikevd."""
    renew_at: float | None = None
    """When a phase 1 of ours that renews it shall begin. None: at no time."""
    renewals: int = 0
    """Phase 1s of ours begun so far to renew it."""
    retire_at: float | None = None
    """When it is told Delete, since another one has taken its place."""
    roaming: Roaming | None = None
    """None: the last message came by `path`."""
    retired: bool = False
    """It was: no exchange of ours begins under it, those of the peer are answered until the peer deletes it or it
    expires."""
    unproven: bool = False
    """Of a member of a group: it came from the place of a living one, and has not answered there yet. It touches
    nothing else."""
    greeted: bool = False
    """It has said INITIAL-CONTACT meanwhile, which is heeded once it has answered."""
    former_lives: bool = False
    """As in `facts.PhaseOneUp`, of what said so."""
    outdated: bool = False
    """Its settings are not those of the file any more, or the operator wants another one: once that stands, the
    children are negotiated anew under it."""


class Half(Enum):
    """How much of a pair shall stand in the kernel."""

    INBOUND = "inbound"
    BOTH = "both"


@frozen
class PairState:
    """One IPsec SA pair."""

    sa: IpsecSa
    under: Cookies
    """The ISAKMP SA that it was made under."""
    half: Half
    born: float
    expires: float
    attempt: Attempt | None
    """The Quick Mode that makes it; None once that has ended well."""
    behind_nat: bool = False
    """A NAT stands in front of the peer: the port of its ESP in UDP may become another."""
    rekey_at: float | None = None
    """When a Quick Mode of ours for the next pair begins; None: it has begun, or none is to."""
    use_at: float | None = None
    """Until then the pair before it carries what we send; None: it is used."""
    delete_at: float | None = None
    """It was replaced, and its Delete is said then; None: it was said, or none is to be."""
    leave_at: float | None = None
    """It was replaced: still received on until then."""


@frozen
class Idle:
    """Whether packets pass through the pairs of a child."""

    since: float
    """None were seen since then."""
    look_at: float
    """The kernel is asked again then."""


@frozen
class Flaps:
    """Pairs of a child that went soon after they were made, one after the other."""

    number: int
    at: float
    """When the last of them went."""


@frozen
class ChildState:
    """Where one child stands."""

    wanted: bool = False
    attempt: Attempt | None = None
    """Our Quick Mode under way."""
    again: bool = False
    """Its Quick Mode went down with its ISAKMP SA, which was no fault of the child: tried once more at once."""
    pairs: tuple[PairState, ...] = ()
    """Oldest first; those that are being made are among them."""
    failures: int = 0
    retry_at: float | None = None
    cause: Finding | None = None
    """Why the last attempt failed, or why the last pair ended."""
    since: float = 0.0
    """When it came up or went down."""
    open: bool = False
    """The operator lets its traffic pass in the clear while it is down."""
    by_command: bool = False
    """It is down because the operator took it down: no start of ikevd brings it up."""
    idle: Idle | None = None
    """None: it may be idle as long as it likes."""
    held: bool = False
    """Its peer was found dead, or its traffic ended: the next packet for it begins it, whatever its start action."""
    way_lost: bool = False
    """It was up when this machine lost the address that it used: it comes back by whatever start action."""
    unplaced: Finding | None = None
    """Why its policies do not stand in the kernel: whatever pairs it has, they carry nothing."""
    flaps: Flaps | None = None
    """None: its last pair stood for a while."""
    hurried: bool = False
    """Its last pair used up its volume sooner than another one is made, and the operator was told."""

    @property
    def standing(self) -> tuple[PairState, ...]:
        """The pairs that are made, oldest first: what was replaced is only received on."""
        return tuple(pair for pair in self.pairs if pair.attempt is None)

    @property
    def carries(self) -> bool:
        """Does a pair stand that carries traffic both ways?"""
        return any(pair.attempt is None and pair.leave_at is None for pair in self.pairs)


@frozen
class QuickModeState:
    """A Quick Mode under way, whoever began it."""

    under: Cookies
    ours: bool
    """Did we begin it?"""
    born: float
    child: str | None = None
    """Which child, as soon as it is known."""
    spi: Spi | None = None
    """Ours, reserved in the kernel."""
    ending: bool = False
    """It was told to end: whatever else comes of it comes too late."""


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


class OneWayStage(Enum):
    """How far it is with the doubt whether ESP is blocked, and with the trial of ESP in UDP."""

    SUSPECTED = "suspected"
    """Packets leave and none comes: looked at again soon."""
    CALLING = "calling"
    """The phase 1 of the trial is under way."""
    TRYING = "trying"
    """Its ISAKMP SA stands, and is not judged yet."""
    HELPED = "helped"
    IN_VAIN = "in vain"
    """The last trial came to nothing, and nothing has been suspected since."""


@frozen
class OneWay:
    """Packets leave through the pairs of a peer that answers by IKE, and none comes: is ESP blocked on the way?"""

    since: float
    """SUSPECTED: so it was seen to be since then, and still while CALLING. TRYING: the ISAKMP SA of the trial stands
    since then. HELPED, IN_VAIN: the trial was judged then."""
    look_at: float | None = None
    """When the kernel is asked again how many came."""
    attempt: Attempt | None = None
    """Our phase 1 that begins the trial of ESP in UDP."""
    children: tuple[str, ...] = ()
    """That are tried in it."""
    under: Cookies | None = None
    """The ISAKMP SA of the trial, until that is judged."""
    helps: bool = False
    """It helped: each phase 1 of ours has ESP in UDP from here on."""
    vain: int = 0
    """Trials in a row that did not help."""
    again_at: float | None = None
    """There is no other one before this time."""
    found: Finding | None = None
    """What was found out last."""

    @property
    def stage(self) -> OneWayStage:
        """Which of these fields count."""
        if self.helps:
            return OneWayStage.HELPED
        if self.under is not None:
            return OneWayStage.TRYING
        if self.attempt is not None:
            return OneWayStage.CALLING
        return OneWayStage.IN_VAIN if self.look_at is None else OneWayStage.SUSPECTED


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

    @property
    def has_peer(self) -> bool:
        """Is there somebody to whom last words can be said?"""
        return bool(self.isakmp) or self.phase1 is not None

    @property
    def rests(self) -> bool:
        """Does nothing stand, and is nothing under way?"""
        busy = any(child.pairs or child.attempt for child in self.children.values())
        return not (busy or self.waiting or self.has_peer)
