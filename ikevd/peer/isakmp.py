"""The ISAKMP SAs of one peer: which stand, which serves, and how each ends."""

from __future__ import annotations

from ikevd.addresses import Path
from ikevd.errors import Abandoned, IkeError
from ikevd.exchanges import lifetimes
from ikevd.facts import Established, Note
from ikevd.findings import IsakmpSaStands
from ikevd.frozen import replace
from ikevd.liveness_findings import AnswersAgain
from ikevd.path_findings import NotThere
from ikevd.peer import attempts, moves
from ikevd.peer.draft import Draft
from ikevd.peer.due import isakmp_ends, lasts, serves
from ikevd.peer.effects import Forget, Record, Say
from ikevd.peer.isakmp_state import IsakmpState, LastFlight, Liveness, Stage
from ikevd.peer.notices import delete_isakmp
from ikevd.peer.timing import BEHIND_PHASE_1, RETIRED_FOR, STAGGER
from ikevd.policy.child import Start
from ikevd.policy.choose import describe
from ikevd.policy.dpd import DpdMode
from ikevd.sa.model import Cookies, IsakmpSa

MAX_ISAKMP_SAS = 8
"""Of one peer: crossing phase 1 and restarts of the peer leave several; the oldest goes."""
OVER = "the lifetime of the ISAKMP SA ended"


def adopt(draft: Draft, sa: IsakmpSa, last_flight: LastFlight | None, began: float | None) -> None:
    """A phase 1 ended well, in either role."""
    stands = IsakmpSaStands(str(sa.remote_id), str(sa.path.remote), describe(sa.suite), sa.lifetime.seconds)
    draft.say(Record(sa.cookies, Established(stands)))
    for under in draft.isakmp:
        if draft.isakmp[under].unresponsive and not attempts.busy(draft, under):
            retire(draft, under, tell=True, cause=Abandoned("replaced by a new ISAKMP SA"))
    expires = draft.now + sa.lifetime.seconds
    born = draft.now
    state = IsakmpState(sa, Stage.READY, sa.path, born, born, expires, last_flight=last_flight, began=began)
    draft.isakmp.put(sa.cookies, state)
    if sa.claims and lifetimes.reads_apart(sa):
        draft.say(Say(sa.cookies, (lifetimes.claim(sa),)))
    standing = [key for key, isakmp in draft.isakmp.items() if isakmp.stage is not Stage.LEAVING]
    if len(standing) > MAX_ISAKMP_SAS:
        unproven = (key for key in standing if draft.isakmp[key].unproven)
        retire(draft, next(unproven, standing[0]), tell=True, cause=Abandoned("too many ISAKMP SAs with this peer"))


def usable(draft: Draft) -> Cookies | None:
    """The newest ISAKMP SA for a new Quick Mode."""
    standing = serving(draft)
    return standing[0][0] if standing else None


def serving(draft: Draft) -> list[tuple[Cookies, IsakmpState]]:
    """All that are there for new Quick Modes, the newest first."""
    known = reversed(tuple(draft.isakmp.items()))
    return [(under, isakmp) for under, isakmp in known if serves(isakmp) and lasts(isakmp, draft.now)]


def can_call(draft: Draft, state: IsakmpState) -> bool:
    """Whom we have called we can call again; whoever has called us perhaps, unless it is behind a NAT."""
    if state.sa.initiator:
        return True
    if draft.connection.anybody or (state.sa.nat and state.sa.nat.remote):
        return False
    return any(child.start is not Start.PASSIVE for child in draft.connection.children)


def for_farewells(draft: Draft) -> Cookies | None:
    """The best ISAKMP SA to say Delete under."""
    standing = (key for key, isakmp in draft.isakmp.items() if lasts(isakmp, draft.now))
    ready = (key for key in standing if draft.isakmp[key].stage is Stage.READY)
    return usable(draft) or next(
        (key for key in ready if not (draft.isakmp[key].retired or draft.isakmp[key].unproven)), None
    )


def surer(draft: Draft, under: Cookies) -> Cookies | None:
    """Where the last message of phase 1 was ours and the peer has said nothing under `under` since, it may have been
    lost: the newest ISAKMP SA that serves and that the peer has for certain. None: `under` is certain, or none else."""
    if draft.isakmp[under].last_flight is None:
        return None
    return next((key for key, known in serving(draft) if known.last_flight is None), None)


def heard(
    draft: Draft, under: Cookies, path: Path, last_blocks: tuple[bytes, ...], *, lacks_ours: bool = False
) -> None:
    """An authenticated message, as in the fact `Heard`: the peer lives, and is where it came from."""
    isakmp = draft.isakmp.get(under)
    if isakmp is None:
        return
    if isakmp.unproven and path.remote != isakmp.path.remote:
        not_there(draft, under)
        return
    elsewhere = not moves.admit(draft, isakmp, path)  # which `roaming` judges
    if elsewhere or path == isakmp.path:
        path = isakmp.path  # what has not changed is the same object, and not written
    before, changed = isakmp.path, last_blocks and last_blocks != isakmp.sa.last_blocks
    sa = replace(isakmp.sa, last_blocks=last_blocks) if changed else isakmp.sa
    live = isakmp.liveness
    if live is not None and not isakmp.unproven:  # else only its answer counts
        live = answered(draft, under, live)
    draft.isakmp.put(
        under,
        replace(
            isakmp,
            sa=sa,
            path=path,
            heard=draft.now,
            unresponsive=False,
            last_flight=isakmp.last_flight if lacks_ours else None,
            liveness=live,
            roaming=isakmp.roaming if elsewhere else None,
        ),
    )
    if path is not before:
        moves.heard(draft, under, before)


def answered(draft: Draft, under: Cookies, live: Liveness) -> Liveness:
    """A sign of life, whichever, answers what the peer was asked; the next look is one `Dpd.delay` later."""
    if not live.asked:
        return live
    if live.asked > 1:
        draft.say(Record(under, Note(AnswersAgain(live.asked))))
    wanted = draft.connection.dpd
    since = live.asked_at if wanted.mode is DpdMode.PERIODIC else draft.now
    stagger = 0.0 if draft.isakmp[under].sa.initiator else STAGGER
    return replace(live, asked=0, look_at=since + wanted.delay + stagger)


def not_there(draft: Draft, under: Cookies) -> None:
    """It came from the place of a living member of a group, and has not answered there."""
    finding = NotThere(str(draft.isakmp[under].path.remote))
    draft.say(Record(under, Note(finding)))
    retire(draft, under, tell=True, cause=Abandoned(finding))


def retire(draft: Draft, under: Cookies, *, tell: bool, cause: IkeError) -> None:
    """No new exchange, those under way end with `cause`. It cuts no IPsec SA (RFC 2408 section 3.15, strongSwan issue
    1827). `tell`: say Delete; else the peer has said it."""
    isakmp = draft.isakmp.get(under)
    if isakmp is not None and not tell:
        isakmp = replace(isakmp, peer_deleted=True, delete_waits=False)
        draft.isakmp.put(under, isakmp)
    if isakmp is None or isakmp.stage is Stage.LEAVING:
        return
    attempts.abort_under(draft, under, cause)
    behind = isakmp.born + BEHIND_PHASE_1
    delete_at = behind if tell and isakmp.last_flight is not None and draft.now < behind else None
    leaves = replace(
        isakmp, stage=Stage.LEAVING, leave_at=draft.now + RETIRED_FOR, delete_waits=tell, delete_at=delete_at
    )
    draft.isakmp.put(under, leaves)
    say_waiting_delete(draft, under)


def say_waiting_delete(draft: Draft, under: Cookies) -> None:
    """Its Delete, unless a Quick Mode under it has yet to say its own last words, or the last message of phase 1 has
    just left."""
    isakmp = draft.isakmp.get(under)
    if isakmp is not None and isakmp.delete_waits and isakmp.delete_at is None and not attempts.busy(draft, under):
        draft.isakmp.put(under, replace(isakmp, delete_waits=False))
        draft.say(Say(under, (delete_isakmp(under),)))


def say_at_once(draft: Draft, under: Cookies) -> None:
    """Its Delete waits for no time any more."""
    isakmp = draft.isakmp.get(under)
    if isakmp is not None and isakmp.delete_at is not None:
        draft.isakmp.put(under, replace(isakmp, delete_at=None))
        say_waiting_delete(draft, under)


def due(draft: Draft) -> None:
    """What has come to its end."""
    for under in draft.isakmp:
        isakmp = draft.isakmp[under]
        if isakmp.delete_at is not None and isakmp.delete_at <= draft.now:
            say_at_once(draft, under)
            isakmp = draft.isakmp[under]
        when = isakmp_ends(isakmp)
        if when is None or draft.now < when:
            continue
        if isakmp.stage is Stage.LEAVING:
            draft.isakmp.drop(under)
            draft.say(Forget(under))
        elif not lasts(isakmp, draft.now):
            retire(draft, under, tell=not isakmp.retired, cause=Abandoned(OVER))
        elif is_wanted(draft, under):
            draft.isakmp.put(under, replace(isakmp, leave_at=None))  # it serves somebody by now
        else:
            retire(draft, under, tell=True, cause=Abandoned("it was only there to say Delete"))


def is_wanted(draft: Draft, under: Cookies) -> bool:
    """Is it there for somebody?"""
    return attempts.busy(draft, under) or any(child.wanted or child.standing for _, child in draft.children.items())


def retire_over(draft: Draft) -> None:
    """Those whose lifetime ended while no process was there to notice."""
    for under, isakmp in tuple(draft.isakmp.items()):
        if not lasts(isakmp, draft.now):
            retire(draft, under, tell=not isakmp.retired, cause=Abandoned(OVER))
