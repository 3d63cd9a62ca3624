"""Messages of dead peer detection: many come and go in the life of an ISAKMP SA, and no exchange is kept for them."""

from __future__ import annotations

from collections.abc import Sequence

from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import Effect, Returned, Transmit
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.work import Happening
from ikevd.peer.dpd import NUMBERS, number_of
from ikevd.peer.isakmp_state import Liveness
from ikevd.peer.message_facts import HeardDpd
from ikevd.peer.notices import is_dpd
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import NotifyType


def said_alone(effects: Sequence[Effect]) -> NotifyPayload | None:
    """What an Informational exchange heard that ended with these effects, if that is a message of dead peer detection
    and nothing else."""
    for effect in effects:
        match effect:
            case Returned((NotifyPayload() as only,)) if is_dpd(only):
                return only
    return None


def round_trip(live: Liveness | None, happenings: Sequence[Happening], now: float) -> float | None:
    """Seconds that the peer took to answer the first of the questions that are open, if that is what has happened."""
    if live is None or not live.asked:
        return None
    first = (live.number - live.asked + 1) % NUMBERS
    for happening in happenings:
        if isinstance(happening, HeardDpd) and happening.said.type == NotifyType.R_U_THERE_ACK:
            return now - live.asked_at if number_of(happening.said) == first else None
    return None


def send(core: Conversation, ports: Ports) -> str | None:
    """What a conversation of ours says first and last; why it could not leave, in words."""
    reason = None
    for effect in core.start(ports.now()):
        if isinstance(effect, Transmit):
            reason = ports.transmit(effect.octets, effect.path) or reason
    core.close()
    return reason
