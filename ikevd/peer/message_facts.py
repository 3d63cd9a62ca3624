"""Facts of what came from the peer under an ISAKMP SA, or in its name; all kinds of facts: `ikevd.peer.facts`."""

from __future__ import annotations

from collections.abc import Sequence

from ikevd.addresses import Path
from ikevd.frozen import frozen
from ikevd.sa.model import Cookies, Spi
from ikevd.wire.payloads import NotifyPayload, Payload
from ikevd.wire.registry import NotifyType


@frozen
class Heard:
    """An authenticated message came under this ISAKMP SA."""

    under: Cookies
    path: Path
    last_blocks: tuple[bytes, ...] = ()
    """Of phase 1, as they stand now (`IsakmpSa.last_blocks`); empty: as they were."""
    lacks_ours: bool = False
    """The peer goes on from its own last message of phase 1: it does not have ours yet."""


@frozen
class Informed:
    """What an Informational message said, behind its HASH."""

    under: Cookies
    payloads: Sequence[Payload]
    message_id: int = 0
    """Of the message: used up once the fact is stored."""
    former_lives: bool = False
    """As in `PhaseOneUp`."""
    used_up: tuple[Spi, ...] = ()
    """Our SPIs of pairs that it ends soon after their birth, and that have carried a volume by then."""


@frozen
class Contacted:
    """The peer said INITIAL-CONTACT in a Quick Mode."""

    under: Cookies
    former_lives: bool = False
    """As in `PhaseOneUp`."""


@frozen
class HeardDpd:
    """An authentic message that holds R-U-THERE or R-U-THERE-ACK and nothing else. Its number, not its message ID,
    tells whether it is new."""

    under: Cookies
    said: NotifyPayload
    path: Path
    last_blocks: tuple[bytes, ...] = ()
    """As in `Heard`, and so is `lacks_ours`."""
    lacks_ours: bool = False


@frozen
class Hinted:
    """INVALID-COOKIE or INVALID-SPI came in the clear: nothing proves it."""

    notify: NotifyType
    under: Cookies | None = None
    """The ISAKMP SA that it is said of; None: an SPI that we send to."""


@frozen
class StrayEsp:
    """ESP came from the peer's address under an SPI that nobody has here. Forgeable. `times`: so often since it was on
    record; 0: it is not to be."""

    spi: Spi
    times: int = 1


@frozen
class Worn:
    """The message IDs of the ISAKMP SA are used up, or its volume."""

    under: Cookies
    why: str = "the ISAKMP SA has used up its message IDs"
