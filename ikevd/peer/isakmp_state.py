"""What is known of one ISAKMP SA: its stage, whether its peer lives, and where that may be by now."""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from hashlib import blake2b

from ikevd.addresses import Path
from ikevd.frozen import frozen
from ikevd.liveness_findings import Quirk
from ikevd.sa.model import IsakmpSa, Spi
from ikevd.wire.registry import NotifyType


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
    """As in `exchange_facts.PhaseOneUp`, of what said so."""
    outdated: bool = False
    """Its settings are not those of the file any more, or the operator wants another one: once that stands, the
    children are negotiated anew under it."""
    delete_at: float | None = None
    """LEAVING: its Delete is not said before; None: at any time."""
