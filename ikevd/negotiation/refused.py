"""First messages under an ISAKMP SA that begin nothing: why, in the words of the counters."""

from __future__ import annotations

from collections.abc import Sequence

from ikevd.conversation.effects import Effect
from ikevd.errors import Malformed, UnexpectedMessage
from ikevd.exchanges import phase2
from ikevd.facts import Dropped
from ikevd.negotiation.beginnings import INFORMATIONAL, QUICK_MODE
from ikevd.negotiation.ports import Ports
from ikevd.observe import history
from ikevd.sa.model import IsakmpSa
from ikevd.wire.message import Header


def unfit(header: Header, *, leaving: bool) -> str | None:
    """Why no exchange begins with a message of this kind. `leaving`: only farewells begin."""
    if leaving and header.exchange != INFORMATIONAL:
        return "the ISAKMP SA has been deleted"
    if header.exchange not in (QUICK_MODE, INFORMATIONAL):
        return f"{header.exchange if header.exchange.known else 'unknown exchange type'} is not supported"
    return None


def count_rejected(
    ports: Ports, record: history.Record, sa: IsakmpSa, header: Header, octets: bytes, effects: Sequence[Effect]
) -> None:
    """The exchange that began with it (`effects`) did not accept it. `record`: evidence of the ISAKMP SA."""
    for effect in effects:
        if isinstance(effect, Dropped):
            ports.counters.count(f"drop: {header.exchange} that {_fault(effect, sa, header, octets)}")
            record.add(effect)


def _fault(dropped: Dropped, sa: IsakmpSa, header: Header, octets: bytes) -> str:
    if dropped.error == UnexpectedMessage.__name__:
        return "does not belong here"
    if dropped.error == Malformed.__name__ and phase2.proves_itself(sa, header, octets):
        return "is authentic, but malformed"
    return "is not authentic"
