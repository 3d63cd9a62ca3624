"""How a pair is rekeyed, as a table (`tests.peer.rows`): when that begins, how the new pair takes over, how the old one
goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.errors import NoAnswer, Said
from ikevd.peer.child_state import ChildState, Flaps, Half, PairState
from ikevd.peer.command_facts import RekeyWanted, Reloaded
from ikevd.peer.desired import sending
from ikevd.peer.due import child_due, turn_due
from ikevd.peer.exchange_facts import QuickModeFailed
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Due, Restarted
from ikevd.peer.kernel_facts import Expired, Vanished
from ikevd.peer.rekey import soft_seconds
from ikevd.peer.volume_facts import SoftExpired, Used
from ikevd.policy.child import Rekey
from ikevd.policy.lives import Lifetime
from tests.peer.records import (
    LAN,
    NOW,
    OTHER,
    VIEW,
    ipsec,
    isakmp,
    mode,
    opening,
    ours,
    pair,
    peer,
    seen_from_there,
    theirs,
    told,
)
from tests.peer.rows import ELEVEN, OLD, UP, WANTED, Row, deleted, lan, new, under_way, up

DUE = Due(("lan",))
SILENCE = NoAnswer("silence")
FAILED = QuickModeFailed(Attempt(7), SILENCE, spoken=True, sent=True)
NEVER = replace(VIEW, children=(replace(LAN, rekey=Rekey.NO), OTHER))
IF_USED = replace(VIEW, children=(replace(LAN, rekey=Rekey.IF_USED), OTHER))
ANYBODY = replace(VIEW, remote=None)
TEMPLATE = replace(VIEW, children=(replace(LAN, template=True), OTHER))

SOFT = replace(OLD, rekey_at=NOW)
"""Its time has come."""
BEGUN = replace(OLD, rekey_at=None)
"""A Quick Mode for the next one is under way."""
LATER = replace(OLD, rekey_at=NOW + 5)
FRESH, THEIR_FRESH = new(3), new(3, initiator=False)
WAITS = replace(FRESH, use_at=NOW + 5)
"""A new pair of ours, through which nothing is sent yet."""
ONE = Flaps(1, NOW)
COUNTED = ipsec(lifetime=Lifetime(3600, 4_608_000))
LEFT = replace(BEGUN, delete_at=NOW + 14, leave_at=NOW + 16)
LEFT_TO_PEER = replace(BEGUN, delete_at=NOW + 18, leave_at=NOW + 20)


def child(*pairs: PairState, **changes: object) -> ChildState:
    return replace(UP, pairs=pairs, **changes)  # type: ignore[arg-type]


ROWS = [
    # -- it begins
    Row("its time has come", lan(child(SOFT)), DUE, child(BEGUN, attempt=ELEVEN), ("begin lan as 11 under A",)),
    Row(
        "whoever brought the child up",
        lan(child(SOFT, wanted=False)),
        DUE,
        child(BEGUN, attempt=ELEVEN, wanted=False),
        ("begin lan as 11 under A",),
    ),
    Row("its time has not come", lan(child(LATER)), DUE, child(LATER)),
    Row("by option the peer alone rekeys it", lan(child(SOFT)), DUE, child(BEGUN), view=NEVER),
    Row("which part of a template it is, its peer says", lan(child(SOFT)), DUE, child(BEGUN), view=TEMPLATE),
    Row(
        "the peer is making a pair: it is looked at again 5 s later",
        peer(isakmp(), lan=child(SOFT), modes={-1: mode(ours=False)}),
        DUE,
        child(LATER),
    ),
    Row(
        "only the peer can make an ISAKMP SA, and there is none",
        peer(lan=child(SOFT)),
        DUE,
        child(LATER),
        view=ANYBODY,
    ),
    Row(
        "without an ISAKMP SA one is made for it",
        peer(lan=child(SOFT)),
        DUE,
        child(BEGUN),
        ("begin phase 1 as 11",),
    ),
    Row(
        "after a restart a Quick Mode that cannot go on begins anew",
        peer(isakmp(), lan=child(BEGUN, attempt=Attempt(7)), modes={7: mode()}),
        Restarted(),
        child(BEGUN, attempt=ELEVEN),
        ("begin lan as 11 under A",),
    ),
    # -- by option only where it has carried a packet
    Row(
        "the kernel is asked, and again after half of what is left",
        lan(child(SOFT)),
        DUE,
        child(replace(OLD, rekey_at=NOW + 1500)),
        ("ask whether lan is used",),
        view=IF_USED,
    ),
    Row(
        "but not at the very end",
        lan(child(replace(SOFT, expires=NOW + 2))),
        DUE,
        child(replace(BEGUN, expires=NOW + 2)),
        ("ask whether lan is used",),
        view=IF_USED,
    ),
    Row(
        "it has",
        lan(child(LATER)),
        Used("lan", ours(1), used=True),
        child(BEGUN, attempt=ELEVEN),
        ("begin lan as 11 under A",),
        view=IF_USED,
    ),
    Row("it has not", lan(child(LATER)), Used("lan", ours(1), used=False), child(LATER), view=IF_USED),
    Row("a former pair has", lan(child(LATER)), Used("lan", ours(2), used=True), child(LATER), view=IF_USED),
    # -- by volume
    Row(
        "the kernel tells that its volume is nearly used up",
        lan(child(OLD)),
        SoftExpired("lan", theirs(1)),
        child(BEGUN, attempt=ELEVEN),
        ("begin lan as 11 under A",),
    ),
    Row(
        "it tells of the other SA, too",
        peer(isakmp(), lan=child(BEGUN, attempt=Attempt(7)), modes={7: mode()}),
        SoftExpired("lan", ours(1)),
        child(BEGUN, attempt=Attempt(7)),
    ),
    Row("it tells of one that was replaced", lan(child(LEFT, FRESH)), SoftExpired("lan", ours(1)), child(LEFT, FRESH)),
    Row(
        "by option its peer rekeys it by volume as well",
        lan(child(BEGUN)),
        SoftExpired("lan", ours(1)),
        child(BEGUN),
        view=NEVER,
    ),
    Row(
        "where volume counts, the initiator changes over after 1 s",
        under_way(child(replace(BEGUN, sa=COUNTED))),
        up(),
        child(replace(BEGUN, sa=COUNTED), replace(FRESH, use_at=NOW + 1)),
        ("answer lan: up",),
    ),
    # -- it fails
    Row(
        "a rekeying that fails cuts nothing, and is tried again",
        under_way(child(BEGUN)),
        FAILED,
        child(replace(OLD, rekey_at=NOW + 2), failures=1, cause=Said("silence")),
        ("say under A: delete d0000003", "answer lan: NoAnswer (silence)"),
    ),
    Row(
        "later each time",
        under_way(child(BEGUN, failures=3)),
        FAILED,
        child(replace(OLD, rekey_at=NOW + 16), failures=4, cause=Said("silence")),
        ("say under A: delete d0000003", "answer lan: NoAnswer (silence)"),
    ),
    Row(
        "a failure changes nothing where the pair is rekeyed at its time",
        under_way(child(OLD)),
        FAILED,
        child(OLD, cause=Said("silence")),
        ("say under A: delete d0000003", "answer lan: NoAnswer (silence)"),
    ),
    # -- the new pair takes over
    Row(
        "the initiator goes on with the old pair for 5 s",
        under_way(child(BEGUN)),
        up(),
        child(BEGUN, WAITS),
        ("answer lan: up",),
    ),
    Row(
        "or for a third of what is left of it",
        under_way(child(replace(BEGUN, expires=NOW + 6))),
        up(),
        child(replace(BEGUN, expires=NOW + 6), replace(FRESH, use_at=NOW + 2)),
        ("answer lan: up",),
    ),
    Row(
        "the responder uses it at once",
        under_way(child(OLD), theirs=True),
        up(theirs=True),
        child(LEFT_TO_PEER, THEIR_FRESH),
        ("answer lan: up",),
    ),
    Row("then the old one is only received on", lan(child(BEGUN, replace(WAITS, use_at=NOW))), DUE, child(LEFT, FRESH)),
    Row("not before", lan(child(BEGUN, WAITS)), DUE, child(BEGUN, WAITS)),
    # -- the old pair goes
    Row(
        "its Delete is said",
        lan(child(replace(LEFT, delete_at=NOW), FRESH)),
        DUE,
        child(replace(LEFT, delete_at=None), FRESH),
        ("say under A: delete d0000001",),
    ),
    Row(
        "and it is received on for 2 s more",
        lan(child(replace(LEFT, delete_at=None, leave_at=NOW), FRESH)),
        DUE,
        child(FRESH),
    ),
    Row("the peer deletes it", lan(child(LEFT, FRESH)), deleted(theirs(1)), child(FRESH)),
    Row(
        "its lifetime ends first",
        lan(child(LEFT, FRESH)),
        Expired("lan", ours(1)),
        child(FRESH),
        ("say under A: delete d0000001",),
    ),
    Row(
        "its Delete is not said twice",
        lan(child(replace(LEFT, delete_at=None), FRESH)),
        Expired("lan", ours(1)),
        child(FRESH),
    ),
    # -- the new pair goes
    Row(
        "the peer deletes the new pair: the old one carries on, and is rekeyed again",
        lan(child(replace(LEFT, born=NOW - 3400), FRESH)),
        deleted(theirs(3)),
        child(replace(OLD, born=NOW - 3400, rekey_at=NOW + 2), flaps=ONE),
    ),
    Row(
        "at its time, where that is to come",
        lan(child(LEFT, FRESH)),
        deleted(theirs(3)),
        child(OLD, flaps=ONE),
    ),
    Row(
        "it was not yet used",
        lan(child(BEGUN, WAITS)),
        deleted(theirs(3)),
        child(OLD, flaps=ONE),
    ),
    Row(
        "one whose Delete was said carries nothing more",
        lan(child(replace(LEFT, delete_at=None), replace(FRESH, born=NOW - 60))),
        deleted(theirs(3)),
        replace(
            WANTED,
            pairs=(replace(LEFT, delete_at=None),),
            cause=Said("deleted by the peer"),
            since=NOW,
            attempt=ELEVEN,
        ),
        ("begin lan as 11 under A",),
    ),
    Row(
        "the old pair goes while nothing is sent through the new one: now it is",
        lan(child(BEGUN, WAITS)),
        deleted(theirs(1)),
        child(FRESH),
    ),
    Row(
        "somebody removes the old pair from the kernel",
        lan(child(BEGUN, WAITS)),
        Vanished("lan", theirs(1)),
        child(FRESH),
        ("say under A: delete d0000001",),
    ),
]


def test_another_one_by_command_waits_until_the_newest_pair_is_used_and_lets_others_pass() -> None:
    """The peer makes room for it at message 1: by then nothing may be sent through the oldest pair."""
    before = peer(isakmp(), lan=child(BEGUN, WAITS), dmz=UP)
    after, effects = told(before, RekeyWanted(("lan", "dmz")))
    assert effects == ["begin dmz as 11 under A"]
    assert (after.waiting, turn_due(after)) == (("lan",), None)
    after, effects = told(after, DUE, now=NOW + 5)
    assert effects == ["begin lan as 12 under A"]
    assert after.waiting == ()


@pytest.mark.parametrize("row", ROWS, ids=[row.rule for row in ROWS])
def test_what_follows(row: Row) -> None:
    row.hold()


# -- when


@pytest.mark.parametrize(
    ("pairs", "due"),
    [
        ((OLD,), NOW + 2700),
        ((BEGUN,), NOW + 3000),
        ((BEGUN, WAITS), NOW + 5),
        ((LEFT, FRESH), NOW + 14),
        ((replace(LEFT, delete_at=None), FRESH), NOW + 16),
        ((BEGUN, opening(3, 7)), NOW + 3000),
    ],
    ids=["rekeying", "its end", "the new one is used", "a Delete", "the end of the old one", "one is being made"],
)
def test_a_child_is_due(pairs: tuple[PairState, ...], due: float) -> None:
    assert child_due(child(*pairs)) == due


# -- through which pair we send


@pytest.mark.parametrize(
    ("pairs", "number"),
    [
        ((OLD,), 1),
        ((OLD, opening(3, 7, Half.BOTH)), 1),
        ((BEGUN, WAITS), 1),
        ((LEFT, FRESH), 3),
        ((opening(3, 7, Half.BOTH),), 3),
        ((WAITS,), 3),
        ((opening(3, 7),), None),
        ((LEFT,), None),
    ],
    ids=[
        "the only one",
        "the old one until message 3 has left",
        "and until the peer has the new one",
        "then the new one",
        "the first one at once",
        "and where no other is left",
        "no half pair",
        "none that the peer was told is gone",
    ],
)
def test_what_we_send_goes_through(pairs: tuple[PairState, ...], number: int | None) -> None:
    sends = sending(child(*pairs))
    assert (sends.outbound if sends else None) == (theirs(number) if number else None)


def test_where_each_end_takes_another_pair_for_the_newer_one_they_do_not_delete_at_one_time() -> None:
    """Two Quick Modes crossed, and ended in another order at each end."""
    alices, bobs = ipsec(1), ipsec(2, initiator=False)
    at_alice = child(pair(2, sa=bobs), pair(1, sa=alices, use_at=NOW))
    at_bob = child(pair(1, sa=seen_from_there(alices)), pair(2, sa=seen_from_there(bobs), use_at=NOW))
    old_of_alice, old_of_bob = (told(lan(state), DUE)[0].children["lan"].pairs[0] for state in (at_alice, at_bob))
    assert (old_of_alice.delete_at, old_of_bob.delete_at) == (NOW + 16, NOW + 14)


def test_a_pair_that_nobody_was_to_rekey_has_its_time_once_the_file_asks_for_it() -> None:
    never, _ = told(peer(isakmp(), lan=child(BEGUN)), Reloaded(), view=NEVER)
    assert never.children["lan"].standing[0].rekey_at is None
    now, _ = told(never, Reloaded())
    assert now.children["lan"].standing[0].rekey_at == max(BEGUN.born + soft_seconds(BEGUN.sa), NOW)


def test_so_has_one_of_an_ikevd_that_did_not_rekey() -> None:
    after, _ = told(peer(isakmp(), lan=child(BEGUN)), Restarted())
    assert after.children["lan"].standing[0].rekey_at is not None


def test_a_new_process_deletes_none_before_it_has_heard_whether_the_peer_has_deleted_the_other() -> None:
    overdue = replace(LEFT, delete_at=NOW - 1, leave_at=NOW + 1)
    after, effects = told(peer(isakmp(), lan=child(overdue, FRESH)), Restarted())
    old, _ = after.children["lan"].standing
    assert (old.delete_at, old.leave_at, effects) == (NOW + 4, NOW + 6, [])
