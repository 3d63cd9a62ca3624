"""When the updown program of a child is run: once when it comes up, once when it goes down."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.hook_findings import HookExited
from ikevd.host.hooks import HookCall
from ikevd.peer.child_state import ChildState, HookState
from ikevd.peer.command_facts import Ended, Reloaded, Reset, Unwanted
from ikevd.peer.facts import Dismissed, Fact, Restarted
from ikevd.peer.hook_facts import HookEnded
from ikevd.peer.kernel_facts import Expired, Placed, Unplaced, Vanished
from ikevd.peer.state import PeerState
from ikevd.policy.interface import Interface
from ikevd.policy.updown import Updown
from tests.builders import connection, fqdn
from tests.peer.records import LAN, OTHER, A, ipsec, isakmp, ours, pair, told
from tests.peer.rows import OVER, UP, WANTED, deleted, lan, under_way, up

ROUTE = Updown("/etc/ikevd/route")
VIEW = connection(children=(replace(LAN, updown=ROUTE), OTHER))
CALL = HookCall(ROUTE, "bob", 0x41414141, fqdn("alice.example"), fqdn("bob.example"), pair(1).sa)
RUN_UP, RUN_DOWN = "run /etc/ikevd/route for lan: up", "run /etc/ikevd/route for lan: down"
STANDS = replace(UP, hook=HookState(CALL, up=True, ended=True))
FAILED = HookExited(ROUTE.program, "lan", True, ("no such route",), code=2)


def runs(before: PeerState, *facts: Fact, view: object = VIEW) -> tuple[HookState | None, list[str]]:
    """What is on record after these facts, and what is run because of the last one."""
    after, effects = told(before, *facts, view=view)  # type: ignore[arg-type]
    child = after.children.get("lan")
    return (child.hook if child else None), [effect for effect in effects if effect.startswith("run ")]


def test_it_is_run_when_the_first_pair_stands() -> None:
    call = replace(CALL, sa=ipsec(3))
    assert runs(under_way(WANTED), up()) == (HookState(call, up=True), [RUN_UP])


def test_without_a_program_nothing_is_run_or_kept() -> None:
    assert runs(under_way(WANTED), up(), view=connection(children=(LAN,))) == (None, [])


def test_it_is_not_run_at_a_rekeying() -> None:
    assert runs(under_way(STANDS), up()) == (STANDS.hook, [])


def test_it_is_not_run_when_one_of_two_pairs_goes() -> None:
    both = replace(STANDS, pairs=(pair(2, leave_at=1030.0), pair(1)))
    assert runs(lan(both), deleted(ours(2))) == (STANDS.hook, [])


@pytest.mark.parametrize(
    "fact",
    [
        deleted(ours(1)),
        Expired("lan", ours(1)),
        Vanished("lan", ours(1)),
        Unwanted(("lan",)),
        Unwanted(("lan",), open=True),
        Ended(),
        Ended(announce=False),
        Reset(),
        Unplaced("lan", OVER),
        Reloaded(ended=frozenset({"lan"})),
        Dismissed(replaced=True),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_it_is_run_when_no_pair_stands_any_more_whatever_ended_it(fact: Fact) -> None:
    assert runs(lan(STANDS), fact) == (HookState(CALL, up=False), [RUN_DOWN])


def test_it_is_run_when_its_policies_stand_again() -> None:
    blocked = replace(UP, unplaced=OVER)
    assert runs(lan(blocked), Placed("lan")) == (HookState(CALL, up=True), [RUN_UP])


def test_what_undoes_it_is_told_what_it_was_told_when_the_child_came_up() -> None:
    elsewhere = replace(STANDS, pairs=(pair(2),))
    assert runs(lan(elsewhere), deleted(ours(2))) == (HookState(CALL, up=False), [RUN_DOWN])


def test_of_a_routed_child_the_interface_is_told() -> None:
    lan_ = replace(LAN, updown=ROUTE, routed=True, if_id=42)
    hook, _ = runs(under_way(WANTED), up(), view=connection(children=(lan_,), interface=Interface("vpn0", 42)))
    assert hook is not None
    assert (hook.call.if_id, hook.call.mark_in, hook.call.interface) == (42, None, "vpn0")


# -- another file


def test_a_program_that_the_file_names_now_is_run_for_what_stands() -> None:
    assert runs(lan(UP), Reloaded()) == (HookState(CALL, up=True), [RUN_UP])


def test_a_program_that_the_file_names_no_more_undoes_what_it_did() -> None:
    plain = connection(children=(LAN, OTHER))
    assert runs(lan(STANDS), Reloaded(), view=plain) == (HookState(CALL, up=False), [RUN_DOWN])


def test_one_program_undoes_what_it_did_before_another_one_is_run() -> None:
    other = Updown("/etc/ikevd/other")
    view = connection(children=(replace(LAN, updown=other), OTHER))
    hook, effects = runs(lan(STANDS), Reloaded(), view=view)
    assert hook == HookState(replace(CALL, updown=other), up=True)
    assert effects == [RUN_DOWN, "run /etc/ikevd/other for lan: up"]


@pytest.mark.parametrize("fact", [Reloaded(), Dismissed(replaced=False), Ended(announce=False)])
def test_a_child_that_is_gone_from_the_file_has_its_program_run_a_last_time(fact: Fact) -> None:
    assert runs(lan(STANDS), fact, view=connection(children=()))[1] == [RUN_DOWN]


# -- its end


def test_its_end_is_on_record() -> None:
    begun = lan(replace(UP, hook=HookState(CALL, up=True)))
    assert runs(begun, HookEnded("lan", CALL, True, None)) == (STANDS.hook, [])


def test_of_a_child_that_went_down_nothing_is_left_once_its_program_has_ended() -> None:
    begun = lan(ChildState(hook=HookState(CALL, up=False)))
    assert runs(begun, HookEnded("lan", CALL, False, None)) == (None, [])


def test_its_failure_is_on_record_and_changes_nothing_else() -> None:
    begun = lan(replace(UP, hook=HookState(CALL, up=True)))
    after, effects = told(begun, HookEnded("lan", CALL, True, FAILED), view=VIEW)
    assert after.children["lan"] == replace(UP, hook=HookState(CALL, up=True, ended=True, failure=FAILED))
    assert effects == [
        "record of A: the updown program /etc/ikevd/route ended with exit code 2 when lan came up; "
        "it said last: no such route"
    ]


def test_an_end_that_comes_after_the_next_beginning_is_not_that_ones() -> None:
    goes = lan(ChildState(hook=HookState(CALL, up=False)))
    assert runs(goes, HookEnded("lan", CALL, True, None)) == (HookState(CALL, up=False), [])


# -- another process


def test_another_process_runs_again_what_it_has_not_seen_the_end_of() -> None:
    assert runs(lan(replace(UP, hook=HookState(CALL, up=True))), Restarted())[1] == [RUN_UP]
    assert runs(lan(ChildState(hook=HookState(CALL, up=False))), Restarted())[1] == [RUN_DOWN]


def test_another_process_does_not_run_again_what_has_ended() -> None:
    assert runs(lan(STANDS), Restarted()) == (STANDS.hook, [])
    failed = HookState(CALL, up=True, ended=True, failure=FAILED)
    assert runs(lan(replace(UP, hook=failed)), Restarted()) == (failed, [])


def test_another_process_runs_it_for_what_stands_where_the_file_wants_it() -> None:
    call = replace(CALL, updown=replace(ROUTE, after_restart=True))
    view = connection(children=(replace(LAN, updown=call.updown), OTHER))
    stands = replace(UP, hook=HookState(call, up=True, ended=True))
    assert runs(lan(stands), Restarted(), view=view) == (HookState(call, up=True), [RUN_UP])
    down = ChildState(hook=HookState(call, up=False, ended=True, failure=FAILED))
    assert runs(lan(down), Restarted(), view=view)[1] == []


def test_where_the_isakmp_sa_is_gone_the_program_is_told_the_identities_of_the_file() -> None:
    state = replace(lan(UP), isakmp={})
    hook, _ = runs(state, Reloaded())
    assert hook is not None
    assert (str(hook.call.local_id), str(hook.call.remote_id)) == (str(UP.pairs[0].sa.local), "bob.example")
    assert isakmp().sa.cookies == A
