"""One phase 1 negotiation at work, until its ISAKMP SA stands."""

from __future__ import annotations

from ikevd.addresses import Path
from ikevd.findings import Unreachable
from ikevd.negotiation.hints import hear_hints
from ikevd.negotiation.runner import Runner
from ikevd.wire.message import Header
from ikevd.wire.registry import ExchangeType


class Phase1Attempt:
    """What the router finds under our cookie while phase 1 is under way."""

    def __init__(self, cookie: bytes, runner: Runner) -> None:
        self.cookie = cookie
        self.runner = runner

    def heard(self, header: Header, octets: bytes, path: Path) -> None:
        """A datagram that names our cookie. An Informational in the clear has a message ID of its own."""
        if header.exchange == ExchangeType.INFORMATIONAL and not header.encrypted:
            hear_hints((self.runner,), header, octets)
        elif header.message_id:
            if not self.runner.beside(octets, path):
                self.runner.remind(path)
        else:
            self.runner.heard(octets, path)

    def unreachable(self, message_id: int, path: Path, found: Unreachable) -> None:
        """A message of ours did not arrive."""
        if not message_id:
            self.runner.unreachable(path, found)
