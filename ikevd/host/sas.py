"""SAs of a kernel as values: how one is named, made, found, and what it has carried."""

from __future__ import annotations

from typing import NamedTuple

from ikevd.addresses import Address
from ikevd.frozen import frozen
from ikevd.policy.lives import Lifetime
from ikevd.policy.marks import Mark
from ikevd.policy.packing import PLAIN, Packing
from ikevd.policy.suites import IpsecSuite
from ikevd.sa.model import Spi


@frozen
class SaId:
    """What names one SA in the kernel: its SPI says whether it is of ESP, AH or IPComp."""

    destination: Address
    spi: Spi

    def __hash__(self) -> int:
        """SPIs are random, and the hash of an address is dear."""
        return self.spi


class UdpPorts(NamedTuple):
    """Of one direction."""

    source: int
    destination: int


@frozen
class KernelSa:
    """One SA, one direction, without its keys."""

    source: Address
    destination: Address
    spi: Spi
    reqid: int
    suite: IpsecSuite
    lifetime: Lifetime
    replay_window: int
    """In packets; 0: repeated packets are let in."""
    encap: UdpPorts | None = None
    """The UDP ports of source and destination where ESP travels in UDP (RFC 3948)."""
    icv_bits: int | None = None
    """Length of the integrity check value where it is not the usual one of the suite (96 for old HMAC-SHA-256)."""
    soft_kilobytes: int | None = None
    """The volume at which the kernel tells that its end comes near; None: it does not."""
    if_id: int = 0
    """What comes by it comes in at the XFRM interface with this number, and only that sends through it; 0: none. Marks
    are of policies alone: an SA without one serves those of any."""
    packing: Packing = PLAIN
    set_mark: Mark | None = None
    """What it gives to the packets that have gone through it; None: nothing."""

    @property
    def id(self) -> SaId:
        return SaId(self.destination, self.spi)


@frozen
class Counters:
    """What one SA carried, and what it refused on arrival."""

    octets: int
    packets: int
    replayed: int = 0
    """Packets that came twice, or too late for the replay window."""
    forged: int = 0
    """Packets whose integrity check failed: another key, another truncation, or altered on the way."""


@frozen
class FoundSa:
    """One SA of ESP, AH or IPComp in a dump; `larval` when only its SPI is reserved or, with SPI 0, when a packet has
    asked for it."""

    id: SaId
    source: Address
    reqid: int
    larval: bool
    counters: Counters
    encap: UdpPorts | None = None
    ends_in: float | None = None
    """Seconds until its hard time limit; None where it has none."""

    @property
    def asked(self) -> bool:
        """Does a packet ask for it?"""
        return self.larval and not self.id.spi.number
