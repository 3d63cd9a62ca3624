"""How a pair of a child ends and what begins anew, as a table (`tests.peer.rows`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ikevd.errors import Said
from ikevd.peer import pairs
from ikevd.peer.child_state import ChildState, Flaps
from ikevd.peer.draft import Draft
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Due
from ikevd.peer.kernel_facts import Expired, Vanished
from ikevd.peer.start import Anew
from ikevd.policy.child import Start
from tests.peer.records import LAN, NOW, SALT, VIEW, isakmp, later, mode, ours, pair, peer, theirs, told
from tests.peer.rows import BY_PEER, DOWN, ELEVEN, LOST, OLD, OLDER, OVER, UP, WANTED, YOUNG, Row, deleted, dmz, lan

SILENT = Said("silence")
DEMAND = replace(VIEW, children=(replace(LAN, start=Start.ON_DEMAND),))

ROWS = [
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
        replace(WANTED, cause=BY_PEER, since=NOW, failures=1, retry_at=later(1), flaps=Flaps(1, NOW)),
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
        "its time is measured here, whether or not the kernel tells",
        lan(replace(UP, pairs=(pair(1, expires=NOW),))),
        Due(("lan",)),
        replace(WANTED, cause=OVER, since=NOW, attempt=ELEVEN),
        ("say under A: delete d0000001", "begin lan as 11 under A"),
    ),
    Row(
        "and no sooner",
        lan(replace(UP, pairs=(pair(1, expires=NOW + 0.1),))),
        Due(("lan",)),
        replace(UP, pairs=(pair(1, expires=NOW + 0.1),)),
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
        replace(WANTED, cause=LOST, since=NOW, failures=1, retry_at=later(1), flaps=Flaps(1, NOW)),
        ("say under A: delete d0000004",),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=[row.rule for row in ROWS])
def test_what_follows(row: Row) -> None:
    row.hold()


def test_a_young_pair_that_somebody_removes_is_tried_again_whatever_command_wanted_it() -> None:
    young = ChildState(wanted=True, pairs=(pair(4, "dmz", born=NOW - 1),), since=5.0)
    after, _ = told(peer(isakmp(), dmz=young), Vanished("dmz", ours(4)))
    child = after.children["dmz"]
    assert (child.wanted, child.retry_at, child.failures) == (True, later(1, "dmz"), 1)


def test_of_a_dead_peer_a_child_that_the_operator_took_down_and_the_peer_brought_up_stays_down() -> None:
    draft = Draft(VIEW, peer(isakmp(), lan=replace(UP, wanted=False, by_command=True)), NOW, SALT)
    pairs.lost(draft, "lan", SILENT, Anew.RESTART)
    assert not draft.child("lan").wanted
    assert draft.waiting == ()


def lost(draft: Draft) -> None:
    pairs.lost(draft, "lan", SILENT, Anew.CLEAR)


def unused(draft: Draft) -> None:
    pairs.unused(draft, "lan", SILENT)


@pytest.mark.parametrize("end", [lost, unused])
def test_what_ends_waits_for_no_pair_in_the_place_of_one_that_is_gone(end: Callable[[Draft], None]) -> None:
    draft = Draft(DEMAND, replace(peer(isakmp(), lan=replace(UP, wanted=False)), waiting=("lan",)), NOW, SALT)
    end(draft)
    assert draft.waiting == ()
