"""A phase 1 that failed although the peer may hold its SA: the peer is told under that SA."""

from __future__ import annotations

from ikevd.conversation.timing import Timing
from ikevd.errors import IkeError
from ikevd.negotiation.isakmp import LiveIsakmpSa
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.runner import Runner
from ikevd.peer.notices import delete_isakmp
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import Protocol


def say_farewell(phase1: Runner, error: IkeError, ports: Ports) -> None:
    """Send the Notify that `error` names, and a Delete, each a few times; nothing is awaited."""
    sa = phase1.conversation.unconfirmed
    if sa is None:
        return
    live = LiveIsakmpSa(
        sa,
        phase1,
        (),
        Timing(),
        ports,
        on_quick_mode=lambda live, end: None,
        on_informational=lambda live, payloads: None,
        on_worn=lambda live: None,
    )
    if error.notify is not None:
        live.tell(NotifyPayload(Protocol.ISAKMP, error.notify, sa.cookies.octets))
    live.tell(delete_isakmp(sa.cookies))
