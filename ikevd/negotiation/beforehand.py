"""What is found out before a fact is learnt, since other peers or the kernel have something to say of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from ikevd.negotiation.claimant import Claimant
from ikevd.negotiation.questions import Questions
from ikevd.peer import contact, informed
from ikevd.peer.facts import Fact
from ikevd.peer.message_facts import Informed
from ikevd.peer.state import PeerState
from ikevd.policy.connection import Connection


class Owner(Protocol):
    """The session that learns it."""

    connection: Connection
    state: PeerState
    claimant: Claimant


def question(
    owner: Owner, questions: Questions, happening: object, now: Callable[[], float]
) -> Coroutine[Any, Any, Fact] | None:
    """Gives the fact with the answer in it; None: it is learnt as it is. `now`: on the clock of the records."""
    if bearing := contact.bearing(owner.connection, happening):
        return owner.claimant.with_former(bearing)
    if isinstance(happening, Informed) and (young := informed.ends_young(owner.state, happening, now())):
        return questions.with_used_up(happening, young)
    return None
