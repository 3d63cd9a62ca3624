"""Facts about what SAs have carried; all kinds of facts: `ikevd.peer.facts`."""

from __future__ import annotations

from ikevd.frozen import frozen
from ikevd.sa.model import Cookies, Spi


@frozen
class Carried:
    """The kernel was asked whether packets came for a child (`AskTraffic`)."""

    under: Cookies
    at: float | None
    """When the last of them came, if any did since it was last asked."""
    left: bool = False
    """Has any packet left through the pairs? False, too, where that was not asked."""


@frozen
class Counted:
    """The kernel was asked whether packets of the child came or went since it was last asked (`AskPackets`)."""

    child: str
    moved: bool


@frozen
class Spent:
    """The volume of the ISAKMP SA is nearly used up."""

    under: Cookies


@frozen
class SoftExpired:
    """The kernel tells that the volume of an SA is nearly used up. `spi`: either of the pair."""

    child: str
    spi: Spi


@frozen
class Used:
    """The kernel was asked whether the newest pair of the child has carried a packet (`AskUse`). `spi`: its inbound
    one."""

    child: str
    spi: Spi
    used: bool
