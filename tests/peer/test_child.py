"""The life of one child, as a table: a fact in a state, the child after, and what is done about it.

`lan` is persistent (`start: auto`), `dmz` is not. One ISAKMP SA, A, serves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from ikevd.errors import InvalidId, KernelRefused, PeerRefused, Said
from ikevd.peer.facts import (
    Due,
    Expired,
    Fact,
    Informed,
    Placed,
    QuickModeFailed,
    QuickModeUp,
    Unplaced,
    Unwanted,
    Vanished,
    Wanted,
)
from ikevd.peer.notices import delete_esp
from ikevd.peer.state import Attempt, ChildState, PairState, PeerState
from ikevd.sa.model import Spi
from ikevd.wire.registry import NotifyType
from tests.peer.records import NOW, A, ipsec, isakmp, mode, opening, ours, pair, peer, theirs, told

NO = PeerRefused("no", NotifyType.NO_PROPOSAL_CHOSEN)
BROKEN = KernelRefused("no memory", 12)
REFUSED, BY_PEER, OVER = Said("no"), Said("deleted by the peer"), Said("lifetime ended")
TAKEN_DOWN, LOST = Said("taken down by command"), Said("its IPsec SA is gone from the kernel before its time")

DOWN = ChildState(since=5.0)
WANTED = ChildState(wanted=True, since=5.0)
OLD, OLDER, YOUNG = pair(1), pair(2, born=NOW - 900), pair(4, born=NOW - 9.9)
UP = ChildState(wanted=True, pairs=(OLD,), since=5.0)
ELEVEN = Attempt(11)


def new(number: int, name: str = "lan", *, initiator: bool = True) -> PairState:
    """A pair that came up now."""
    made = opening(number, 7, name=name)
    return replace(pair(number, name), sa=ipsec(number, name, initiator=initiator), born=NOW, expires=made.expires)


def under_way(lan: ChildState, *, theirs: bool = False) -> PeerState:
    """Quick Mode 7 makes the third pair of `lan`."""
    made = replace(opening(3, 7), sa=ipsec(3, initiator=not theirs))
    child = replace(lan, pairs=(*lan.pairs, made), attempt=lan.attempt if theirs else Attempt(7))
    return peer(isakmp(), lan=child, modes={7: mode(ours=not theirs, spi=ours(3))})


def up(*, theirs: bool = False) -> QuickModeUp:
    return QuickModeUp(Attempt(7), ipsec(3, initiator=not theirs))


def deleted(*spis: Spi) -> Informed:
    return Informed(A, (delete_esp(*spis),))


@dataclass(frozen=True)
class Row:
    rule: str
    before: PeerState
    fact: Fact
    after: ChildState
    effects: tuple[str, ...] = ()
    name: str = "lan"


def lan(state: ChildState) -> PeerState:
    return peer(isakmp(), lan=state)


def dmz(state: ChildState) -> PeerState:
    return peer(isakmp(), dmz=state)


ROWS = [
    # -- wanted
    Row("a command begins", lan(DOWN), Wanted("lan"), replace(WANTED, attempt=ELEVEN), ("begin lan as 11 under A",)),
    Row(
        "a child that nothing was heard of yet begins as well",
        peer(isakmp()),
        Wanted("lan"),
        ChildState(wanted=True, attempt=ELEVEN),
        ("begin lan as 11 under A",),
    ),
    Row(
        "one attempt at a time",
        peer(isakmp(), lan=replace(WANTED, attempt=Attempt(7)), modes={7: mode()}),
        Wanted("lan"),
        replace(WANTED, attempt=Attempt(7)),
    ),
    Row(
        "what is up stays, and who wants it is told",
        lan(replace(UP, wanted=False)),
        Wanted("lan"),
        UP,
        ("answer lan: up",),
    ),
    Row(
        "a command does not wait for the retry, and the back-off goes on from where it was",
        lan(replace(WANTED, retry_at=NOW + 64, failures=5, cause=REFUSED)),
        Wanted("lan"),
        replace(WANTED, attempt=ELEVEN, failures=5, cause=REFUSED),
        ("begin lan as 11 under A",),
    ),
    Row(
        "a command ends the clear",
        lan(replace(DOWN, open=True)),
        Wanted("lan"),
        replace(WANTED, attempt=ELEVEN),
        ("begin lan as 11 under A",),
    ),
    # -- the retry
    Row(
        "the time of the retry has come",
        lan(replace(WANTED, retry_at=NOW, failures=1)),
        Due(),
        replace(WANTED, attempt=ELEVEN, failures=1),
        ("begin lan as 11 under A",),
    ),
    Row(
        "the time of the retry has not come",
        lan(replace(WANTED, retry_at=NOW + 0.1, failures=1)),
        Due(("lan",)),
        replace(WANTED, retry_at=NOW + 0.1, failures=1),
    ),
    Row("the peer was faster", lan(replace(UP, retry_at=NOW)), Due(("lan",)), UP),
    Row("it is another child's time", lan(replace(WANTED, retry_at=NOW)), Due(("dmz",)), replace(WANTED, retry_at=NOW)),
    # -- unwanted
    Row(
        "every pair goes, and the peer is told",
        lan(replace(UP, pairs=(OLDER, OLD), failures=3)),
        Unwanted("lan"),
        ChildState(cause=TAKEN_DOWN, since=NOW, by_command=True),
        (
            "say under A: delete d0000002",
            "say under A: delete d0000001",
            "answer lan: Abandoned (lan was taken down)",
        ),
    ),
    Row(
        "a retry is called off",
        lan(replace(WANTED, retry_at=NOW + 9, failures=2)),
        Unwanted("lan"),
        ChildState(cause=TAKEN_DOWN, since=NOW, by_command=True),
        ("answer lan: Abandoned (lan was taken down)",),
    ),
    Row(
        "from here on its traffic passes in the clear",
        lan(DOWN),
        Unwanted("lan", open=True),
        ChildState(cause=TAKEN_DOWN, since=NOW, by_command=True, open=True),
        ("answer lan: Abandoned (lan was taken down)",),
    ),
    Row(
        "our Quick Mode ends; what it has opened goes when it has",
        under_way(WANTED),
        Unwanted("lan"),
        ChildState(cause=TAKEN_DOWN, since=NOW, by_command=True, pairs=(opening(3, 7),)),
        ("abort 7: Abandoned (taken down by command)", "answer lan: Abandoned (lan was taken down)"),
    ),
    Row(
        "so does the peer's",
        under_way(DOWN, theirs=True),
        Unwanted("lan"),
        ChildState(
            cause=TAKEN_DOWN, since=NOW, by_command=True, pairs=(replace(opening(3, 7), sa=ipsec(3, initiator=False)),)
        ),
        ("abort 7: Abandoned (taken down by command)", "answer lan: Abandoned (lan was taken down)"),
    ),
    # -- up
    Row(
        "our Quick Mode ends the attempt and the failures",
        under_way(replace(WANTED, failures=4, cause=REFUSED, again=True)),
        up(),
        replace(WANTED, pairs=(new(3),), since=NOW),
        ("answer lan: up",),
    ),
    Row(
        "the peer's Quick Mode calls off the retry",
        under_way(replace(WANTED, retry_at=NOW + 9, failures=4, cause=REFUSED), theirs=True),
        up(theirs=True),
        replace(WANTED, pairs=(new(3, initiator=False),), since=NOW),
        ("answer lan: up",),
    ),
    Row(
        "the peer's Quick Mode does not end our own",
        under_way(replace(WANTED, attempt=Attempt(8)), theirs=True),
        up(theirs=True),
        replace(WANTED, attempt=Attempt(8), pairs=(new(3, initiator=False),), since=NOW),
        ("answer lan: up",),
    ),
    Row(
        "a second pair stands beside the first",
        under_way(UP),
        up(),
        replace(UP, pairs=(OLD, new(3))),
        ("answer lan: up",),
    ),
    Row(
        "of three the oldest goes, and the peer is told",
        under_way(replace(UP, pairs=(OLDER, OLD))),
        up(),
        replace(UP, pairs=(OLD, new(3))),
        ("say under A: delete d0000002", "answer lan: up"),
    ),
    # -- not up
    Row(
        "a persistent child is tried again",
        under_way(WANTED),
        QuickModeFailed(Attempt(7), NO, spoken=True, sent=True),
        replace(WANTED, cause=REFUSED, failures=1, retry_at=NOW + 2),
        ("answer lan: PeerRefused (no)",),
    ),
    Row(
        "later each time",
        under_way(replace(WANTED, failures=3)),
        QuickModeFailed(Attempt(7), NO, spoken=True, sent=True),
        replace(WANTED, cause=REFUSED, failures=4, retry_at=NOW + 16),
        ("answer lan: PeerRefused (no)",),
    ),
    Row(
        "another child is tried once",
        peer(isakmp(), dmz=replace(WANTED, attempt=Attempt(7)), modes={7: mode("dmz")}),
        QuickModeFailed(Attempt(7), NO, spoken=True, sent=True),
        replace(DOWN, cause=REFUSED),
        ("answer dmz: PeerRefused (no)",),
        name="dmz",
    ),
    Row(
        "a failure beside a pair that stands asks for nothing",
        under_way(UP),
        QuickModeFailed(Attempt(7), NO, spoken=True, sent=True),
        replace(UP, cause=REFUSED),
        ("answer lan: PeerRefused (no)",),
    ),
    Row(
        "this machine refuses the peer's attempt, which ends none of ours",
        under_way(replace(WANTED, attempt=Attempt(8)), theirs=True),
        QuickModeFailed(Attempt(7), BROKEN, spoken=True, sent=False),
        replace(WANTED, attempt=Attempt(8), cause=Said("no memory")),
        ("say under A: NO_PROPOSAL_CHOSEN",),
    ),
    Row(
        "what else ends the peer's attempt is no cause of ours",
        under_way(DOWN, theirs=True),
        QuickModeFailed(Attempt(7), InvalidId("no such network"), spoken=True, sent=False),
        DOWN,
        ("say under A: INVALID_ID_INFORMATION",),
    ),
    # -- deleted by the peer
    Row("a pair that is gone already", lan(WANTED), deleted(theirs(9)), WANTED),
    Row(
        "the last pair of a child that nobody wants",
        lan(replace(UP, wanted=False)),
        deleted(theirs(1)),
        replace(DOWN, cause=BY_PEER, since=NOW),
    ),
    Row(
        "some Cisco releases name the other side's SPI",
        lan(replace(UP, wanted=False)),
        deleted(ours(1)),
        replace(DOWN, cause=BY_PEER, since=NOW),
    ),
    Row(
        "a child that is not persistent is no longer wanted",
        dmz(replace(UP, pairs=(pair(1, "dmz"),))),
        deleted(theirs(1)),
        replace(DOWN, cause=BY_PEER, since=NOW),
        name="dmz",
    ),
    Row(
        "a persistent child begins anew at once",
        lan(UP),
        deleted(theirs(1)),
        replace(WANTED, cause=BY_PEER, since=NOW, attempt=ELEVEN),
        ("begin lan as 11 under A",),
    ),
    Row(
        "a pair that the peer deletes within 10 s is a failure",
        lan(replace(UP, pairs=(YOUNG,))),
        deleted(theirs(4)),
        replace(WANTED, cause=BY_PEER, since=NOW, failures=1, retry_at=NOW + 2),
    ),
    Row(
        "an attempt under way goes on",
        peer(isakmp(), lan=replace(UP, attempt=Attempt(7)), modes={7: mode()}),
        deleted(theirs(1)),
        replace(WANTED, cause=BY_PEER, since=NOW, attempt=Attempt(7)),
    ),
    Row("another pair carries on", lan(replace(UP, pairs=(OLDER, OLD))), deleted(theirs(2)), UP),
    # -- the end of its lifetime
    Row(
        "the lifetime of the last pair ends: the peer is told, a persistent child begins anew",
        lan(UP),
        Expired("lan", ours(1)),
        replace(WANTED, cause=OVER, since=NOW, attempt=ELEVEN),
        ("say under A: delete d0000001", "begin lan as 11 under A"),
    ),
    Row(
        "the kernel may name the outbound SA",
        lan(replace(UP, pairs=(OLDER, OLD))),
        Expired("lan", theirs(2)),
        UP,
        ("say under A: delete d0000002",),
    ),
    Row(
        "a life of 10 s is no failure where it was agreed",
        lan(replace(UP, pairs=(YOUNG,))),
        Expired("lan", ours(4)),
        replace(WANTED, cause=OVER, since=NOW, attempt=ELEVEN),
        ("say under A: delete d0000004", "begin lan as 11 under A"),
    ),
    Row(
        "a pair whose end nobody told of ends 5 s late",
        lan(replace(UP, pairs=(pair(1, expires=NOW - 5),))),
        Due(("lan",)),
        replace(WANTED, cause=OVER, since=NOW, attempt=ELEVEN),
        ("say under A: delete d0000001", "begin lan as 11 under A"),
    ),
    Row(
        "and no sooner: the kernel knows better",
        lan(replace(UP, pairs=(pair(1, expires=NOW - 4.9),))),
        Due(("lan",)),
        replace(UP, pairs=(pair(1, expires=NOW - 4.9),)),
    ),
    # -- gone from the kernel
    Row(
        "somebody removed an SA: the peer is told, a new Quick Mode begins",
        lan(UP),
        Vanished("lan", theirs(1)),
        replace(WANTED, cause=LOST, since=NOW, attempt=ELEVEN),
        ("say under A: delete d0000001", "begin lan as 11 under A"),
    ),
    Row(
        "whatever command wanted the child",
        dmz(replace(UP, pairs=(pair(1, "dmz"),))),
        Vanished("dmz", ours(1)),
        replace(WANTED, cause=LOST, since=NOW, attempt=ELEVEN),
        ("say under A: delete d0000001", "begin dmz as 11 under A"),
        name="dmz",
    ),
    Row(
        "nobody wanted it: the peer may begin anew",
        lan(replace(UP, wanted=False)),
        Vanished("lan", ours(1)),
        replace(DOWN, cause=LOST, since=NOW),
        ("say under A: delete d0000001",),
    ),
    Row(
        "removed within 10 s it is a failure",
        lan(replace(UP, pairs=(YOUNG,))),
        Vanished("lan", ours(4)),
        replace(WANTED, cause=LOST, since=NOW, failures=1, retry_at=NOW + 2),
        ("say under A: delete d0000004",),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=[row.rule for row in ROWS])
def test_what_follows(row: Row) -> None:
    after, effects = told(row.before, row.fact)
    assert (after.children[row.name], tuple(effects)) == (row.after, row.effects)


def test_a_fact_about_one_child_leaves_the_record_of_another_the_same_object() -> None:
    before = peer(isakmp(), lan=WANTED, dmz=replace(UP, pairs=(pair(1, "dmz"),)))
    after, _ = told(before, Wanted("lan"))
    assert after.children["dmz"] is before.children["dmz"]
    assert after.isakmp is before.isakmp


TAKEN = Said("another owner's policy has its selector")


@pytest.mark.parametrize("before", [UP, DOWN, WANTED])
def test_why_its_policies_do_not_stand_is_known_until_they_do(before: ChildState) -> None:
    after, effects = told(peer(isakmp(), lan=before), Unplaced("lan", TAKEN))
    assert (after.children["lan"], effects) == (replace(before, unplaced=TAKEN), [])
    after, effects = told(after, Placed("lan"))
    assert (after.children["lan"], effects) == (before, [])


def test_a_child_that_is_taken_down_still_says_why_its_policies_do_not_stand() -> None:
    after, _ = told(peer(isakmp(), lan=replace(UP, unplaced=TAKEN)), Unwanted("lan"))
    assert after.children["lan"].unplaced == TAKEN


def test_a_young_pair_that_somebody_removes_is_tried_again_whatever_command_wanted_it() -> None:
    young = ChildState(wanted=True, pairs=(pair(4, "dmz", born=NOW - 1),), since=5.0)
    after, _ = told(peer(isakmp(), dmz=young), Vanished("dmz", ours(4)))
    child = after.children["dmz"]
    assert (child.wanted, child.retry_at, child.failures) == (True, NOW + 2.0, 1)
