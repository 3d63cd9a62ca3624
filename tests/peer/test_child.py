"""The life of one child until it is up, as a table (`tests.peer.rows`); how its pairs end: `test_pairs`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.errors import InvalidId, KernelRefused, Said
from ikevd.peer.child_state import ChildState
from ikevd.peer.command_facts import Unwanted, Wanted
from ikevd.peer.exchange_facts import QuickModeFailed
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Due
from ikevd.peer.kernel_facts import Placed, Unplaced
from tests.peer.records import NOW, ipsec, isakmp, later, mode, opening, pair, peer, told
from tests.peer.rows import DOWN, ELEVEN, NO, OLD, OLDER, REFUSED, TAKEN_DOWN, UP, WANTED, Row, lan, new, under_way, up

BROKEN = KernelRefused("no memory", 12)
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
        Unwanted(("lan",)),
        ChildState(cause=TAKEN_DOWN, since=NOW, by_command=True),
        (
            "say under A: delete d0000002 d0000001",
            "answer lan: Abandoned (lan was taken down)",
        ),
    ),
    Row(
        "a retry is called off",
        lan(replace(WANTED, retry_at=NOW + 9, failures=2)),
        Unwanted(("lan",)),
        ChildState(cause=TAKEN_DOWN, since=NOW, by_command=True),
        ("answer lan: Abandoned (lan was taken down)",),
    ),
    Row(
        "from here on its traffic passes in the clear",
        lan(DOWN),
        Unwanted(("lan",), open=True),
        ChildState(cause=TAKEN_DOWN, since=NOW, by_command=True, open=True),
        ("answer lan: Abandoned (lan was taken down)",),
    ),
    Row(
        "our Quick Mode ends; what it has opened goes when it has",
        under_way(WANTED),
        Unwanted(("lan",)),
        ChildState(cause=TAKEN_DOWN, since=NOW, by_command=True, pairs=(opening(3, 7),)),
        ("abort 7: Abandoned (taken down by command)", "answer lan: Abandoned (lan was taken down)"),
    ),
    Row(
        "so does the peer's",
        under_way(DOWN, theirs=True),
        Unwanted(("lan",)),
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
        "of three the oldest goes, and the peer is told",
        under_way(replace(UP, pairs=(OLDER, OLD))),
        up(),
        replace(UP, pairs=(replace(OLD, rekey_at=None), replace(new(3), use_at=NOW + 5))),
        ("say under A: delete d0000002", "answer lan: up"),
    ),
    Row(
        "but not twice",
        under_way(replace(UP, pairs=(replace(OLDER, leave_at=NOW + 1), OLD))),
        up(),
        replace(UP, pairs=(replace(OLD, rekey_at=None), replace(new(3), use_at=NOW + 5))),
        ("answer lan: up",),
    ),
    # -- not up
    Row(
        "a persistent child is tried again",
        under_way(WANTED),
        QuickModeFailed(Attempt(7), NO, spoken=True, sent=True),
        replace(WANTED, cause=REFUSED, failures=1, retry_at=later(1)),
        ("answer lan: PeerRefused (no)",),
    ),
    Row(
        "later each time",
        under_way(replace(WANTED, failures=3)),
        QuickModeFailed(Attempt(7), NO, spoken=True, sent=True),
        replace(WANTED, cause=REFUSED, failures=4, retry_at=later(4)),
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
]


@pytest.mark.parametrize("row", ROWS, ids=[row.rule for row in ROWS])
def test_what_follows(row: Row) -> None:
    row.hold()


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
    after, _ = told(peer(isakmp(), lan=replace(UP, unplaced=TAKEN)), Unwanted(("lan",)))
    assert after.children["lan"].unplaced == TAKEN
