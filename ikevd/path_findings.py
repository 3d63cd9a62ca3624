"""Findings about the path: where the peer is, and where this machine; `ikevd.findings` has the others."""

from __future__ import annotations

from enum import Enum

from ikevd.errors import Finding
from ikevd.frozen import frozen


@frozen
class NoLocalAddress(Finding):
    """What the file calls `local` is not an address of this machine now."""

    address: str


@frozen
class LocalAddressGone(Finding):
    """This machine has lost the address that an SA used."""

    address: str


@frozen
class AhBehindNat(Finding):
    """AH protects the addresses of its packets, and a NAT in between alters them."""

    child: str
    local: bool
    """Is a NAT in front of this side?"""
    remote: bool
    """Is a NAT in front of the peer?"""


class Obstacle(Enum):
    """What keeps packets from being compressed."""

    PEER = "the peer does without"
    NAT = "ESP travels in UDP, where there is no place for it"
    IP_VERSION = "the tunnel is of another IP version than what it carries"


@frozen
class NotCompressed(Finding):
    """The file asks for IPComp."""

    why: Obstacle


@frozen
class NoRoute(Finding):
    """This machine knows no way to the peer."""

    remote: str
    reason: str


@frozen
class NameUnknown(Finding):
    """No address of the name of the peer is known."""

    name: str
    problem: str


@frozen
class PeerElsewhere(Finding):
    """A message or packet of the peer came from another address: it may have moved, or somebody has sent a copy."""

    came: str
    """Address and port."""
    known: str
    asked: bool
    """Is it asked there? Else it lacks dead peer detection."""


@frozen
class MovesTooOften(Finding):
    """What the peer sends comes from two or more places in turn."""

    moves: int
    seconds: int
    """Within so many."""
    came: str
    """Address and port."""
    stays: str


@frozen
class NotThere(Finding):
    """Another member of the group may have sent what came from the place of a living one: it has not answered there."""

    remote: str


@frozen
class PeerMoved(Finding):
    """What the peer sends comes from another port of the NAT in front of it, or from another address."""

    before: str
    """Address and port."""
    now: str
    pairs: int
    """IPsec SA pairs that went by the former one, and follow."""


@frozen
class EspSilent(Finding):
    """Packets left and none ever came, while the peer answered by IKE: ESP in UDP is tried."""

    sent: int
    seconds: float
    """It was seen to be so since then."""


@frozen
class EspBlocked(Finding):
    """In UDP they come: ESP as a protocol of its own does not pass."""

    local: str
    """The address of this side."""
    remote: str
    """The address of the peer."""


@frozen
class UdpInVain(Finding):
    """None comes in UDP either: all is as it was before the trial."""

    sent: int
    """In UDP."""
    again: float
    """Seconds before which it is not tried again."""


@frozen
class UdpNotTried(Finding):
    """The trial did not come so far that a packet could leave in UDP."""

    cause: Finding
    again: float
    """Seconds before which it is not tried again."""
