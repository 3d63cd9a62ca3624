"""Facts of exchanges, from their beginning to their end; all kinds of facts: `ikevd.peer.facts`."""

from __future__ import annotations

from ikevd.errors import IkeError
from ikevd.frozen import frozen
from ikevd.peer.child_state import Half
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import LastFlight
from ikevd.sa.model import Cookies, IpsecSa, IsakmpSa, Spi


@frozen
class PhaseOneUp:
    """A phase 1 ended well. `attempt` is None where the peer began it."""

    attempt: Attempt | None
    sa: IsakmpSa
    last_flight: LastFlight | None = None
    began: float | None = None
    """When its message 1 was sent or came; None: this moment."""
    greets: bool = False
    """Shall the peer be told INITIAL-CONTACT, for which Aggressive Mode has no place?"""
    former_lives: bool = False
    """Was anything that is older of the peer heard of lately? Known where it says INITIAL-CONTACT and that matters."""


@frozen
class PhaseOneFailed:
    """Our phase 1 came to nothing, or could not be begun."""

    attempt: Attempt
    error: IkeError


@frozen
class QuickModeBegan:
    """The peer began a Quick Mode, its first message proven."""

    attempt: Attempt
    under: Cookies


@frozen
class Reserved:
    """A Quick Mode of `child` has got its inbound SPI from the kernel, or its CPI. `Resume` follows: the SPI is stored
    before a message that names it leaves."""

    attempt: Attempt
    child: str
    spi: Spi


@frozen
class Opening:
    """A Quick Mode has agreed on a pair and waits until this half of it stands in the kernel: then `Resume` follows, or
    `KernelRefused` in its place."""

    attempt: Attempt
    sa: IpsecSa
    half: Half


@frozen
class QuickModeUp:
    """A Quick Mode ended well."""

    attempt: Attempt
    sa: IpsecSa


@frozen
class QuickModeFailed:
    """A Quick Mode came to nothing."""

    attempt: Attempt
    error: IkeError
    spoken: bool
    """Did any message of it come or go? Else the peer does not know of it."""
    sent: bool
    """Did a message of ours leave? Then the peer may know our SPI."""
