"""A phase 1 that a peer began, once it is more than a place in the waiting room."""

from __future__ import annotations

from typing import Protocol

from ikevd.addresses import Path
from ikevd.findings import Unreachable
from ikevd.negotiation import phase1
from ikevd.negotiation.agenda import sooner
from ikevd.negotiation.first_message import FirstMessage
from ikevd.negotiation.router import Authenticated
from ikevd.negotiation.running import Outcome, Running
from ikevd.wire.message import Header


class Owner(Protocol):
    """Whoever decides what comes of an attempt."""

    def goes_on(self, attempt: PeersAttempt, outcomes: list[Outcome]) -> Authenticated | None:
        """The attempt has taken a step."""


class PeersAttempt:
    """What the router finds under our cookie until the ISAKMP SA stands."""

    __slots__ = ("_owner", "connections", "cookie", "forget_at", "key", "kind", "running")

    def __init__(self, first: FirstMessage, cookie: bytes, running: Running, owner: Owner) -> None:
        """`cookie`: ours."""
        self.kind, self.key = first.kind, first.key
        self.connections = first.candidates.connections
        self.cookie = cookie
        self.running = running
        self.forget_at: float | None = None
        """Set at its end."""
        self._owner = owner

    @property
    def due(self) -> float | None:
        """When something is to be done about it."""
        return sooner(self.running.conversation.deadline, self.forget_at)

    def heard(self, header: Header, octets: bytes, path: Path) -> Authenticated | None:
        """A datagram that names our cookie, or repeats the first message."""
        return self._owner.goes_on(self, phase1.hear(self.running, header, octets, path))

    def unreachable(self, message_id: int, path: Path, found: Unreachable) -> None:
        """A message of ours did not arrive."""
        if not message_id:
            self.running.unreachable(path, found)
