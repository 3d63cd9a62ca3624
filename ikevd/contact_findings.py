"""Findings about peers that begin anew, and about who replaces whom."""

from __future__ import annotations

from ikevd.errors import Finding
from ikevd.frozen import frozen


@frozen
class BeginsAnew(Finding):
    """The peer says INITIAL-CONTACT: so much that is older ends."""

    pairs: int
    isakmp_sas: int


@frozen
class NotHeeded(Finding):
    """The peer says INITIAL-CONTACT, which `unique: never` passes over."""


@frozen
class FormerLives(Finding):
    """With `unique: keep`: the peer begins anew while its former self was heard of within so many seconds."""

    former: str
    """Endpoint."""
    seconds: int


@frozen
class Rivals(Finding):
    """Two peers show one identity and replace each other; the second is refused for so many seconds."""

    first: str
    """Endpoint of the one that stays."""
    second: str
    seconds: int


@frozen
class Greeted(Finding):
    """We said INITIAL-CONTACT, since nothing stood with the peer."""


@frozen
class CalledAnew(Finding):
    """Unproven, this notification came from a peer that cannot be asked whether it lives: a phase 1 begins beside what
    stands."""

    notify: str


@frozen
class LostAtPeer(Finding):
    """The peer says, proven, that it does not know this SPI that we send to."""

    spi: str
    child: str


@frozen
class StraySpi(Finding):
    """ESP came from the peer's address under this SPI, which nobody has here; so many packets were looked at since it
    was last told, at most once a minute."""

    spi: str
    times: int = 1
