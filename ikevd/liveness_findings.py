"""Findings about whether the peer lives (RFC 3706), and whether a child is in use; `ikevd.findings` has the others."""

from __future__ import annotations

from enum import Enum

from ikevd.errors import Finding
from ikevd.frozen import frozen


class Quirk(Enum):
    """In what an R-U-THERE of the peer is not as RFC 3706 has it."""

    UNANNOUNCED = "though it did not announce dead peer detection"
    SWAPPED = "with the two cookies swapped"
    OTHER_COOKIES = "with cookies that are not those of its ISAKMP SA"
    NO_NUMBER = "without a sequence number"
    OLD_NUMBER = "with a sequence number that it has used before"


@frozen
class OddQuestion(Finding):
    """An R-U-THERE was answered all the same."""

    quirk: Quirk


@frozen
class Doubted(Finding):
    """The peer is asked whether it lives, out of turn."""

    why: str


@frozen
class AnswersAgain(Finding):
    """The first sign of life after so many R-U-THERE without an answer."""

    asked: int


@frozen
class PeerDead(Finding):
    """No sign of life for so long that the peer is given up."""

    asked: int
    """R-U-THERE that were not answered."""
    seconds: float
    """Since the first of these."""
    silent: float
    """Seconds since the last sign of life."""
    sign: str
    """What that was: `IKE` or `ESP`."""


@frozen
class IsakmpLost(Finding):
    """The peer answers under a newer ISAKMP SA, and under this one no more."""

    asked: int
    """R-U-THERE that were not answered."""
    seconds: float
    """Since the first of these."""


@frozen
class NoTraffic(Finding):
    """Nothing passed through the SAs of a child, either way."""

    seconds: int


@frozen
class TrafficAsks(Finding):
    """A packet has met the trap of a child, which begins. Without `source` it came before anybody listened."""

    child: str
    source: str = ""
    destination: str = ""
    protocol: int = 0
    """Its number."""
    port: int = 0
    """Of its destination; 0: its protocol has none."""
