"""Packets leave and none comes: how far the doubt is whether ESP is blocked, and the trial of ESP in UDP."""

from __future__ import annotations

from enum import Enum

from ikevd.errors import Finding
from ikevd.frozen import frozen
from ikevd.peer.exchange_state import Attempt
from ikevd.sa.model import Cookies


class OneWayStage(Enum):
    """How far it is with the doubt whether ESP is blocked, and with the trial of ESP in UDP."""

    SUSPECTED = "suspected"
    """Packets leave and none comes: looked at again soon."""
    CALLING = "calling"
    """The phase 1 of the trial is under way."""
    TRYING = "trying"
    """Its ISAKMP SA stands, and is not judged yet."""
    HELPED = "helped"
    IN_VAIN = "in vain"
    """The last trial came to nothing, and nothing has been suspected since."""


@frozen
class OneWay:
    """Packets leave through the pairs of a peer that answers by IKE, and none comes: is ESP blocked on the way?"""

    since: float
    """SUSPECTED: so it was seen to be since then, and still while CALLING. TRYING: the ISAKMP SA of the trial stands
    since then. HELPED, IN_VAIN: the trial was judged then."""
    look_at: float | None = None
    """When the kernel is asked again how many came."""
    attempt: Attempt | None = None
    """Our phase 1 that begins the trial of ESP in UDP."""
    children: tuple[str, ...] = ()
    """That are tried in it."""
    under: Cookies | None = None
    """The ISAKMP SA of the trial, until that is judged."""
    helps: bool = False
    """It helped: each phase 1 of ours has ESP in UDP from here on."""
    vain: int = 0
    """Trials in a row that did not help."""
    again_at: float | None = None
    """There is no other one before this time."""
    found: Finding | None = None
    """What was found out last."""

    @property
    def stage(self) -> OneWayStage:
        """Which of these fields count."""
        if self.helps:
            return OneWayStage.HELPED
        if self.under is not None:
            return OneWayStage.TRYING
        if self.attempt is not None:
            return OneWayStage.CALLING
        return OneWayStage.IN_VAIN if self.look_at is None else OneWayStage.SUSPECTED
