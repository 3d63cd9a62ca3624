"""What a peer's state learns from: typed facts, each handled once, in the order in which they come.

Those of the operator are in `command_facts`, of exchanges in `exchange_facts`, of the peer's messages in
`message_facts`, of the kernel in `kernel_facts` and `volume_facts`, of places in `path_facts`, of updown programs in
`hook_facts`; here are those of time, of other processes and of other peers. Whatever names an ISAKMP SA, an attempt or
an SPI that is gone meanwhile changes nothing.
"""

from __future__ import annotations

from ikevd.frozen import frozen
from ikevd.peer.command_facts import Ended, RekeyWanted, Reloaded, Reset, Unwanted, Wanted
from ikevd.peer.exchange_facts import (
    Opening,
    PhaseOneFailed,
    PhaseOneUp,
    QuickModeBegan,
    QuickModeFailed,
    QuickModeUp,
    Reserved,
)
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.hook_facts import HookEnded
from ikevd.peer.kernel_facts import (
    Acquired,
    Expired,
    KernelRefused,
    Linked,
    Placed,
    Unlinked,
    Unplaced,
    Vanished,
)
from ikevd.peer.message_facts import Contacted, Heard, HeardDpd, Hinted, Informed, StrayEsp, Worn
from ikevd.peer.path_facts import AddressGone, Balance, CameTwice, Mapped, Unmovable, WayFound
from ikevd.peer.volume_facts import Carried, Counted, SoftExpired, Spent, Used
from ikevd.sa.model import Spi

# -- of other peers, and of other connections with the same one


@frozen
class Displaced:
    """Another peer asks for the selectors of the child, and nothing was heard of this one for long."""

    child: str
    by: str
    """The other's address and port."""


@frozen
class Doubted:
    """Another member of the group, under the same identity, may be what this one has become: does it still live?"""

    why: str


@frozen
class BeganAnew:
    """The peer said INITIAL-CONTACT, proven, to another connection that we have with it."""

    before: float
    """It has lost what is older."""


@frozen
class Owed:
    """SPIs of ours that another connection had with the same peer, which is gone from the file, as they are: nothing of
    it is left to say Delete under."""

    spis: tuple[Spi, ...]


# -- of time and of other processes


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
    | HookEnded
    | Unlinked
    | Linked
    | Due
    | Restarted
    | Dismissed
    | Owed
)
