"""Private values for Diffie-Hellman, made of entropy: the same octets give the same value."""

from __future__ import annotations

from collections.abc import Callable

Octets = Callable[[int], bytes]
"""Called with a count: so many unpredictable octets."""
EXTRA_BITS = 64


def one_to(order: int, octets: Octets) -> int:
    """1 to `order` - 1, each as likely as any other: of 64 bits more than it takes, the remainder (FIPS 186-5 appendix
    A.2.1, NIST SP 800-56A revision 3 section 5.6.1.1.3)."""
    count = (order.bit_length() + EXTRA_BITS + 7) // 8
    return 1 + int.from_bytes(octets(count), "big") % (order - 1)


def of_length(bits: int, octets: Octets) -> int:
    """A number of exactly so many bits."""
    top = 1 << bits - 1
    return top | int.from_bytes(octets((bits + 7) // 8), "big") & (top - 1)
