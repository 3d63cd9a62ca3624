"""A phase 1 that failed although the peer may hold its SA: the peer is told under that SA."""

from __future__ import annotations

from itertools import count

from ikevd.conversation.timing import Timing
from ikevd.errors import IkeError
from ikevd.negotiation.agenda import Agenda
from ikevd.negotiation.exchanges import Exchanges
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.running import Running
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.notices import delete_isakmp
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import Protocol


def say_farewell(phase1: Running, error: IkeError, ports: Ports, agenda: Agenda[object]) -> None:
    """Send the Notify that `error` names, and a Delete, each a few times; nothing is awaited."""
    sa = phase1.conversation.unconfirmed
    if sa is None:
        return
    exchanges = Exchanges(sa, phase1, phase1.record, (), Timing(), ports, agenda, map(Attempt, count()), {})
    if error.notify is not None:
        exchanges.tell((NotifyPayload(Protocol.ISAKMP, error.notify, sa.cookies.octets),), sa.path)
    exchanges.tell((delete_isakmp(sa.cookies),), sa.path)
