"""One ISAKMP SA follows another, and no child notices."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.errors import NoAnswer
from ikevd.peer import renewal
from ikevd.peer.child_state import ChildState
from ikevd.peer.command_facts import Ended, Reloaded, Unwanted, Wanted
from ikevd.peer.decide import decide
from ikevd.peer.due import isakmp_due
from ikevd.peer.exchange_facts import PhaseOneFailed, PhaseOneUp, QuickModeBegan
from ikevd.peer.exchange_state import Attempt, QuickModeState
from ikevd.peer.facts import Due, Fact, Restarted
from ikevd.peer.isakmp_state import IsakmpState, Stage
from ikevd.peer.message_facts import Informed
from ikevd.peer.state import PeerState
from ikevd.peer.volume_facts import Spent
from ikevd.policy.child import Start
from ikevd.policy.nat import NatMethod
from ikevd.sa.model import Cookies, NatTraversal
from ikevd.wire.payloads import DeletePayload
from ikevd.wire.registry import Protocol
from tests.peer.records import NOW, SALT, VIEW, A, B, isakmp, isakmp_sa, mode, pair, peer, told

UP = ChildState(wanted=True, pairs=(pair(1),), since=5.0)
BEGINS = "record of A: a new phase 1 begins, 600 s before the lifetime of the ISAKMP SA ends"
GIVES_WAY = f"record of A: ISAKMP SA {B} has taken its place: Delete is said, and nothing begins under it"


def ripe(cookies: Cookies = A, **changes: object) -> IsakmpState:
    """It shall be renewed now, and ends in 600 s."""
    return isakmp(cookies, **{"renew_at": NOW, "expires": NOW + 600, **changes})


def renewing(modes: dict[int, QuickModeState] | None = None) -> PeerState:
    """Our phase 1 that renews A is under way."""
    return peer(ripe(renew_at=NOW + 300, renewals=1), lan=UP, modes=modes, phase1=Attempt(11), serial=11)


# -- its beginning


@pytest.mark.parametrize("lan", [UP, ChildState(wanted=True, retry_at=NOW + 50)], ids=["up", "wanted"])
def test_when_its_time_has_come_a_new_phase_1_begins_and_all_else_stays(lan: ChildState) -> None:
    after, effects = told(peer(ripe(), lan=lan), Due(()))
    assert effects == ["begin phase 1 as 11", BEGINS]
    assert after == peer(ripe(renew_at=NOW + 300, renewals=1), lan=lan, phase1=Attempt(11), serial=11)


@pytest.mark.parametrize(("born", "at"), [(500.0, NOW), (NOW - 10, NOW + 20)], ids=["at once", "but not as a baby"])
def test_or_when_what_may_be_sent_under_it_is_nearly_used_up(born: float, at: float) -> None:
    before = peer(isakmp(born=born, renew_at=85_000.0), lan=UP)
    after, _ = told(before, Spent(A))
    assert after.isakmp[A].renew_at == at
    assert told(after, Spent(A)) == (after, [])


def test_while_it_is_made_children_begin_under_the_former_one() -> None:
    _, effects = told(renewing(), Wanted("dmz"))
    assert effects == ["begin dmz as 12 under A"]


@pytest.mark.parametrize(
    "state",
    [
        peer(ripe()),
        peer(ripe(), lan=UP, phase1=Attempt(9)),
        peer(ripe(unresponsive=True), lan=UP),
        peer(ripe(), isakmp(B), lan=UP),
    ],
    ids=["nobody wants it", "a phase 1 is under way", "it does not answer", "a newer one serves"],
)
def test_else_it_is_looked_at_again_in_half_of_the_time_that_is_left(state: PeerState) -> None:
    after, effects = told(state, Due(()))
    assert effects == []
    assert after.isakmp[A] == replace(state.isakmp[A], renew_at=NOW + 300)


def test_no_one_that_leaves_is_renewed() -> None:
    leaving = ripe(stage=Stage.LEAVING, leave_at=NOW + 5)
    assert told(peer(leaving, lan=UP), Due(())) == (peer(leaving, lan=UP), [])
    assert isakmp_due(leaving) == NOW + 5


BEHIND_A_NAT = NatTraversal(NatMethod.RFC_3947, local=False, remote=True)


@pytest.mark.parametrize(
    ("initiator", "nat", "renews"),
    [(True, None, True), (True, BEHIND_A_NAT, True), (False, None, True), (False, BEHIND_A_NAT, False)],
)
def test_whom_we_cannot_call_we_leave_to_renew_it(*, initiator: bool, nat: NatTraversal | None, renews: bool) -> None:
    sa = replace(isakmp_sa(initiator=initiator), nat=nat)
    after, _ = told(peer(), PhaseOneUp(None, sa))
    assert (after.isakmp[A].renew_at is not None) is renews


def test_nor_is_a_peer_called_of_which_all_children_are_passive() -> None:
    passive = replace(VIEW, children=tuple(replace(child, start=Start.PASSIVE) for child in VIEW.children))
    after, _ = decide(passive, peer(), PhaseOneUp(None, isakmp_sa(initiator=False)), NOW, SALT)
    assert after.isakmp[A].renew_at is None


# -- its failure


def test_a_renewal_that_failed_is_tried_again_with_back_off_until_the_hard_end_and_cuts_nothing() -> None:
    state, begun = peer(ripe(), lan=UP), list[float]()
    now = NOW
    while now < NOW + 600:
        state, effects = told(state, Due(()), now=now)
        if state.phase1 is not None:
            begun.append(now - NOW)
            state, _ = told(state, PhaseOneFailed(state.phase1, NoAnswer("silence")), now=now)
        now += 1
    assert begun == [0, 2, 6, 14, 30, 62, 126, 254, 510]
    assert state.children["lan"] == UP
    after, effects = told(state, Due(()), now=NOW + 600)
    assert effects == ["say under A: delete ISAKMP SA A"]
    assert after.children["lan"] == UP


def test_its_failure_says_when_it_is_tried_again_and_what_still_stands() -> None:
    _, effects = told(renewing(), PhaseOneFailed(Attempt(11), NoAnswer("no answer")))
    assert effects == [
        "record of A: its renewal came to nothing (no answer); the next phase 1 begins in 2 s, "
        "the ISAKMP SA stands 600 s more, and no child is cut"
    ]


def test_a_phase_1_of_ours_that_fails_while_the_peer_has_made_one_renews_nothing() -> None:
    before = peer(isakmp(renew_at=NOW + 900), lan=UP, phase1=Attempt(11), serial=11)
    after, effects = told(before, PhaseOneFailed(Attempt(11), NoAnswer("silence")))
    assert (after.isakmp, effects) == (before.isakmp, [])


def test_a_process_that_ends_in_the_middle_of_it_leaves_it_to_the_next_one() -> None:
    after, _ = told(renewing(), Restarted())
    assert after.phase1 is None
    assert after.isakmp[A].renew_at == NOW + 300
    assert told(after, Due(()), now=NOW + 300)[1][0] == "begin phase 1 as 12"


# -- the former one gives way


def renewed(modes: dict[int, QuickModeState] | None = None) -> PeerState:
    """It has ended well."""
    return told(renewing(modes), PhaseOneUp(Attempt(11), isakmp_sa(B), began=NOW - 0.1))[0]


def test_the_new_one_serves_at_once() -> None:
    assert told(renewed(), Wanted("dmz"))[1] == ["begin dmz as 12 under B"]


def test_30_s_later_whoever_renewed_it_tells_the_former_one_delete_and_no_child_notices() -> None:
    after = renewed()
    assert told(after, Due(()), now=NOW + 29.9)[1] == []
    after, effects = told(after, Due(()), now=NOW + 30)
    assert effects == [GIVES_WAY, "say under A: delete ISAKMP SA A"]
    assert after.children["lan"] == UP
    assert after.isakmp[A].retired


def test_it_still_answers_until_it_expires_and_then_goes_without_a_word() -> None:
    after, _ = told(renewed(), Due(()), now=NOW + 30)
    assert told(after, QuickModeBegan(Attempt(-1), A), now=NOW + 31)[1] == []
    after, effects = told(after, Due(()), now=NOW + 600)
    assert effects == []
    assert told(after, Due(()), now=NOW + 610)[1] == ["forget A"]


def test_or_until_the_peer_deletes_it() -> None:
    after, _ = told(renewed(), Due(()), now=NOW + 30)
    delete = DeletePayload(Protocol.ISAKMP, (A.octets,))
    after, effects = told(after, Informed(A, (delete,)), now=NOW + 31)
    assert effects == ["record of A: the peer deleted the ISAKMP SA"]
    assert after.isakmp[A].stage is Stage.LEAVING


def test_nothing_is_begun_or_said_under_it_any_more() -> None:
    retired = isakmp(retired=True)
    assert told(peer(retired), Wanted("lan"))[1] == ["begin phase 1 as 11"]
    assert told(peer(retired, lan=UP), Unwanted(("lan",)))[1][-1] == "begin phase 1 as 11"


def test_its_delete_may_not_have_left_before_a_restart_and_is_said_again() -> None:
    after, effects = told(peer(isakmp(retired=True), isakmp(B), lan=UP), Restarted())
    assert effects == ["say under A: delete ISAKMP SA A"]
    assert after.isakmp[A].retired


def test_a_quick_mode_under_way_is_not_disturbed() -> None:
    state = renewed(modes={5: mode("dmz", ours=False)})
    after, effects = told(state, Due(()), now=NOW + 30)
    assert effects == []
    assert after.isakmp[A].retire_at == NOW + 32


def test_one_that_is_gone_by_then_leaves_the_former_one_to_serve() -> None:
    after, _ = told(renewed(), Informed(B, (DeletePayload(Protocol.ISAKMP, (B.octets,)),)))
    after, effects = told(after, Due(()), now=NOW + 30)
    assert effects == ["forget B"]
    assert not after.isakmp[A].retired
    assert told(after, Due(()), now=NOW + 300)[1][0] == "begin phase 1 as 12", "and to be renewed"


def test_what_the_peer_renewed_it_tells_delete_itself() -> None:
    before = peer(isakmp(A, renew_at=NOW + 5), lan=UP)
    after, _ = told(before, PhaseOneUp(None, isakmp_sa(B, initiator=False), began=NOW - 0.1))
    assert after.isakmp[A] == before.isakmp[A]


# -- both at once


def crossing(ours: Cookies, theirs: Cookies, lan: ChildState = UP) -> PeerState:
    """The peer's phase 1 ends while ours is under way, then ours ends."""
    before = peer(lan=lan, phase1=Attempt(11), serial=11)
    after, _ = told(before, PhaseOneUp(None, isakmp_sa(theirs, initiator=False), began=NOW - 0.2))
    return told(after, PhaseOneUp(Attempt(11), isakmp_sa(ours), began=NOW - 0.3), now=NOW + 0.1)[0]


@pytest.mark.parametrize(("ours", "theirs", "goes_at"), [(A, B, 30.1), (B, A, 40.1)])
def test_of_two_that_crossed_this_end_gives_up_what_it_began(ours: Cookies, theirs: Cookies, goes_at: float) -> None:
    lan = replace(UP, pairs=(replace(pair(1), under=Cookies(b"X" * 8)),))
    state = crossing(ours, theirs, lan)
    assert told(state, Due(()), now=NOW + goes_at - 0.1)[1] == []
    after, _ = told(state, Due(()), now=NOW + goes_at)
    assert {key for key, known in after.isakmp.items() if known.retired} == {ours}
    assert after.isakmp[theirs].retire_at is None


def test_the_one_with_the_higher_cookies_stays_where_the_peer_has_given_up_its_own() -> None:
    state, _ = told(crossing(B, A), Informed(A, (DeletePayload(Protocol.ISAKMP, (A.octets,)),)), now=NOW + 31)
    after, _ = told(state, Due(()), now=NOW + 40.1)
    assert not after.isakmp[B].retired
    assert after.isakmp[B].retire_at is None


def test_one_under_which_a_pair_was_made_stays_since_the_peer_may_end_both() -> None:
    state = crossing(A, B)
    after, effects = told(state, Due(()), now=NOW + 30.1)
    assert effects == []
    assert not after.isakmp[A].retired
    assert after.isakmp[A].retire_at > NOW + 60  # type: ignore[operator]


# -- what stands without a time for it


@pytest.mark.parametrize("fact", [Restarted(), Reloaded()], ids=["restart", "reload"])
def test_an_isakmp_sa_of_an_ikevd_that_did_not_renew_has_its_time_from_here_on(fact: Fact) -> None:
    after, _ = told(peer(isakmp(), lan=UP), fact)
    assert after.isakmp[A].renew_at == renewal.first_at(isakmp().sa, 500.0, 86900.0)


def test_where_that_time_is_over_it_is_renewed_now() -> None:
    after, _ = told(peer(isakmp(expires=NOW + 60), lan=UP), Restarted())
    assert after.isakmp[A].renew_at == NOW


@pytest.mark.parametrize(
    "stands",
    [isakmp(renew_at=NOW + 9, renewals=3), isakmp(retired=True), isakmp(stage=Stage.LEAVING, leave_at=NOW + 9)],
    ids=["it has one", "it was replaced", "it leaves"],
)
def test_else_it_stays_as_it_is(stands: IsakmpState) -> None:
    after, _ = told(peer(stands, lan=UP), Reloaded())
    assert after.isakmp[A] == stands


def test_a_peer_that_only_the_new_file_lets_us_call_is_renewed_from_here_on() -> None:
    theirs = isakmp(sa=isakmp_sa(initiator=False))
    passive = replace(VIEW, children=tuple(replace(child, start=Start.PASSIVE) for child in VIEW.children))
    waits, _ = told(peer(theirs, lan=UP), Reloaded(), view=passive)
    assert waits.isakmp[A].renew_at is None
    assert told(waits, Reloaded())[0].isakmp[A].renew_at is not None


# -- the end of it all


def test_taking_the_connection_down_ends_the_renewal_too() -> None:
    after, effects = told(renewing(), Ended())
    assert effects[0] == "abort 11: Abandoned (the connection was taken down)"
    assert after.isakmp[A].stage is Stage.LEAVING
