"""Quick Modes of the session that wait for their turn to open an SA (`ikevd.peer.crossing`)."""

from __future__ import annotations

from ikevd.exchanges.link import OpenInbound
from ikevd.negotiation.work import Ask
from ikevd.peer import crossing
from ikevd.peer.state import PeerState


class Turns:
    """What they ask is kept, with the keys in it, in no store: a new process hears it again."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: tuple[Ask, ...] = ()

    def keeps(self, state: PeerState, ask: Ask) -> bool:
        """Must it wait? Then it is asked `again`."""
        call, attempt = ask.call, ask.work.attempt
        if not isinstance(call, OpenInbound) or attempt is None or not crossing.must_wait(state, attempt, call.sa):
            return False
        self._waiting = (*self._waiting, ask)
        return True

    def again(self) -> tuple[Ask, ...]:
        """Something has changed."""
        asks, self._waiting = self._waiting, ()
        return asks
