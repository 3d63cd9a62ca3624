"""The exchanges of a peer that are under way. Each is an `Attempt`, a number, never an object: `negotiation` knows
which exchange bears it."""

from __future__ import annotations

from typing import NewType

from ikevd.frozen import frozen
from ikevd.sa.model import Cookies, Spi

Attempt = NewType("Attempt", int)
"""One exchange of one peer; no number is given twice."""


@frozen
class QuickModeState:
    """A Quick Mode under way, whoever began it."""

    under: Cookies
    ours: bool
    """Did we begin it?"""
    born: float
    child: str | None = None
    """Which child, as soon as it is known."""
    spi: Spi | None = None
    """Ours, reserved in the kernel."""
    cpi: Spi | None = None
    """Likewise, of IPComp; None: nothing is to be compressed, as far as is known."""
    ending: bool = False
    """It was told to end: whatever else comes of it comes too late."""
