"""An exchange at work, with what its owner must know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from ikevd.exchanges.link import KernelCall
from ikevd.frozen import frozen
from ikevd.negotiation.agenda import sooner
from ikevd.negotiation.kernel_side import Again
from ikevd.negotiation.link_side import LinksAgain
from ikevd.negotiation.running import Running
from ikevd.peer.effects import Question
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Fact

if TYPE_CHECKING:
    from ikevd.negotiation.steps import Steps


@dataclass(slots=True, eq=False)
class Work:
    """Under way or, for a while after its end, there to answer repetitions."""

    running: Running
    under: Steps | None = None
    """Of which ISAKMP SA; None for a phase 1."""
    attempt: Attempt | None = None
    """None for an Informational exchange."""
    forget_at: float | None = None
    """Set at its end."""

    @property
    def due(self) -> float | None:
        """When something is to be done about it."""
        return sooner(self.running.conversation.deadline, self.forget_at)


@final
@frozen
class Ask:
    """An exchange asks this machine for something, and waits."""

    work: Work
    call: KernelCall


Happening = Fact | Ask | Question
"""What comes of a step of an exchange, or of a fact, for the session that owns it."""
Retry = Again | LinksAgain
"""Something of the kernel is to be compared, or brought about, once more."""
