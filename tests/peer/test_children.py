"""The life of one child, as a table: a fact in a state, the state after, and what is to be done."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from ikevd.errors import Said
from ikevd.peer.children import (
    Abort,
    ChildState,
    Decision,
    Declined,
    Due,
    Event,
    Gone,
    Negotiate,
    NotUp,
    Pair,
    Remove,
    Unwanted,
    Up,
    Wanted,
    decide,
)
from tests.peer.records import ipsec, ours, theirs

NOW = 1000.0
REFUSED, BY_PEER, OVER = Said("refused"), Said("deleted by the peer"), Said("lifetime ended")
DOWN = Said("taken down by command")

MANUAL = ChildState(persistent=False, since=5.0)
AUTO = ChildState(persistent=True, since=5.0)
OLD, NEW, NEWEST = Pair(ipsec(1), 400.0), Pair(ipsec(2), 500.0), Pair(ipsec(3), NOW)
YOUNG = Pair(ipsec(4), NOW - 9.9)
THEIR_OWN = replace(ipsec(3), initiator=False)


def wanted(state: ChildState, **changes: object) -> ChildState:
    return replace(state, wanted=True, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Row:
    rule: str
    state: ChildState
    event: Event
    after: ChildState
    decisions: tuple[Decision, ...] = ()


ROWS = [
    # -- wanted
    Row("a command begins", MANUAL, Wanted(), wanted(MANUAL, negotiating=True), (Negotiate(),)),
    Row("one attempt at a time", wanted(AUTO, negotiating=True), Wanted(), wanted(AUTO, negotiating=True)),
    Row("what is up stays", replace(AUTO, pairs=(OLD,)), Wanted(), wanted(AUTO, pairs=(OLD,))),
    Row(
        "a command does not wait for the retry, and the back-off goes on from where it was",
        wanted(AUTO, retry_at=NOW + 64, failures=5, cause=REFUSED),
        Wanted(),
        wanted(AUTO, negotiating=True, failures=5, cause=REFUSED),
        (Negotiate(),),
    ),
    # -- the retry
    Row(
        "due", wanted(AUTO, retry_at=NOW, failures=1), Due(), wanted(AUTO, negotiating=True, failures=1), (Negotiate(),)
    ),
    Row("the peer was faster", wanted(AUTO, retry_at=NOW, pairs=(OLD,)), Due(), wanted(AUTO, pairs=(OLD,))),
    Row("nobody wants it any more", AUTO, Due(), AUTO),
    # -- unwanted
    Row(
        "every pair goes, and the peer is told whatever it takes",
        wanted(AUTO, pairs=(OLD, NEW), negotiating=True, failures=3),
        Unwanted(),
        ChildState(persistent=True, cause=DOWN, since=NOW),
        (Abort(), Remove(OLD.sa, tell=True, insist=True), Remove(NEW.sa, tell=True, insist=True)),
    ),
    Row(
        "a retry is called off",
        wanted(AUTO, retry_at=NOW + 9),
        Unwanted(),
        ChildState(True, cause=DOWN, since=NOW),
        (Abort(),),
    ),
    # -- up
    Row(
        "our Quick Mode ends the attempt and the failures",
        wanted(AUTO, negotiating=True, failures=4, cause=REFUSED),
        Up(ipsec(3)),
        wanted(AUTO, pairs=(NEWEST,), since=NOW),
    ),
    Row(
        "the peer's Quick Mode calls off the retry",
        wanted(AUTO, retry_at=NOW + 9, failures=4, cause=REFUSED),
        Up(THEIR_OWN),
        wanted(AUTO, pairs=(Pair(THEIR_OWN, NOW),), since=NOW),
    ),
    Row(
        "the peer's Quick Mode does not end our own",
        wanted(AUTO, negotiating=True),
        Up(THEIR_OWN),
        wanted(AUTO, negotiating=True, pairs=(Pair(THEIR_OWN, NOW),), since=NOW),
    ),
    Row(
        "a second pair stands beside the first",
        replace(AUTO, pairs=(OLD,)),
        Up(ipsec(3)),
        replace(AUTO, pairs=(OLD, NEWEST)),
    ),
    Row(
        "of three the oldest goes, and the peer is told where that costs no ISAKMP SA",
        replace(AUTO, pairs=(OLD, NEW)),
        Up(ipsec(3)),
        replace(AUTO, pairs=(NEW, NEWEST)),
        (Remove(OLD.sa, tell=True),),
    ),
    # -- not up
    Row(
        "a persistent child is tried again",
        wanted(AUTO, negotiating=True),
        NotUp(REFUSED),
        wanted(AUTO, cause=REFUSED, failures=1, retry_at=NOW + 2),
    ),
    Row(
        "later each time",
        wanted(AUTO, negotiating=True, failures=3),
        NotUp(REFUSED),
        wanted(AUTO, cause=REFUSED, failures=4, retry_at=NOW + 16),
    ),
    Row(
        "a manual child is tried once", wanted(MANUAL, negotiating=True), NotUp(REFUSED), replace(MANUAL, cause=REFUSED)
    ),
    Row(
        "a failure beside a pair that stands asks for nothing",
        wanted(AUTO, negotiating=True, pairs=(OLD,)),
        NotUp(REFUSED),
        wanted(AUTO, pairs=(OLD,), cause=REFUSED),
    ),
    Row("this machine refuses the peer's attempt", AUTO, Declined(REFUSED), replace(AUTO, cause=REFUSED)),
    Row(
        "which ends no attempt of ours",
        wanted(AUTO, negotiating=True),
        Declined(REFUSED),
        wanted(AUTO, negotiating=True, cause=REFUSED),
    ),
    # -- gone
    Row("a pair that is gone already", AUTO, Gone(ours(9), by_peer=True), AUTO),
    Row(
        "the peer deletes the last pair of a child that nobody wants",
        replace(AUTO, pairs=(OLD,)),
        Gone(theirs(1), by_peer=True),
        replace(AUTO, cause=BY_PEER, since=NOW),
        (Remove(OLD.sa, tell=False),),
    ),
    Row(
        "some Cisco releases name the other side's SPI",
        replace(AUTO, pairs=(OLD,)),
        Gone(ours(1), by_peer=True),
        replace(AUTO, cause=BY_PEER, since=NOW),
        (Remove(OLD.sa, tell=False),),
    ),
    Row(
        "a manual child that the peer deletes is no longer wanted",
        wanted(MANUAL, pairs=(OLD,)),
        Gone(theirs(1), by_peer=True),
        replace(MANUAL, cause=BY_PEER, since=NOW),
        (Remove(OLD.sa, tell=False),),
    ),
    Row(
        "a persistent child begins anew at once",
        wanted(AUTO, pairs=(OLD,)),
        Gone(theirs(1), by_peer=True),
        wanted(AUTO, cause=BY_PEER, since=NOW, negotiating=True),
        (Remove(OLD.sa, tell=False), Negotiate()),
    ),
    Row(
        "so it does at the end of a lifetime, and the peer is told",
        wanted(AUTO, pairs=(OLD,)),
        Gone(ours(1), by_peer=False),
        wanted(AUTO, cause=OVER, since=NOW, negotiating=True),
        (Remove(OLD.sa, tell=True), Negotiate()),
    ),
    Row(
        "a pair that the peer deletes within 10 s is a failure",
        wanted(AUTO, pairs=(YOUNG,)),
        Gone(theirs(4), by_peer=True),
        wanted(AUTO, cause=BY_PEER, since=NOW, failures=1, retry_at=NOW + 2),
        (Remove(YOUNG.sa, tell=False),),
    ),
    Row(
        "one that lived as briefly by its own lifetime is none",
        wanted(AUTO, pairs=(YOUNG,)),
        Gone(theirs(4), by_peer=False),
        wanted(AUTO, cause=OVER, since=NOW, negotiating=True),
        (Remove(YOUNG.sa, tell=True), Negotiate()),
    ),
    Row(
        "an attempt under way goes on",
        wanted(AUTO, pairs=(OLD,), negotiating=True),
        Gone(theirs(1), by_peer=True),
        wanted(AUTO, cause=BY_PEER, since=NOW, negotiating=True),
        (Remove(OLD.sa, tell=False),),
    ),
    Row(
        "another pair that stands carries on",
        wanted(AUTO, pairs=(OLD, NEW), cause=None),
        Gone(ours(1), by_peer=False),
        wanted(AUTO, pairs=(NEW,)),
        (Remove(OLD.sa, tell=True),),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=[row.rule for row in ROWS])
def test_what_follows(row: Row) -> None:
    assert decide(row.state, row.event, NOW) == (row.after, row.decisions)
