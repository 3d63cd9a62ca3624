"""Two peers that show one identity, as where a machine was cloned, and replace each other: so neither of them works.

They are told from one peer that moves by this: a place that was left is come from again.
"""

from __future__ import annotations

from ikevd.addresses import Endpoint
from ikevd.contact_findings import Rivals
from ikevd.peer.draft import Draft
from ikevd.peer.state import Refused, Replacement
from ikevd.peer.timing import REFUSED_FOR, RIVALS_WITHIN

TWICE = 2
"""So often two have replaced each other; the next time is the third."""


def refusal(draft: Draft, former: Endpoint, place: Endpoint) -> Rivals | None:
    """Why who comes from `place` does not replace who is at `former`: it would be the third time within a minute, or
    was not long ago."""
    if same(former, place):
        return None
    recent = [one.by for one in draft.replacements if draft.now < one.at + RIVALS_WITHIN]
    if len(recent) == TWICE and same(recent[0], place) and same(recent[1], former):
        draft.refused, draft.replacements = Refused(place, draft.now + REFUSED_FOR), ()
    held = draft.refused
    if held is None or not same(held.place, place) or held.until <= draft.now:
        return None
    return Rivals(str(former), str(place), round(held.until - draft.now))


def replaced(draft: Draft, former: Endpoint, place: Endpoint) -> None:
    """Who comes from `place` has replaced who was at `former`."""
    if not same(former, place):
        draft.replacements = (*draft.replacements, Replacement(place, draft.now))[-TWICE:]


def same(one: Endpoint, other: Endpoint) -> bool:
    """Of ESP as such no port is known (0): it may be any."""
    return one.address == other.address and (one.port == other.port or 0 in (one.port, other.port))
