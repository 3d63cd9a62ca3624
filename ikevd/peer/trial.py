"""The trial of ESP in UDP, where ESP seems to be blocked: one phase 1 of ours that makes both sides believe in a NAT,
and new pairs under it for the children that send. What stood before stays until it is judged: the packets that come in
UDP keep it, else it is undone, and not repeated for an hour."""

from __future__ import annotations

from ikevd.errors import Abandoned, Finding, IkeError, Said
from ikevd.facts import Note
from ikevd.frozen import replace
from ikevd.path_findings import EspBlocked, EspSilent, UdpInVain, UdpNotTried
from ikevd.peer import attempts, blocked, isakmp, pairs, phase1, rekey, succession
from ikevd.peer.child_state import PairState
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Record
from ikevd.peer.exchange_facts import PhaseOneUp
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import Stage
from ikevd.peer.one_way_state import OneWay, OneWayStage
from ikevd.peer.path_facts import Balance
from ikevd.peer.timing import (
    CALLED_AGAIN,
    JUDGED_AFTER,
    JUDGED_EVERY,
    LAST_TRIED_AGAIN,
    LOOK_AGAIN,
    TRIAL_OVER,
    TRIED_AGAIN,
    TRIED_CHILDREN,
)
from ikevd.policy.nat import Encap
from ikevd.sa.model import Cookies, IsakmpSa

UNSPOKEN = Said("the peer agreed on no NAT traversal in its phase 1")


def counted(draft: Draft, balance: Balance) -> None:
    """What the kernel tells of the pairs of the trial, or of all."""
    known = draft.one_way
    if balance.under is not None:
        if known is not None and known.under == balance.under:
            _judge(draft, known, balance.under, balance)
    elif (known is None or known.stage is not OneWayStage.TRYING) and blocked.weigh(draft, balance):
        _begin(draft, balance)


def up(draft: Draft, fact: PhaseOneUp) -> bool:
    """A phase 1 has ended well. True: it is that of the trial, for which nothing gives way yet."""
    known = draft.one_way
    if known is None:
        return False
    if known.attempt is not None and known.attempt == fact.attempt:
        _stands(draft, known, fact.sa)
        return True
    if known.stage is OneWayStage.HELPED and fact.attempt is None:
        _follow(draft, known, fact.sa)
    return False


def failed(draft: Draft, attempt: Attempt, error: IkeError) -> bool:
    """A phase 1 of ours came to nothing. True: it was that of the trial."""
    known = draft.one_way
    if known is None:
        return False
    if known.attempt == attempt:
        if isinstance(error, Abandoned):
            draft.one_way = None
        else:
            _in_vain(draft, known, UdpNotTried(error.finding, _pause(known)))
        return True
    if known.stage is OneWayStage.HELPED and not isinstance(error, Abandoned) and isakmp.usable(draft) is None:
        draft.one_way = None  # the way may be another one by now: the next one begins without
    return False


def restarted(draft: Draft) -> None:
    """A trial goes on in the new process, unless its phase 1 went down with the old one."""
    known = draft.one_way
    if known is not None and known.attempt is not None and known.attempt != draft.phase1:
        draft.one_way = None


def reconsider(draft: Draft, *, anew: bool) -> None:
    """The file may say otherwise of `encap`. `anew`: another phase 1 follows, which ends a trial. That ESP is blocked
    remains true."""
    known = draft.one_way
    if known is not None and (
        draft.connection.encap is not Encap.AUTO or (anew and known.stage is not OneWayStage.HELPED)
    ):
        draft.one_way = None


# -- its beginning


def _begin(draft: Draft, balance: Balance) -> None:
    known, under = draft.one_way, isakmp.usable(draft)
    if known is None or under is None:
        return
    found = EspSilent(balance.sent, round(draft.now - known.since))
    if not phase1.renew(draft, found):
        draft.one_way = replace(known, look_at=draft.now + LOOK_AGAIN)
        return
    children = balance.busiest[:TRIED_CHILDREN]
    draft.one_way = replace(known, look_at=None, attempt=draft.phase1, children=children, found=found)
    draft.say(Record(under, Note(found)))


def _stands(draft: Draft, known: OneWay, sa: IsakmpSa) -> None:
    """Its ISAKMP SA does."""
    found = draft.isakmp.get(sa.cookies)
    if found is None or found.stage is not Stage.READY:  # it was told to end meanwhile
        draft.one_way = None
    elif sa.nat is None or not sa.nat.encapsulates:
        isakmp.retire(draft, sa.cookies, tell=True, cause=Abandoned(UNSPOKEN))
        _in_vain(draft, known, UdpNotTried(UNSPOKEN, _pause(known)))
    else:
        draft.one_way = replace(
            known, since=draft.now, look_at=draft.now + JUDGED_EVERY, attempt=None, under=sa.cookies
        )
        for name in known.children:
            rekey.now(draft, name)


def _follow(draft: Draft, known: OneWay, sa: IsakmpSa) -> None:
    """The peer began a phase 1 of its own, without a NAT: another one of ours, not too often."""
    found = draft.isakmp.get(sa.cookies)
    plain = sa.nat is not None and not sa.nat.encapsulates
    early = known.again_at is not None and draft.now < known.again_at
    if plain and not early and found is not None and isakmp.can_call(draft, found) and phase1.renew(draft, known.found):
        draft.one_way = replace(known, again_at=draft.now + CALLED_AGAIN)


# -- its end


def _judge(draft: Draft, known: OneWay, under: Cookies, balance: Balance) -> None:
    """A pair of the trial is used at once: through the one before it nothing comes anyhow."""
    made = _made(draft, under)
    end = min([pair.born + JUDGED_AFTER for _, pair in made], default=known.since + TRIAL_OVER)
    if made and balance.came:
        _keep(draft, under, made[0][1])
    elif draft.now >= end:
        _undo(draft, known, under, balance.sent)
    else:
        draft.one_way = replace(known, look_at=min(end, draft.now + JUDGED_EVERY))
        for name, _ in made:
            rekey.use(draft, name)


def _keep(draft: Draft, under: Cookies, pair: PairState) -> None:
    """What stood before gives way, as at any renewal, and the other children follow."""
    found = EspBlocked(str(pair.sa.local), str(pair.sa.remote))
    draft.one_way = OneWay(draft.now, helps=True, found=found)
    _note(draft, found)
    succession.adopted(draft, under, ours=True)
    for name in draft.children:
        newest = rekey.newest(draft.child(name))
        if newest is not None and newest.under != under:
            rekey.now(draft, name)


def _undo(draft: Draft, known: OneWay, under: Cookies, sent: int) -> None:
    found = UdpInVain(sent, _pause(known))
    _in_vain(draft, known, found)
    for mode in attempts.ours(draft, under).values():  # what stood carries on: none of them is made up for
        if mode.child is not None and draft.child(mode.child).standing:
            draft.children.put(mode.child, replace(draft.child(mode.child), attempt=None))
    for name, pair in _made(draft, under):
        pairs.replaced(draft, name, pair, found)
    isakmp.retire(draft, under, tell=True, cause=Abandoned(found))


def _in_vain(draft: Draft, known: OneWay, found: UdpInVain | UdpNotTried) -> None:
    draft.one_way = OneWay(draft.now, vain=known.vain + 1, again_at=draft.now + found.again, found=found)
    _note(draft, found)


def _pause(known: OneWay) -> float:
    return min(TRIED_AGAIN * 2.0 ** min(known.vain, 30), LAST_TRIED_AGAIN)


def _made(draft: Draft, under: Cookies) -> list[tuple[str, PairState]]:
    """The pairs that stand, made under that ISAKMP SA."""
    children = draft.children.items()
    return [(name, pair) for name, child in children for pair in child.standing if pair.under == under]


def _note(draft: Draft, found: Finding) -> None:
    """In the records of all ISAKMP SAs that serve."""
    for under, _ in isakmp.serving(draft):
        draft.say(Record(under, Note(found)))
