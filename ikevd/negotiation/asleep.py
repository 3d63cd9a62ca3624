"""Quick Modes that had ended before this process began: there for the peer that repeats itself, and told again only
then, since that takes as long as it took the first time."""

from __future__ import annotations

from collections.abc import Collection

from ikevd.conversation import replay
from ikevd.conversation.inputs import InputKind
from ikevd.conversation.timing import LINGER
from ikevd.frozen import replace
from ikevd.negotiation.agenda import Agenda
from ikevd.negotiation.beginnings import Beginnings, Begun
from ikevd.negotiation.ledger import Kept, Ledger
from ikevd.negotiation.ports import Ports
from ikevd.peer.exchange_state import Attempt
from ikevd.store.interface import ExchangeState

UNTOLD = "restart: an exchange could not be told again"


def has_ended(state: ExchangeState, known: Collection[Attempt]) -> bool:
    """Has a session learnt of its end? `known`: the Quick Modes that its records name. One of the peer's that has not
    got an SPI may not have come so far."""
    begun = state.inputs.beginning.initiator or any(one.kind is InputKind.SERVED for one in state.inputs.given)
    return begun and state.attempt not in known


class Asleep:
    """Of one ISAKMP SA, by message ID."""

    __slots__ = ("_agenda", "_found", "_ports")

    def __init__(self, ports: Ports, agenda: Agenda[object]) -> None:
        """`agenda` tells the owner when to call `forget_over`, with this object."""
        self._ports = ports
        self._agenda = agenda
        self._found: dict[int, tuple[ExchangeState, Kept]] | None = None
        """None: an earlier process has left none, as for nearly all ISAKMP SAs."""

    def add(self, ledger: Ledger, state: ExchangeState) -> None:
        """One that has ended; `forget_over` is called behind the last."""
        self._found = self._found or {}
        self._found[state.inputs.beginning.message_id] = (state, Kept.read(ledger, state))

    def wake(self, message_id: int, beginnings: Beginnings) -> tuple[Begun, float] | None:
        """Somebody repeats a message of it: the exchange as it ended, and until when it is wanted. None: there is no
        such exchange, or it cannot be told again."""
        if not self._found or message_id not in self._found:
            return None
        self.forget_over()
        if (found := self._found.pop(message_id, None)) is None:
            return None
        state, kept = found
        try:
            begun, revived = beginnings.again(state, self._ports.now())
            if revived.returned is None:
                raise replay.Irreproducible("it has not ended")
        except replay.Irreproducible:
            self._ports.counters.count(UNTOLD)
            kept.forget()
            return None
        return replace(begun, kept=kept), wanted_until(state)

    def forget_over(self) -> None:
        """Those whose peer does not repeat itself any more."""
        now, found = self._ports.now(), self._found or {}
        for message_id in [key for key, (state, _) in found.items() if wanted_until(state) <= now]:
            _, kept = found.pop(message_id)
            kept.forget()
        self._agenda.set(self, min((wanted_until(state) for state, _ in found.values()), default=None))

    def close(self) -> None:
        """Their ISAKMP SA is gone."""
        for _, kept in (self._found or {}).values():
            kept.let_go()
        self._found = None
        self._agenda.set(self, None)


def wanted_until(state: ExchangeState) -> float:
    """So long after its last message."""
    return max(given.at for given in state.inputs.given) + LINGER
