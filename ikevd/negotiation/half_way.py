"""Main Modes that peers begin beside an ISAKMP SA that they have with us: stored half-way, so that a next process
completes them.

A stranger's is not: it costs nobody a tunnel, and anybody can begin one. But strongSwan moves its children to the new
ISAKMP SA as it begins, where no Delete finds them, and gives them up with it where nobody answers.
"""

from __future__ import annotations

from collections.abc import Iterator

from ikevd.negotiation.first_message import FirstMessage
from ikevd.negotiation.ledger import Kept
from ikevd.negotiation.peers import Peers
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.session import Session


class HalfWay:
    """Finds who keeps one."""

    def __init__(self, peers: Peers, ports: Ports) -> None:
        self._peers = peers
        self._ports = ports

    def kept(self, first: FirstMessage, ours: bytes) -> Kept | None:
        """Where the exchange is stored that begins with `first` and our cookie `ours`; None: nowhere, since the peer
        holds nothing with us, or since it may come from anywhere: those are too many to look at."""
        for session in self._known(first):
            if session.has_peer_at(first.path.remote.address):
                return session.keep(first.beginning(ours, self._ports))
        return None

    def _known(self, first: FirstMessage) -> Iterator[Session]:
        """Those whose peer may have sent it."""
        for connection in first.candidates.connections:
            if not connection.anybody:
                yield from self._peers.of(connection.name)
