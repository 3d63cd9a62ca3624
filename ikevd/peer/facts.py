"""What a peer's state learns from: typed facts, each handled once, in the order in which they come.

Whatever names an ISAKMP SA, an attempt or an SPI that is gone meanwhile changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from ikevd.addresses import Path
from ikevd.errors import Finding, IkeError
from ikevd.frozen import frozen
from ikevd.host.interface import Packet
from ikevd.peer.path_facts import AddressGone, Balance, CameTwice, Mapped, Unmovable, WayFound
from ikevd.peer.state import Attempt, Half, LastFlight
from ikevd.peer.volume_facts import Carried, Counted, SoftExpired, Spent, Used
from ikevd.policy.changes import Reach
from ikevd.sa.model import Cookies, IpsecSa, IsakmpSa, Spi
from ikevd.wire.payloads import NotifyPayload, Payload
from ikevd.wire.registry import NotifyType

# -- of the operator


@frozen
class Wanted:
    """Bring the child up."""

    child: str


@frozen
class Unwanted:
    """Take these children down and tell the peer."""

    children: tuple[str, ...]
    open: bool = False
    """From here on their traffic passes in the clear."""


@frozen
class Reloaded:
    """The file was read again and says otherwise of the connection, which is the new one from here on."""

    ended: frozenset[str] = frozenset()
    """Of its children those whose pairs cannot go on, as for other networks."""
    renewed: frozenset[str] = frozenset()
    """Those that are negotiated anew while their pairs carry on."""
    phase1: Reach = Reach.OURS
    """How far it reaches for phase 1: another begins (RENEWED), or what stands ends first (REPLACED)."""


@frozen
class RekeyWanted:
    """The operator wants these children negotiated anew and, before them, `phase1`."""

    children: tuple[str, ...]
    phase1: bool = False


@frozen
class Reset:
    """The operator wants all with the peer to end at once, and what is wanted to begin anew."""


@frozen
class Displaced:
    """Another peer asks for the selectors of the child, and nothing was heard of this one for long."""

    child: str
    by: str
    """The other's address and port."""


@frozen
class Ended:
    """Take everything down: children, phase 1 under way, ISAKMP SAs."""

    announce: bool = True
    """What no ISAKMP SA could protect is said under one made for it."""


# -- of exchanges


@frozen
class PhaseOneUp:
    """A phase 1 ended well. `attempt` is None where the peer began it."""

    attempt: Attempt | None
    sa: IsakmpSa
    last_flight: LastFlight | None = None
    began: float | None = None
    """When its message 1 was sent or came; None: this moment."""
    greets: bool = False
    """Shall the peer be told INITIAL-CONTACT, for which Aggressive Mode has no place?"""
    former_lives: bool = False
    """Was anything that is older of the peer heard of lately? Known where it says INITIAL-CONTACT and that matters."""


@frozen
class PhaseOneFailed:
    """Our phase 1 came to nothing, or could not be begun."""

    attempt: Attempt
    error: IkeError


@frozen
class QuickModeBegan:
    """The peer began a Quick Mode, its first message proven."""

    attempt: Attempt
    under: Cookies


@frozen
class Reserved:
    """A Quick Mode of `child` has got its inbound SPI from the kernel. `Resume` follows: the SPI is stored before a
    message that names it leaves."""

    attempt: Attempt
    child: str
    spi: Spi


@frozen
class Opening:
    """A Quick Mode has agreed on a pair and waits until this half of it stands in the kernel."""

    attempt: Attempt
    sa: IpsecSa
    half: Half


@frozen
class QuickModeUp:
    """A Quick Mode ended well."""

    attempt: Attempt
    sa: IpsecSa


@frozen
class QuickModeFailed:
    """A Quick Mode came to nothing."""

    attempt: Attempt
    error: IkeError
    spoken: bool
    """Did any message of it come or go? Else the peer does not know of it."""
    sent: bool
    """Did a message of ours leave? Then the peer may know our SPI."""


# -- of the peer, all verified


@frozen
class Heard:
    """An authenticated message came under this ISAKMP SA."""

    under: Cookies
    path: Path
    last_blocks: tuple[bytes, ...] = ()
    """Of phase 1, as they stand now (`IsakmpSa.last_blocks`); empty: as they were."""


@frozen
class Informed:
    """What an Informational message said, behind its HASH."""

    under: Cookies
    payloads: Sequence[Payload]
    message_id: int = 0
    """Of the message: used up once the fact is stored."""
    former_lives: bool = False
    """As in `PhaseOneUp`."""


@frozen
class Contacted:
    """The peer said INITIAL-CONTACT in a Quick Mode."""

    under: Cookies
    former_lives: bool = False
    """As in `PhaseOneUp`."""


@frozen
class BeganAnew:
    """It said so, proven, to another connection that we have with it."""

    before: float
    """It has lost what is older."""


@frozen
class Doubted:
    """Another member of the group, under the same identity, may be what this one has become: does it still live?"""

    why: str


@frozen
class HeardDpd:
    """An authentic message that holds R-U-THERE or R-U-THERE-ACK and nothing else. Its number, not its message ID,
    tells whether it is new."""

    under: Cookies
    said: NotifyPayload
    path: Path
    last_blocks: tuple[bytes, ...] = ()
    """As in `Heard`."""


@frozen
class Hinted:
    """INVALID-COOKIE or INVALID-SPI came in the clear: nothing proves it."""

    notify: NotifyType
    under: Cookies | None = None
    """The ISAKMP SA that it is said of; None: an SPI that we send to."""


@frozen
class StrayEsp:
    """ESP came from the peer's address under an SPI that nobody has here. Forgeable. `times`: so often since it was on
    record; 0: it is not to be."""

    spi: Spi
    times: int = 1


@frozen
class Worn:
    """The message IDs of the ISAKMP SA are used up, or its volume."""

    under: Cookies
    why: str = "the ISAKMP SA has used up its message IDs"


# -- of the kernel


@frozen
class KernelDid:
    """What an attempt waited for stands in the kernel."""

    attempt: Attempt


@frozen
class KernelRefused:
    """What an attempt waited for cannot stand."""

    attempt: Attempt
    error: IkeError
    child: str | None = None
    """Whose it was, where no `Reserved` told it before."""


@frozen
class Expired:
    """The kernel ended an SA whose lifetime is over. `spi`: either of the pair."""

    child: str
    spi: Spi


@frozen
class Vanished:
    """An SA is gone from the kernel though its time had not come: somebody removed it."""

    child: str
    spi: Spi


@frozen
class Acquired:
    """The kernel asks for an SA of the child: a packet has met its trap."""

    child: str
    packet: Packet | None = None
    """None: it came before anybody listened."""


@frozen
class Unplaced:
    """Policies of a child cannot stand in the kernel: somebody else's have its selector, or fight them."""

    child: str
    cause: Finding


@frozen
class Placed:
    """They stand now."""

    child: str


# -- of time


@frozen
class Due:
    """A time of `ikevd.peer.due` has come."""

    children: tuple[str, ...] | None = None
    """Whose; None: of whomever it is, all are looked at."""


@frozen
class Restarted:
    """The state was read from the store by a new process. `revived`: the attempts that it could go on with."""

    revived: frozenset[Attempt] = frozenset()


@frozen
class Dismissed:
    """As `Restarted`, but the file has no such connection any more, or (`replaced`) another one of its name for the
    same peer."""

    replaced: bool


@frozen
class Owed:
    """SPIs of ours that another connection had with the same peer, which is gone from the file, as they are: nothing of
    it is left to say Delete under."""

    spis: tuple[Spi, ...]


Fact = (
    Wanted
    | Unwanted
    | Reloaded
    | RekeyWanted
    | Reset
    | Displaced
    | Ended
    | PhaseOneUp
    | PhaseOneFailed
    | QuickModeBegan
    | Reserved
    | Opening
    | QuickModeUp
    | QuickModeFailed
    | Heard
    | Informed
    | HeardDpd
    | Contacted
    | BeganAnew
    | Doubted
    | Hinted
    | StrayEsp
    | Spent
    | CameTwice
    | Worn
    | KernelDid
    | KernelRefused
    | Carried
    | Counted
    | Balance
    | Used
    | Expired
    | SoftExpired
    | Vanished
    | Mapped
    | Unmovable
    | Acquired
    | AddressGone
    | WayFound
    | Unplaced
    | Placed
    | Due
    | Restarted
    | Dismissed
    | Owed
)
