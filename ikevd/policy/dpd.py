"""Dead peer detection (RFC 3706), as the file has it."""

from __future__ import annotations

from enum import Enum

from ikevd.frozen import frozen


class DpdMode(Enum):
    """When the peer is asked whether it lives (RFC 3706)."""

    IDLE = "idle"
    """When nothing was heard of it for a while, neither IKE nor ESP."""
    PERIODIC = "periodic"
    """Every so often, whatever was heard."""
    OFF = "off"
    """Never; what the peer asks is answered all the same."""


class DpdAction(Enum):
    """What becomes of a child whose peer is dead."""

    CLEAR = "clear"
    """It is down until it is asked for, by command or by the peer."""
    HOLD = "hold"
    """It is down until there is traffic for it."""
    RESTART = "restart"
    """It begins anew at once, and again until it stands."""


@frozen
class Dpd:
    """Dead peer detection."""

    mode: DpdMode = DpdMode.IDLE
    delay: float = 30.0
    """Seconds of silence before the peer is asked, or between two questions."""
    timeout: float = 8.0
    """Seconds after the first question without a sign of life at which the peer is dead."""
    action: DpdAction | None = None
    """None: of each child by what brings it up."""
