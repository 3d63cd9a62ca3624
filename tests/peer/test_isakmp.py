"""The ISAKMP SAs of one peer: which serves, and how each ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.errors import NoAnswer
from ikevd.peer.child_state import ChildState
from ikevd.peer.command_facts import Ended, Unwanted, Wanted
from ikevd.peer.due import next_due
from ikevd.peer.exchange_facts import PhaseOneUp, QuickModeFailed
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Due
from ikevd.peer.isakmp import MAX_ISAKMP_SAS
from ikevd.peer.isakmp_state import IsakmpState, Stage
from ikevd.peer.message_facts import Heard, Worn
from ikevd.peer.timing import BEHIND_PHASE_1
from ikevd.sa.model import Cookies
from tests.builders import ALICE, ALICE_TO_BOB, BOB
from tests.peer.records import LAST_WORD, NOW, A, B, C, isakmp, isakmp_sa, mode, ours, pair, peer, told

UP = ChildState(wanted=True, pairs=(pair(1),), since=5.0)
WANTED = ChildState(wanted=True, attempt=Attempt(7), since=5.0)
LEAVING = {"stage": Stage.LEAVING, "leave_at": NOW + 4}


def leaving(cookies: Cookies = A, *, delete_waits: bool = False) -> IsakmpState:
    """From now on."""
    return isakmp(cookies, stage=Stage.LEAVING, leave_at=NOW + 10, delete_waits=delete_waits)


# -- adopted


@pytest.mark.parametrize("initiator", [True, False])
def test_a_phase_1_that_ended_well_gives_an_isakmp_sa_that_serves(*, initiator: bool) -> None:
    sa = isakmp_sa(A, initiator=initiator, seconds=600)
    after, effects = told(peer(), PhaseOneUp(None, sa))
    stands = after.isakmp[A]
    plain = IsakmpState(sa, Stage.READY, ALICE_TO_BOB, born=NOW, heard=NOW, expires=NOW + 600)
    assert stands == replace(plain, renew_at=stands.renew_at)
    assert stands.renew_at is not None
    assert NOW < stands.renew_at < stands.expires
    said = "ISAKMP SA with bob.example at 198.51.100.1:500, aes128-sha256-curve25519, 600 s"
    assert effects == [f"record of A: {said}"]


def test_one_that_is_told_twice_changes_nothing() -> None:
    before = peer(isakmp())
    assert told(before, PhaseOneUp(None, isakmp_sa())) == (before, [])


def test_a_new_one_replaces_those_that_do_not_answer() -> None:
    before = peer(isakmp(A, unresponsive=True), isakmp(B))
    after, effects = told(before, PhaseOneUp(None, isakmp_sa(C)))
    assert [stands.stage for stands in after.isakmp.values()] == [Stage.LEAVING, Stage.READY, Stage.READY]
    assert "say under A: delete ISAKMP SA A" in effects


def test_but_none_under_which_a_quick_mode_is_under_way() -> None:
    before = peer(isakmp(A, unresponsive=True), lan=WANTED, modes={7: mode()})
    after, _ = told(before, PhaseOneUp(None, isakmp_sa(B)))
    assert after.isakmp[A].stage is Stage.READY


def test_of_too_many_the_oldest_goes() -> None:
    names = [Cookies(bytes([n]) * 8, bytes(8)) for n in range(MAX_ISAKMP_SAS)]
    before = peer(isakmp(A, **LEAVING), *map(isakmp, names))
    after, effects = told(before, PhaseOneUp(None, isakmp_sa(B)))
    assert [key for key, stands in after.isakmp.items() if stands.stage is Stage.LEAVING] == [A, names[0]]
    assert effects[-1].endswith("delete ISAKMP SA \0")


# -- given up right behind the last message of its phase 1


FRESH = isakmp(A, born=NOW, last_flight=LAST_WORD)


def test_its_delete_lets_message_6_go_before() -> None:
    after, effects = told(peer(FRESH), Worn(A, "x"))
    assert (after.isakmp[A].delete_at, effects) == (NOW + BEHIND_PHASE_1, [])
    assert next_due(after) == NOW + BEHIND_PHASE_1
    later, effects = told(after, Due(), now=NOW + BEHIND_PHASE_1)
    assert (later.isakmp[A].delete_waits, effects) == (False, ["say under A: delete ISAKMP SA A"])
    assert next_due(later) == later.isakmp[A].leave_at


@pytest.mark.parametrize(
    "state", [replace(FRESH, last_flight=None), replace(FRESH, born=NOW - BEHIND_PHASE_1)], ids=["heard", "old"]
)
def test_but_not_where_the_peer_has_message_6_or_it_left_a_while_ago(state: IsakmpState) -> None:
    _, effects = told(peer(state), Worn(A, "x"))
    assert effects == ["say under A: delete ISAKMP SA A"]


def test_nor_where_ikevd_stops() -> None:
    _, effects = told(peer(FRESH), Ended(announce=True))
    assert effects == ["say under A: delete ISAKMP SA A"]


# -- which one serves


@pytest.mark.parametrize(
    ("stands", "serving"),
    [
        ([isakmp(A), isakmp(B)], "B"),
        ([isakmp(A), isakmp(B, unresponsive=True)], "A"),
        ([isakmp(A), isakmp(B, **LEAVING)], "A"),
        ([isakmp(A), isakmp(B, expires=NOW)], "A"),
        ([isakmp(A), isakmp(B, stage=Stage.ADMITTING)], "A"),
    ],
    ids=["the newest", "that answers", "that was not deleted", "whose time is not over", "that is ready"],
)
def test_a_quick_mode_begins_under_the_best(stands: list[IsakmpState], serving: str) -> None:
    _, effects = told(peer(*stands), Wanted("lan"))
    assert effects == [f"begin lan as 11 under {serving}"]


@pytest.mark.parametrize(
    "stands", [[], [isakmp(A, unresponsive=True)], [isakmp(A, **LEAVING)]], ids=["none", "silent", "deleted"]
)
def test_where_none_serves_phase_1_begins(stands: list[IsakmpState]) -> None:
    after, effects = told(peer(*stands), Wanted("lan"))
    assert effects == ["begin phase 1 as 11"]
    assert (after.phase1, after.waiting) == (11, ("lan",))


@pytest.mark.parametrize(
    ("stands", "said_under"),
    [
        ([isakmp(A), isakmp(B)], "B"),
        ([isakmp(A, unresponsive=True), isakmp(B, unresponsive=True)], "A"),
        ([isakmp(A, unresponsive=True), isakmp(B, **LEAVING)], "A"),
    ],
    ids=["the one that serves", "the oldest that stands", "none that leaves"],
)
def test_a_delete_is_said_under_the_best(stands: list[IsakmpState], said_under: str) -> None:
    _, effects = told(peer(*stands, lan=UP), Unwanted(("lan",)))
    assert effects[0] == f"say under {said_under}: delete d0000001"


# -- heard


def test_any_message_under_it_shows_that_it_lives_and_where_the_peer_is() -> None:
    moved = Path(Endpoint(ALICE, 4500), Endpoint(BOB, 61000))
    after, effects = told(peer(isakmp(unresponsive=True)), Heard(A, moved))
    assert after.isakmp[A] == isakmp(unresponsive=False, path=moved, heard=NOW)
    assert effects == []


def test_a_message_from_where_the_peer_was_leaves_the_path_the_same_object() -> None:
    """By which the store knows that there is nothing to write but the time."""
    before = peer(isakmp())
    after, _ = told(before, Heard(A, replace(ALICE_TO_BOB)))
    assert after.isakmp[A].path is before.isakmp[A].path


def test_a_message_under_one_that_is_gone_changes_nothing() -> None:
    assert told(peer(isakmp(A)), Heard(B, ALICE_TO_BOB)) == (peer(isakmp(A)), [])


# -- unresponsive


@pytest.mark.parametrize(("heard", "unresponsive"), [(NOW - 50, True), (NOW - 40, False), (NOW - 1, False)])
def test_an_unanswered_quick_mode_counts_where_nothing_was_heard_for_30_s_before_it(
    heard: float, *, unresponsive: bool
) -> None:
    before = peer(isakmp(heard=heard), lan=WANTED, modes={7: mode(born=NOW - 15)})
    after, _ = told(before, QuickModeFailed(Attempt(7), NoAnswer("silence"), spoken=True, sent=True))
    assert after.isakmp[A].unresponsive == unresponsive


def test_an_unanswered_quick_mode_counts_for_former_isakmp_sas_too_under_which_nothing_was_heard_since() -> None:
    stands = isakmp(C, heard=NOW - 20), isakmp(B, heard=NOW - 70), isakmp(A, heard=NOW - 50)
    before = peer(*stands, lan=WANTED, modes={7: mode(born=NOW - 15)})
    after, _ = told(before, QuickModeFailed(Attempt(7), NoAnswer("silence"), spoken=True, sent=True))
    assert [after.isakmp[key].unresponsive for key in (C, B, A)] == [False, True, True]


# -- its end


def test_at_the_end_of_its_lifetime_the_peer_is_told_and_it_still_says_farewell_for_10_s() -> None:
    before = peer(isakmp(expires=NOW), lan=UP)
    after, effects = told(before, Due(()))
    assert effects == ["say under A: delete ISAKMP SA A"]
    assert after == peer(replace(leaving(), expires=NOW), lan=UP), "it cuts no IPsec SA"
    assert told(after, Due(()), now=NOW + 9.9) == (after, [])
    assert told(after, Due(()), now=NOW + 10) == (peer(lan=UP), ["forget A"])


def test_worn_out_it_ends_as_well() -> None:
    after, effects = told(peer(isakmp()), Worn(A))
    assert (after, effects) == (peer(leaving()), ["say under A: delete ISAKMP SA A"])


def test_one_that_leaves_already_is_told_once() -> None:
    before = peer(leaving())
    assert told(before, Worn(A)) == (before, [])


def test_a_quick_mode_under_it_ends_first_and_its_delete_comes_before_that_of_the_isakmp_sa() -> None:
    before = peer(isakmp(expires=NOW), lan=WANTED, modes={7: mode(spi=ours(3))})
    after, effects = told(before, Due(()))
    assert effects == ["abort 7: Abandoned (the lifetime of the ISAKMP SA ended)"]
    _, effects = told(after, QuickModeFailed(Attempt(7), NoAnswer("silence"), spoken=True, sent=True))
    assert effects == [
        "say under A: delete d0000003",
        "answer lan: NoAnswer (silence)",
        "say under A: delete ISAKMP SA A",
    ]


# -- made only to say Delete


def test_an_isakmp_sa_made_only_to_say_delete_ends_8_s_later() -> None:
    before = peer(phase1=Attempt(10), deletes_to_send=(ours(1), ours(2)))
    adopted, effects = told(before, PhaseOneUp(Attempt(10), isakmp_sa()))
    assert effects[1:] == ["say under A: delete d0000001 d0000002"]
    assert adopted.deletes_to_send == ()
    assert told(adopted, Due(()), now=NOW + 7.9)[1] == []
    assert told(adopted, Due(()), now=NOW + 8)[1] == ["say under A: delete ISAKMP SA A"]


@pytest.mark.parametrize(
    "changes",
    [{"lan": UP}, {"lan": ChildState(wanted=True, retry_at=NOW + 99)}, {"modes": {7: mode(None, ours=False)}}],
    ids=["a pair stands", "a child is wanted", "a Quick Mode is under way"],
)
def test_unless_it_serves_somebody_by_then(changes: dict[str, object]) -> None:
    after, effects = told(peer(isakmp(leave_at=NOW), **changes), Due(()))  # type: ignore[arg-type]
    assert (after.isakmp, effects) == ({A: isakmp()}, [])


def test_one_that_the_peer_made_does_not_end_for_it() -> None:
    before = peer(deletes_to_send=(ours(1),))
    after, effects = told(before, PhaseOneUp(None, isakmp_sa(initiator=False)))
    assert effects[1:] == ["say under A: delete d0000001"]
    assert after.isakmp[A].leave_at is None


# -- everything ends


def test_the_end_of_everything_takes_children_down_first_and_then_the_isakmp_sas() -> None:
    before = peer(isakmp(A), isakmp(B), lan=UP, dmz=ChildState(wanted=True, retry_at=NOW + 4))
    after, effects = told(before, Ended())
    assert effects == [
        "say under B: delete d0000001",
        "answer lan: Abandoned (lan was taken down)",
        "answer dmz: Abandoned (dmz was taken down)",
        "say under A: delete ISAKMP SA A",
        "say under B: delete ISAKMP SA B",
    ]
    assert not any(child.wanted or child.pairs or child.retry_at for child in after.children.values())
    assert after.phase1 is None


@pytest.mark.parametrize(("announce", "kept"), [(True, ["begin phase 1 as 11"]), (False, [])])
def test_what_no_isakmp_sa_could_protect_is_said_under_one_made_for_it_if_so_wanted(
    kept: list[str], *, announce: bool
) -> None:
    _, effects = told(peer(lan=UP), Ended(announce))
    assert effects[1:] == kept


def test_a_phase_1_of_ours_ends_with_everything_and_whoever_waits_for_it_is_told() -> None:
    before = peer(lan=ChildState(wanted=True), waiting=("lan",), phase1=Attempt(10))
    after, effects = told(before, Ended())
    assert effects[:2] == [
        "abort 10: Abandoned (the connection was taken down)",
        "answer lan: Abandoned (the connection was taken down)",
    ]
    assert (after.phase1, after.waiting) == (None, ())


def test_should_it_have_ended_well_all_the_same_its_isakmp_sa_goes_at_once() -> None:
    before = peer(lan=ChildState(wanted=True), waiting=("lan",), phase1=Attempt(10))
    after, effects = told(before, Ended(), PhaseOneUp(Attempt(10), isakmp_sa()))
    assert after.isakmp[A].stage is Stage.LEAVING
    assert effects[1:] == ["say under A: delete ISAKMP SA A"]
