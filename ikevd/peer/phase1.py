"""Our phase 1: begun for a child that waits, or for a Delete that no ISAKMP SA is there to protect; one at a time."""

from __future__ import annotations

from ikevd.errors import Abandoned, Finding, IkeError
from ikevd.frozen import replace
from ikevd.peer import child, deletes, isakmp, liveness
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Abort, BeginPhaseOne
from ikevd.peer.exchange_facts import PhaseOneUp
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import Stage
from ikevd.peer.timing import SAID_AFTER
from ikevd.sa.model import Cookies


def begin(draft: Draft) -> None:
    """Where no ISAKMP SA serves."""
    if draft.phase1 is None and (draft.waiting or draft.deletes_to_send):
        draft.phase1 = draft.number()
        draft.say(BeginPhaseOne(draft.phase1, next(iter(draft.asked.values()), None)))


def renew(draft: Draft, why: Finding | None = None) -> bool:
    """One beside what serves. False: one of ours is under way already. `why`: evidence, where nobody else tells."""
    if draft.phase1 is not None:
        return False
    draft.phase1 = draft.number()
    draft.say(BeginPhaseOne(draft.phase1, why))
    return True


def up(draft: Draft, fact: PhaseOneUp) -> bool:
    """A phase 1 ended well, in either role. False: it is no news."""
    attempt, sa = fact.attempt, fact.sa
    if draft.isakmp.get(sa.cookies):
        return False  # told once more after a restart
    isakmp.adopt(draft, sa, fact.last_flight, fact.began)
    liveness.begin(draft, sa.cookies)
    if attempt is not None and attempt != draft.phase1:
        isakmp.retire(draft, sa.cookies, tell=True, cause=Abandoned("the connection was taken down"))
        return True
    if attempt is not None:
        draft.phase1 = None
    return True


def say_waiting(draft: Draft, under: Cookies) -> None:
    """The Deletes that waited for an ISAKMP SA with the peer: this one is."""
    found = draft.isakmp.get(under)
    if found is not None and found.stage is Stage.READY and draft.deletes_to_send:
        deletes.say_waiting(draft, under)
        if found.sa.initiator:
            draft.isakmp.put(under, replace(found, leave_at=draft.now + SAID_AFTER))


def failed(draft: Draft, attempt: Attempt, error: IkeError) -> bool:
    """All that wait for it fail. False: it was given up already."""
    if attempt != draft.phase1:
        return False
    draft.phase1 = None
    if not isinstance(error, Abandoned):
        draft.deletes_to_send = ()
    _fail_waiting(draft, error)
    return True


def abort(draft: Draft, cause: IkeError) -> None:
    """End ours under way. Should it end well all the same, its ISAKMP SA goes at once."""
    if draft.phase1 is not None:
        draft.say(Abort(draft.phase1, cause))
        draft.phase1 = None
        _fail_waiting(draft, cause)


def _fail_waiting(draft: Draft, error: IkeError) -> None:
    if isakmp.usable(draft) is not None:
        return  # the peer's own phase 1 was faster: they wait for their turn
    waiting, draft.waiting = draft.waiting, ()
    for name in waiting:
        child.failed(draft, name, error)
