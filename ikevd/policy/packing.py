"""How the kernel packs what leaves through a child and unpacks what comes: what of the outer header follows the inner
one, and how long the packets are. This end's business alone: the peer is not asked."""

from __future__ import annotations

from enum import Enum

from ikevd.frozen import frozen

WHOLE_MTU = 65_535
"""As `tfc_padding`: more than any path takes, so the kernel pads to what that takes."""


class CopyDscp(Enum):
    """Is the DSCP, by which routers tell what is urgent, that of the packet inside?"""

    OUT = "out"
    """What leaves shows it, what comes keeps its own."""
    IN = "in"
    """What comes gets that of the packet around it, what leaves has 0."""
    YES = "yes"
    """Both."""
    NO = "no"
    """Neither."""

    @property
    def outwards(self) -> bool:
        return self in (CopyDscp.OUT, CopyDscp.YES)

    @property
    def inwards(self) -> bool:
        return self in (CopyDscp.IN, CopyDscp.YES)


class HwOffload(Enum):
    """Does the network device encrypt and decrypt (XFRMA_OFFLOAD_DEV)?"""

    NO = "no"
    CRYPTO = "crypto"
    """It must; else there is no SA."""
    AUTO = "auto"
    """Where it can; else the kernel does."""


@frozen
class Packing:
    """But for the device, of tunnel mode. The defaults are the kernel's, and strongSwan's."""

    copy_df: bool = True
    """Has what leaves the DF bit of the packet inside? Else it has none, and may be cut on its way (IPv4)."""
    copy_ecn: bool = True
    """Is it told that a router was congested, into the tunnel and out of it (RFC 6040)?"""
    copy_dscp: CopyDscp = CopyDscp.OUT
    hw_offload: HwOffload = HwOffload.NO
    tfc_padding: int = 0
    """Octets that a packet inside has at least, as far as the path takes them (RFC 4303 section 2.7); ESP alone."""


PLAIN = Packing()
