"""Where one child of a peer stands: its IPsec SA pairs, and what it waits for."""

from __future__ import annotations

from enum import Enum

from ikevd.errors import Finding
from ikevd.frozen import frozen
from ikevd.host.hooks import HookCall
from ikevd.peer.exchange_state import Attempt
from ikevd.sa.model import Cookies, IpsecSa


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
class HookState:
    """The last run of its updown program, ended or not."""

    call: HookCall
    up: bool
    """Was it run because the child had come up?"""
    ended: bool = False
    failure: Finding | None = None
    """Why it failed; None: it did not, or has not ended."""


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
    borrowed: tuple[PairState, ...] = ()
    """Pairs of other children that the peer asked for wider than those are, so that they carry what is of this one,
    too: with the selectors of this child. See `sharing`."""
    hook: HookState | None = None
    """None: no program is to be run for it, or what one did was undone by the last run."""

    @property
    def standing(self) -> tuple[PairState, ...]:
        """The pairs that are made, oldest first: what was replaced is only received on."""
        return tuple([pair for pair in self.pairs if pair.attempt is None])

    @property
    def carries(self) -> bool:
        """Does a pair stand that carries traffic both ways?"""
        return _carries(self.pairs) or (bool(self.borrowed) and _carries(self.borrowed))

    @property
    def carrying(self) -> tuple[PairState, ...]:
        """All pairs that its traffic may take, oldest first: its own, or else those that it borrows. The peer has
        narrower selectors for its own, and so sends by it as soon as it stands."""
        return self.pairs if not self.borrowed or _carries(self.pairs) else self.borrowed


def _carries(pairs: tuple[PairState, ...]) -> bool:
    return bool([pair for pair in pairs if pair.attempt is None and pair.leave_at is None])
