"""The inbound SPIs that we reserve: the kernel picks a free one in the range at random."""

from __future__ import annotations

from ikevd.sa.model import Spi
from ikevd.wire.registry import Protocol

SPI_FIRST = 0xD0000000
SPI_LAST = 0xDFFFFFFF
"""strongSwan reserves from 0xC0000000 to 0xCFFFFFFF: so ours are known by their first digit."""
CPI_FIRST, CPI_LAST = 0xD000, 0xDFFF
"""Of IPComp, likewise: 4,096 pairs of one address of ours may have it. strongSwan reserves from 0x100 to 0xEFFF."""


def of(protocol: Protocol) -> tuple[int, int]:
    """The first and the last."""
    return (CPI_FIRST, CPI_LAST) if protocol == Protocol.IPCOMP else (SPI_FIRST, SPI_LAST)


def is_ours(spi: Spi) -> bool:
    """Is it one that we could have reserved?"""
    first, last = of(spi.protocol)
    return first <= spi.number <= last
