"""INITIAL-CONTACT: what it ends, what it never ends, and who is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.exchanges.contact import initial_contact
from ikevd.peer import contact
from ikevd.peer.child_state import ChildState
from ikevd.peer.decide import decide
from ikevd.peer.exchange_facts import PhaseOneUp
from ikevd.peer.facts import BeganAnew, Due, Fact
from ikevd.peer.isakmp_state import IsakmpState, Stage
from ikevd.peer.message_facts import Contacted, Informed
from ikevd.peer.state import PeerState, Refused, Replacement
from ikevd.policy.connection import Unique
from ikevd.sa.model import Cookies, IsakmpSa, UdpEncapsulation
from tests.builders import ALICE, BOB, fqdn
from tests.peer.records import (
    NOW,
    SALT,
    VIEW,
    A,
    B,
    in_words,
    ipsec,
    isakmp,
    isakmp_sa,
    mode,
    opening,
    ours,
    pair,
    peer,
)

BEGAN = NOW - 0.5
"""When message 1 of B's phase 1 came."""
HERE, THERE = Endpoint(BOB, 4500), Endpoint(BOB, 40_002)
US = fqdn("alice.example")
WANTED = ChildState(wanted=True, pairs=(pair(1),))
"""Of 400, under A."""


def path(remote: Endpoint) -> Path:
    return Path(Endpoint(ALICE, 4500), remote)


def sa_of(cookies: Cookies = B, *, contacted: bool = True, initiator: bool = False, at: Endpoint = HERE) -> IsakmpSa:
    return replace(isakmp_sa(cookies, initiator=initiator), contacted=contacted, path=path(at))


def up(began: float = BEGAN, *, lives: bool = False, **changes: object) -> PhaseOneUp:
    """The peer's phase 1 has ended well, in which it said INITIAL-CONTACT."""
    return PhaseOneUp(None, sa_of(**changes), began=began, former_lives=lives)  # type: ignore[arg-type]


def former(at: Endpoint = HERE, **changes: object) -> IsakmpState:
    return isakmp(A, path=path(at), **changes)


def learns(state: PeerState, *facts: Fact, unique: Unique = Unique.REPLACE, now: float = NOW) -> tuple[PeerState, str]:
    """The state after these facts, and what the records of the last one say."""
    effects: tuple[object, ...] = ()
    for fact in facts:
        state, effects = decide(replace(VIEW, unique=unique), state, fact, now, SALT)
    return state, "\n".join(in_words(effects))  # type: ignore[arg-type]


def stages(state: PeerState) -> dict[str, Stage]:
    return {cookies.initiator[:1].decode(): known.stage for cookies, known in state.isakmp.items()}


def standing(state: PeerState, name: str = "lan") -> list[int]:
    return [one.sa.inbound - ours(0) for one in state.children[name].standing]


# -- what ends


BEARERS: dict[str, tuple[PeerState, Fact]] = {
    "in phase 1": (peer(former(), lan=WANTED), up()),
    "in an Informational message": (
        peer(former(), isakmp(B, born=NOW - 0.2, began=BEGAN, path=path(HERE)), lan=WANTED),
        Informed(B, (initial_contact(B),)),
    ),
    "in a Quick Mode": (
        peer(former(), isakmp(B, born=NOW - 0.2, began=BEGAN, path=path(HERE)), lan=WANTED),
        Contacted(B),
    ),
}


@pytest.mark.parametrize("bearer", BEARERS)
def test_what_is_older_ends_without_a_delete(bearer: str) -> None:
    before, fact = BEARERS[bearer]
    after, said = learns(before, fact)
    assert standing(after) == []
    assert stages(after) == {"A": Stage.LEAVING, "B": Stage.READY}
    assert "say under" not in said
    assert "1 pair and 1 ISAKMP SA of before end" in said


def test_what_stands_at_another_place_hears_delete_since_another_machine_may_be_there() -> None:
    elsewhere = pair(1, sa=ipsec(encap=UdpEncapsulation(4500, THERE.port)))
    after, said = learns(peer(former(THERE), lan=replace(WANTED, pairs=(elsewhere,))), up(at=HERE))
    assert standing(after) == []
    assert "say under A: delete d0000001\n" in said
    assert "say under A: delete ISAKMP SA A" in said


def test_of_a_child_that_was_just_rekeyed_both_pairs_end() -> None:
    rekeyed = replace(WANTED, pairs=(pair(1, leave_at=NOW + 20), pair(2, born=NOW - 10)))
    assert standing(learns(peer(former(), lan=rekeyed), up())[0]) == []


def test_a_quick_mode_under_what_ends_is_aborted() -> None:
    before = peer(former(), lan=ChildState(pairs=(opening(2, 9),)), modes={9: mode()})
    _, said = learns(before, up())
    assert "abort 9" in said


def test_it_is_told_to_other_connections_with_the_same_peer() -> None:
    _, said = learns(peer(former(), lan=WANTED), up())
    assert "tell others of B" in said


def test_what_is_older_in_another_connection_ends_too() -> None:
    after, said = learns(peer(former(), lan=WANTED), BeganAnew(BEGAN))
    assert standing(after) == []
    assert stages(after) == {"A": Stage.LEAVING}
    assert "record of A: the peer says INITIAL_CONTACT" in said


# -- what begins anew


def test_a_wanted_child_begins_after_a_second_so_that_the_peer_that_called_has_its_turn() -> None:
    after, said = learns(peer(former(), lan=WANTED), up())
    assert after.children["lan"].retry_at == NOW + 1
    assert "begin lan" not in said


def test_a_wanted_child_begins_at_once_where_we_have_called() -> None:
    before = peer(former(), lan=WANTED)
    _, said = learns(before, up(initiator=True))
    assert "begin lan as 11 under B" in said


def test_a_child_that_nobody_wants_begins_nothing() -> None:
    after, said = learns(peer(former(), lan=replace(WANTED, wanted=False)), up(initiator=True))
    assert (standing(after), after.children["lan"].retry_at) == ([], None)
    assert "begin" not in said.replace("begun", "")


def test_of_two_children_one_that_the_peer_brings_up_itself_is_not_begun_again() -> None:
    after, _ = learns(peer(former(), lan=WANTED), up())
    brought_up = replace(after, children={"lan": replace(after.children["lan"], pairs=(pair(5, under=B),))})
    assert "begin lan" not in learns(brought_up, Due(("lan",)), now=NOW + 1)[1]


# -- what never ends


def test_what_came_to_stand_while_the_phase_1_was_under_way_stays() -> None:
    overlapped = former(born=BEGAN + 0.1)
    newer = ChildState(wanted=True, pairs=(pair(1, born=BEGAN + 0.2),))
    after, said = learns(peer(overlapped, lan=newer), up())
    assert standing(after) == [1]
    assert stages(after) == {"A": Stage.READY, "B": Stage.READY}
    assert "nothing older stands here" in said


def test_said_under_an_old_isakmp_sa_it_ends_nothing_that_is_newer() -> None:
    before = peer(isakmp(A, began=NOW - 600.5, born=NOW - 600), isakmp(B, born=NOW - 60), lan=WANTED)
    after, _ = learns(before, Informed(A, (initial_contact(A),)))
    assert standing(after) == [1]
    assert stages(after) == {"A": Stage.READY, "B": Stage.READY}


def test_of_a_bearer_whose_beginning_is_not_known_it_ends_nothing() -> None:
    before = peer(former(), isakmp(B, born=NOW - 0.2, began=None), lan=WANTED)
    after, _ = learns(before, Contacted(B))
    assert standing(after) == [1]


def test_a_phase_1_without_it_ends_nothing() -> None:
    after, _ = learns(peer(former(), lan=WANTED), up(contacted=False))
    assert standing(after) == [1]
    assert stages(after) == {"A": Stage.READY, "B": Stage.READY}


@pytest.mark.parametrize("stage", [None, Stage.LEAVING], ids=["gone", "leaving"])
def test_under_an_isakmp_sa_that_does_not_stand_it_ends_nothing(stage: Stage | None) -> None:
    bearers = (isakmp(B, stage=stage, began=BEGAN),) if stage else ()
    after, _ = learns(peer(former(), *bearers, lan=WANTED), Contacted(B))
    assert standing(after) == [1]


def test_with_unique_never_it_ends_nothing_and_says_so() -> None:
    after, said = learns(peer(former(), lan=WANTED), up(), unique=Unique.NEVER)
    assert standing(after) == [1]
    assert "no consequence here (unique: never)" in said
    assert learns(after, BeganAnew(NOW), unique=Unique.NEVER)[0] == after


# -- unique: keep


def test_with_unique_keep_the_newcomer_is_refused_while_the_former_self_lives() -> None:
    after, said = learns(peer(former(), lan=WANTED), up(lives=True), unique=Unique.KEEP)
    assert standing(after) == [1]
    assert stages(after) == {"A": Stage.READY, "B": Stage.LEAVING}
    assert "say under B: delete ISAKMP SA B" in said
    assert "it is refused (unique: keep)" in said


def test_with_unique_keep_a_former_self_that_is_silent_makes_way() -> None:
    after, _ = learns(peer(former(), lan=WANTED), up(), unique=Unique.KEEP)
    assert standing(after) == []


def test_with_unique_keep_somebody_who_has_no_former_self_is_welcome() -> None:
    after, _ = learns(peer(), up(lives=True), unique=Unique.KEEP)
    assert stages(after) == {"B": Stage.READY}


def test_what_bears_it_is_no_sign_of_life_of_the_former_self() -> None:
    state = peer(isakmp(A, heard=NOW - 60), isakmp(B, heard=NOW))
    assert not contact.spoke(state, Contacted(B), NOW)
    assert contact.spoke(state, Contacted(A), NOW)


# -- two peers that replace each other


def replacing(*places: tuple[Endpoint, float]) -> tuple[Replacement, ...]:
    return tuple(Replacement(by, at) for by, at in places)


def test_a_peer_that_comes_from_another_place_is_remembered() -> None:
    after, _ = learns(peer(former(HERE), lan=WANTED), up(at=THERE))
    assert after.replacements == replacing((THERE, NOW))


def test_one_that_crashes_again_and_again_at_one_place_is_no_pair_of_rivals() -> None:
    after, _ = learns(peer(former(HERE), lan=WANTED), up(at=HERE))
    assert after.replacements == ()


def test_at_the_third_replacement_in_a_minute_both_are_named_and_the_second_is_refused() -> None:
    twice = replacing((THERE, NOW - 40), (HERE, NOW - 20))
    after, said = learns(peer(former(HERE), lan=WANTED, replacements=twice), up(at=THERE))
    assert standing(after) == [1]
    assert stages(after) == {"A": Stage.READY, "B": Stage.LEAVING}
    assert f"{HERE} and {THERE} show one identity and replace each other" in said
    assert after.refused == Refused(THERE, NOW + 60)


def test_in_more_than_a_minute_it_is_not_refused() -> None:
    seldom = replacing((THERE, NOW - 61), (HERE, NOW - 20))
    after, _ = learns(peer(former(HERE), lan=WANTED, replacements=seldom), up(at=THERE))
    assert standing(after) == []


@pytest.mark.parametrize(("later", "refused"), [(59.0, True), (61.0, False)])
def test_the_second_is_refused_for_a_minute_and_no_longer(later: float, refused: bool) -> None:
    before = peer(former(HERE), lan=WANTED, refused=Refused(THERE, NOW + 60))
    after, _ = learns(before, up(began=NOW + later - 0.5, at=THERE), now=NOW + later)
    assert (standing(after) == [1]) is refused


def test_the_first_may_begin_anew_meanwhile() -> None:
    before = peer(former(HERE), lan=WANTED, refused=Refused(THERE, NOW + 60))
    after, _ = learns(before, up(at=HERE))
    assert standing(after) == []


# -- said


HELD = {
    "nothing": (peer(), False),
    "an ISAKMP SA": (peer(isakmp()), True),
    "one that leaves": (peer(isakmp(stage=Stage.LEAVING)), False),
    "one under another identity of ours": (
        peer(isakmp(sa=replace(isakmp_sa(), local_id=fqdn("other.example")))),
        False,
    ),
    "a pair": (peer(lan=ChildState(pairs=(pair(1),))), True),
    "a pair that is being made": (peer(lan=ChildState(pairs=(opening(1, 9),))), True),
    "a pair with another address": (peer(lan=ChildState(pairs=(pair(1, sa=ipsec(remote=ALICE)),))), False),
}


@pytest.mark.parametrize("what", HELD)
def test_whether_anything_stands_with_a_peer(what: str) -> None:
    state, holds = HELD[what]
    assert contact.holds(replace(VIEW, local_id=US), state, US, BOB) is holds


def test_wherever_a_peer_with_an_identity_of_its_own_is() -> None:
    away = peer(lan=ChildState(pairs=(pair(1, sa=ipsec(remote=ALICE)),)))
    assert contact.holds(replace(VIEW, local_id=US), away, US, None)


def test_after_aggressive_mode_it_is_said_before_any_quick_mode() -> None:
    before = peer(lan=ChildState(wanted=True), waiting=("lan",))
    _, said = learns(before, PhaseOneUp(None, sa_of(contacted=False), greets=True))
    greeting, begins = said.index("say under B: INITIAL_CONTACT"), said.index("begin lan")
    assert greeting < begins
