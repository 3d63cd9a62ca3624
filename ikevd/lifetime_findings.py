"""Findings about lifetimes and the renewal of ISAKMP SAs."""

from __future__ import annotations

from ikevd.errors import Finding
from ikevd.frozen import frozen


@frozen
class ClaimedLife(Finding):
    """RESPONDER-LIFETIME for the ISAKMP SA: so many seconds count instead of so many."""

    before: int
    after: int


@frozen
class ClaimedPairLife(Finding):
    """RESPONDER-LIFETIME for a pair of IPsec SAs of that child: so many seconds count instead of so many."""

    child: str
    before: int
    after: int


@frozen
class SmallVolume(Finding):
    """Of so many kilobytes of a child's pair most were used up in `seconds`. With `enough` it would have lasted a
    minute."""

    child: str
    kilobytes: int
    seconds: float
    enough: int


@frozen
class LifeRefused(Finding):
    """`lifetime_check` refuses the life that the peer proposes: seconds and kilobytes, the peer's and ours."""

    check: str
    seconds: int
    kilobytes: int | None
    our_seconds: int
    our_kilobytes: int | None


@frozen
class UnprovenLife(Finding):
    """RESPONDER-LIFETIME for the ISAKMP SA where nothing proves it: message 2 of Aggressive Mode."""


@frozen
class IsakmpRenewal(Finding):
    """A phase 1 that renews the ISAKMP SA begins, so many seconds before its end."""

    left: int


@frozen
class RenewalFailed(Finding):
    """Such a phase 1 came to nothing: the next one begins in `again` seconds, the lifetime ends in `left`."""

    cause: Finding
    again: int
    left: int


@frozen
class IsakmpReplaced(Finding):
    """Another ISAKMP SA, with these cookies, has taken its place: it was told Delete."""

    by: str
