"""What a packet bears inside this machine, by which the kernel tells which tunnel it is for."""

from __future__ import annotations

from ikevd.frozen import frozen

ALL_BITS = 0xFFFFFFFF


@frozen
class Mark:
    """A firewall mark (`ip rule fwmark`, `iptables -j MARK`): packets whose mark has `value` in the bits of `mask`."""

    value: int
    mask: int = ALL_BITS

    def meets(self, other: Mark) -> bool:
        """May one packet bear both?"""
        return not (self.value ^ other.value) & self.mask & other.mask

    def __str__(self) -> str:
        """As iproute2 and iptables write it."""
        return f"{self.value:#x}" if self.mask == ALL_BITS else f"{self.value:#x}/{self.mask:#x}"
