"""Messages of dead peer detection: many come and go in the life of an ISAKMP SA, and no exchange is kept for them."""

from __future__ import annotations

from collections.abc import Sequence

from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import Effect, Returned, Transmit
from ikevd.negotiation.ports import Ports
from ikevd.peer.notices import is_dpd
from ikevd.wire.payloads import NotifyPayload


def said_alone(effects: Sequence[Effect]) -> NotifyPayload | None:
    """What an Informational exchange heard that ended with these effects, if that is a message of dead peer detection
    and nothing else."""
    for effect in effects:
        match effect:
            case Returned((NotifyPayload() as only,)) if is_dpd(only):
                return only
    return None


def send(core: Conversation, ports: Ports) -> str | None:
    """What a conversation of ours says first and last; why it could not leave, in words."""
    reason = None
    for effect in core.start(ports.now()):
        if isinstance(effect, Transmit):
            reason = ports.transmit(effect.octets, effect.path) or reason
    core.close()
    return reason
