"""What a session does after a fact, in this order, once the kernel is as the new state wants it."""

from __future__ import annotations

from dataclasses import dataclass

from ikevd import facts
from ikevd.errors import IkeError
from ikevd.peer.state import Attempt
from ikevd.sa.model import Cookies
from ikevd.wire.payloads import Payload


@dataclass(frozen=True, slots=True)
class BeginPhaseOne:
    """Begin a phase 1 of ours; where it cannot be begun, `PhaseOneFailed` follows."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class BeginQuickMode:
    """Begin a Quick Mode of ours."""

    attempt: Attempt
    child: str
    under: Cookies


@dataclass(frozen=True, slots=True)
class Abort:
    """End an exchange under way with this error inside it; `PhaseOneFailed` or `QuickModeFailed` follows."""

    attempt: Attempt
    error: IkeError


@dataclass(frozen=True, slots=True)
class Resume:
    """The exchange goes on: the kernel did what it waited for, or refused (`error`)."""

    attempt: Attempt
    error: IkeError | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """An Informational message under that ISAKMP SA, sent a few times since nothing answers it."""

    under: Cookies
    payloads: tuple[Payload, ...]


@dataclass(frozen=True, slots=True)
class Confirm:
    """The peer has shown that it heard the last message of phase 1: it is sent no more."""

    under: Cookies


@dataclass(frozen=True, slots=True)
class Forget:
    """The ISAKMP SA is gone from the state: its exchanges end, its cookie is nobody's."""

    under: Cookies


@dataclass(frozen=True, slots=True)
class Record:
    """Evidence for the phase 1 that made the ISAKMP SA."""

    under: Cookies
    fact: facts.Fact


@dataclass(frozen=True, slots=True)
class Answer:
    """Who waits for the child is told how the present attempt ended."""

    child: str
    error: IkeError | None


Effect = BeginPhaseOne | BeginQuickMode | Abort | Resume | Say | Confirm | Forget | Record | Answer
