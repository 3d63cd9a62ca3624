"""A child without traffic, as a table (`tests.peer.rows`): `lan` is on demand and may be idle for 600 s."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.liveness_findings import NoTraffic
from ikevd.peer.child_state import ChildState, Idle
from ikevd.peer.command_facts import Reloaded
from ikevd.peer.due import child_due
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Due, Fact, Restarted
from ikevd.peer.state import PeerState
from ikevd.peer.volume_facts import Counted
from ikevd.policy.child import Start
from tests.peer.records import LAN, NOW, VIEW, isakmp, mode, opening, pair, peer, told
from tests.peer.rows import DOWN, OLD, UP, WANTED, Row, lan, new, under_way, up

PATIENCE, SLICE = 600, 150.0
IDLE_VIEW = replace(VIEW, children=(replace(LAN, start=Start.ON_DEMAND, inactivity=PATIENCE),))
WATCHED = replace(UP, idle=Idle(NOW - PATIENCE, NOW))
GONE = replace(DOWN, cause=NoTraffic(PATIENCE), since=NOW)


def counted(*, moved: bool = False) -> Counted:
    return Counted("lan", moved)


def row(rule: str, before: PeerState, fact: Fact, after: ChildState, effects: tuple[str, ...] = ()) -> Row:
    return Row(rule, before, fact, after, effects, view=IDLE_VIEW)


ROWS = [
    row(
        "the clock runs from when it comes up",
        under_way(WANTED),
        up(),
        replace(WANTED, pairs=(new(3),), since=NOW, idle=Idle(NOW, NOW + SLICE)),
        ("answer lan: up",),
    ),
    row(
        "and goes on where a second pair comes",
        under_way(replace(WATCHED, idle=Idle(NOW - 5, NOW + 9))),
        up(),
        replace(
            UP,
            pairs=(replace(OLD, rekey_at=None), replace(new(3), use_at=NOW + 5)),
            idle=Idle(NOW - 5, NOW + 9),
        ),
        ("answer lan: up",),
    ),
    row(
        "four times in its patience the kernel is asked",
        lan(WATCHED),
        Due(("lan",)),
        replace(UP, idle=Idle(NOW - PATIENCE, NOW + SLICE)),
        ("ask for packets of lan",),
    ),
    row("packets", lan(WATCHED), counted(moved=True), replace(UP, idle=Idle(NOW, NOW))),
    row(
        "none, but not for long",
        lan(replace(UP, idle=Idle(NOW - PATIENCE + 1, NOW))),
        counted(),
        replace(UP, idle=Idle(NOW - PATIENCE + 1, NOW)),
    ),
    row("none for so long: it ends", lan(WATCHED), counted(), GONE, ("say under A: delete d0000001",)),
    row(
        "with all its pairs",
        lan(replace(WATCHED, pairs=(OLD, pair(2)))),
        counted(),
        GONE,
        ("say under A: delete d0000001 d0000002",),
    ),
    row(
        "but for one that is being made, for which it waits",
        peer(isakmp(), lan=replace(WATCHED, pairs=(OLD, opening(3, 7)), attempt=Attempt(7)), modes={7: mode()}),
        counted(),
        replace(WATCHED, pairs=(OLD, opening(3, 7)), attempt=Attempt(7)),
    ),
    row("the answer comes too late", lan(DOWN), counted(), DOWN),
    # -- the file is read again
    row(
        "it has a word for it now",
        lan(UP),
        Reloaded(),
        replace(UP, idle=Idle(NOW, NOW + SLICE)),
    ),
    row(
        "a shorter one, which is over: the kernel is asked at once",
        lan(replace(UP, idle=Idle(NOW - PATIENCE, NOW + 900))),
        Reloaded(),
        replace(UP, idle=Idle(NOW - PATIENCE, NOW)),
    ),
    row(
        "a shorter one, which is not over: in its time",
        lan(replace(UP, idle=Idle(NOW - PATIENCE + 9, NOW + 900))),
        Reloaded(),
        replace(UP, idle=Idle(NOW - PATIENCE + 9, NOW + 9)),
    ),
    row(
        "of whose time most is left: after a quarter",
        lan(replace(UP, idle=Idle(NOW - 9, NOW + 900))),
        Reloaded(),
        replace(UP, idle=Idle(NOW - 9, NOW + SLICE)),
    ),
    row(
        "a shorter one, learnt by a process whose last words to the store came before it",
        lan(replace(UP, idle=Idle(NOW - 9, NOW + 9000))),
        Restarted(),
        replace(UP, idle=Idle(NOW - 9, NOW + SLICE)),
    ),
    row("a longer one", lan(replace(UP, idle=Idle(NOW, NOW + 9))), Reloaded(), replace(UP, idle=Idle(NOW, NOW + 9))),
    Row("none any more", lan(replace(UP, idle=Idle(NOW, NOW + 9))), Reloaded(), UP),
    Row("the file lets it be idle by now", lan(WATCHED), Due(("lan",)), UP),
]


@pytest.mark.parametrize("row", ROWS, ids=[row.rule for row in ROWS])
def test_what_follows(row: Row) -> None:
    row.hold()


def test_it_is_due_when_it_is_looked_at() -> None:
    assert child_due(WATCHED) == NOW


def test_it_says_why_it_went_down() -> None:
    after, _ = told(lan(WATCHED), counted(), view=IDLE_VIEW)
    assert after.children["lan"].cause == NoTraffic(PATIENCE)
