"""The inbound SPIs that we reserve: the kernel picks a free one in the range at random."""

from __future__ import annotations

from ikevd.sa.model import Spi

SPI_FIRST = 0xD0000000
SPI_LAST = 0xDFFFFFFF
"""strongSwan reserves from 0xC0000000 to 0xCFFFFFFF: so ours are known by their first digit."""


def is_ours(spi: Spi) -> bool:
    """Is it one that we could have reserved?"""
    return SPI_FIRST <= spi.number <= SPI_LAST
