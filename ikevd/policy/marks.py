"""What a packet bears inside this machine, by which the kernel tells which tunnel it is for."""

from __future__ import annotations

from enum import Enum

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


class OwnMark(Enum):
    """In place of a mark: one that nothing else has."""

    UNIQUE = "unique"
    """The reqid of the child, which is another one for each client of a connection with many."""


WantedMark = Mark | OwnMark


def resolved(wanted: WantedMark | None, reqid: int) -> Mark | None:
    """For the child, or client, with that reqid."""
    return Mark(reqid) if isinstance(wanted, OwnMark) else wanted


@frozen
class Marks:
    """All by which the policies of a child differ from those of another one with the same selectors."""

    if_id: int = 0
    """They are for what passes the XFRM interface with this number; 0: for what passes none."""
    inwards: Mark | None = None
    """Those for what comes are for packets with this mark; None: for all."""
    outwards: Mark | None = None
    """Those for what leaves are for packets with this mark; None: for all."""


NO_MARKS = Marks()
