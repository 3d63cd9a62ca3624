"""Facts of the kernel: what stands in it, what is gone, what it asks for; all kinds of facts: `ikevd.peer.facts`."""

from __future__ import annotations

from ikevd.errors import Finding, IkeError
from ikevd.frozen import frozen
from ikevd.host.events import Packet
from ikevd.peer.exchange_state import Attempt
from ikevd.sa.model import Spi


@frozen
class KernelRefused:
    """What an attempt waited for cannot stand."""

    attempt: Attempt
    error: IkeError
    child: str | None = None
    """Whose it was, where no `Reserved` told it before."""


@frozen
class Expired:
    """The kernel ended an SA whose lifetime is over. `spi`: either of the pair."""

    child: str
    spi: Spi


@frozen
class Vanished:
    """An SA is gone from the kernel though its time had not come: somebody removed it."""

    child: str
    spi: Spi


@frozen
class Acquired:
    """The kernel asks for an SA of the child: a packet has met its trap."""

    child: str
    packet: Packet | None = None
    """None: it came before anybody listened."""


@frozen
class Unplaced:
    """Policies of a child cannot stand in the kernel: somebody else's have its selector, or fight them."""

    child: str
    cause: Finding


@frozen
class Placed:
    """They stand now."""

    child: str


@frozen
class Unlinked:
    """The interface of the connection is gone, cannot be made, or not all that shall stand on it."""

    cause: Finding


@frozen
class Linked:
    """It stands as it shall."""
