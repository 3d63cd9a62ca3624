"""Facts about where the peer is, and where this machine; `ikevd.peer.facts` has the others."""

from __future__ import annotations

from ikevd.addresses import Address, Endpoint
from ikevd.errors import Finding
from ikevd.frozen import frozen
from ikevd.peer.exchange_state import Attempt
from ikevd.sa.model import Cookies, Spi


@frozen
class Mapped:
    """A packet of the peer came by an SA of ESP in UDP, authenticated, from another place than the SA has."""

    child: str
    spi: Spi
    """Ours."""
    now: Endpoint


@frozen
class Unmovable:
    """The kernel cannot let an SA follow the peer. `spi`: either of the pair."""

    child: str
    spi: Spi
    cause: Finding


@frozen
class AddressGone:
    """It is no address of this machine any more."""

    address: Address
    attempt: Attempt | None = None
    """Our phase 1 under way that uses it."""


@frozen
class WayFound:
    """The peer can be called again, as far as this machine's addresses and routes tell."""

    anew: bool = False
    """The name of the peer has another address: whatever failed is tried again."""


@frozen
class CameTwice:
    """What came under this ISAKMP SA from another address has come from the known one, too: somebody sends copies."""

    under: Cookies


@frozen
class Balance:
    """How many packets left and came through the pairs of a peer (`AskBalance`)."""

    under: Cookies | None
    """Those that were made under this ISAKMP SA; None: all of them."""
    sent: int
    came: int
    busiest: tuple[str, ...] = ()
    """The children that sent, who sent most first."""
