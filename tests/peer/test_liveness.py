"""When a peer is asked whether it lives, what shows that it does, and what goes when it is dead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.addresses import Address
from ikevd.peer import liveness
from ikevd.peer.child_state import ChildState
from ikevd.peer.command_facts import Reloaded
from ikevd.peer.decide import decide
from ikevd.peer.draft import Draft
from ikevd.peer.due import isakmp_due
from ikevd.peer.exchange_facts import PhaseOneUp
from ikevd.peer.facts import Due, Fact, Restarted
from ikevd.peer.isakmp_state import IsakmpState, Liveness, Stage
from ikevd.peer.message_facts import Heard
from ikevd.peer.start import Anew
from ikevd.peer.state import PeerState
from ikevd.peer.timing import OUTLIVED, QUESTIONS, STAGGER, YOUNG
from ikevd.peer.volume_facts import Carried
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.policy.dpd import Dpd, DpdAction, DpdMode
from tests.builders import ALICE_TO_BOB, BOB, NO_DPD, child
from tests.peer.records import NOW, SALT, VIEW, A, B, in_words, isakmp, isakmp_sa, mode, pair, peer

SPEAKS, OF_B = replace(isakmp_sa(), dpd=True), replace(isakmp_sa(B), dpd=True)
PERIODIC = replace(VIEW, dpd=Dpd(DpdMode.PERIODIC))
ASKED = Liveness(100, look_at=NOW, asked=3, asked_at=NOW - 4)
UP = ChildState(wanted=True, pairs=(pair(1),), since=5.0)
PAUSE = 8 / 12


def silent_since(heard: float, live: Liveness | None = None, **changes: object) -> IsakmpState:
    """Its peer speaks dead peer detection; it is looked at now."""
    return isakmp(A, sa=SPEAKS, heard=heard, liveness=live or Liveness(100, look_at=NOW), **changes)


def told(
    state: PeerState, *facts: Fact, now: float = NOW, view: Connection = VIEW
) -> tuple[Liveness | None, list[str]]:
    """What is known of A then, and the effects of the last fact."""
    words: list[str] = []
    for fact in facts:
        state, effects = decide(view, state, fact, now, SALT)
        words = in_words(effects)
    return (state.isakmp[A].liveness if A in state.isakmp else None), words


# -- who is asked


@pytest.mark.parametrize(
    ("announced", "dpd", "look_at"),
    [(True, Dpd(), NOW + 30), (True, Dpd(delay=7), NOW + 7), (True, NO_DPD, None), (False, Dpd(), None)],
    ids=["after 30 s", "after the delay", "off", "not announced"],
)
def test_a_peer_is_asked_that_announced_dead_peer_detection(announced: bool, dpd: Dpd, look_at: float | None) -> None:
    live, _ = told(peer(), PhaseOneUp(None, replace(SPEAKS, dpd=announced)), view=replace(VIEW, dpd=dpd))
    assert (live.look_at if live else None) == look_at


def test_none_is_asked_under_an_isakmp_sa_that_leaves() -> None:
    before = peer(silent_since(900.0, stage=Stage.LEAVING, leave_at=NOW + 5))
    assert told(before, Due())[1] == told(before, Carried(A, None))[1] == []


def test_the_newest_isakmp_sa_speaks_for_all_of_them() -> None:
    newer = isakmp(B, sa=OF_B, heard=900.0, liveness=Liveness(5, look_at=NOW))
    assert told(peer(silent_since(960.0), newer), Due())[1] == ["ask for traffic under B"]


# -- when


def test_the_kernel_is_asked_first() -> None:
    live, effects = told(peer(silent_since(NOW - 30)), Due())
    assert effects == ["ask for traffic under A"]
    assert live is not None
    assert live.asked == 0


def test_then_the_peer_is_asked_where_no_packet_came_either() -> None:
    live, effects = told(peer(silent_since(NOW - 30)), Due(), Carried(A, None))
    assert effects == [f"say once under A: R_U_THERE for {A.octets.hex()}"]
    assert live == Liveness(101, look_at=NOW + PAUSE, asked=1, asked_at=NOW)


def test_a_packet_that_came_lately_is_a_sign_of_life() -> None:
    live, effects = told(peer(silent_since(NOW - 30)), Due(), Carried(A, NOW - 10))
    assert effects == []
    assert live == Liveness(100, look_at=NOW + 20, carried=NOW - 10)


def test_a_peer_that_spoke_meanwhile_is_looked_at_later() -> None:
    live, effects = told(peer(silent_since(NOW - 12)), Due())
    assert (effects, live) == ([], Liveness(100, look_at=NOW + 18))


def test_a_message_of_the_peer_moves_no_timer() -> None:
    before = silent_since(NOW - 12)
    state, _ = decide(VIEW, peer(before), Heard(A, ALICE_TO_BOB), NOW, SALT)
    assert isakmp_due(state.isakmp[A]) == isakmp_due(before)


@pytest.mark.parametrize(
    ("born", "asks"), [(NOW - YOUNG + 1, False), (NOW - YOUNG, True)], ids=["young", "unanswered for long"]
)
def test_a_quick_mode_of_ours_asks_as_much_while_it_is_young(born: float, asks: bool) -> None:
    before = peer(silent_since(NOW - 30), modes={7: mode(born=born)})
    live, effects = told(before, Due())
    assert ("ask for traffic under A" in effects) is asks
    assert live is not None
    assert live.look_at == NOW + PAUSE


def test_a_peer_that_may_still_repeat_its_last_message_of_phase_1_is_not_asked_yet() -> None:
    """It does not hold the ISAKMP SA before it has got our answer."""
    fresh = silent_since(NOW - 30, born=NOW - 30)
    theirs = replace(fresh, sa=replace(SPEAKS, initiator=False))
    live, effects = told(peer(theirs), Due())
    assert effects == []
    assert live is not None
    assert live.look_at == NOW + 76
    assert told(peer(fresh), Due())[1] == ["ask for traffic under A"]


def test_periodically_it_is_asked_whatever_was_heard() -> None:
    before = peer(silent_since(NOW - 1, Liveness(100, look_at=NOW, asked_at=NOW - 30)))
    _, effects = told(before, Due(), Carried(A, NOW - 1), view=PERIODIC)
    assert effects == [f"say once under A: R_U_THERE for {A.octets.hex()}"]
    assert told(before, Due())[1] == []


# -- signs of life


def test_a_question_without_an_answer_is_followed_by_another_with_the_next_number() -> None:
    live, effects = told(peer(silent_since(NOW - 34, ASKED)), Carried(A, None))
    assert effects == [f"say once under A: R_U_THERE for {A.octets.hex()}"]
    assert live == Liveness(101, look_at=NOW + PAUSE, asked=4, asked_at=NOW - 4)


def test_whatever_the_peer_says_answers_all_questions() -> None:
    live, effects = told(peer(silent_since(NOW - 34, ASKED)), Heard(A, ALICE_TO_BOB))
    assert live == replace(ASKED, asked=0, look_at=NOW + 30)
    assert "record of A: the peer shows life again, after 3 R-U-THERE without an answer" in effects


@pytest.mark.parametrize(("view", "later"), [(VIEW, 0), (PERIODIC, -4)], ids=["idle", "periodic"])
@pytest.mark.parametrize(("initiator", "stagger"), [(True, 0), (False, STAGGER)])
def test_its_answer_sets_the_time_of_the_next_look_at_once(
    view: Connection, later: float, *, initiator: bool, stagger: float
) -> None:
    asked = silent_since(NOW - 34, ASKED)
    before = replace(asked, sa=replace(SPEAKS, initiator=initiator))
    live, _ = told(peer(before), Heard(A, ALICE_TO_BOB), view=view)
    assert live is not None
    assert live.look_at == NOW + 30 + later + stagger
    state, _ = decide(view, peer(before), Heard(A, ALICE_TO_BOB), NOW, SALT)
    assert in_words(decide(view, state, Due(), live.look_at, SALT)[1]) == ["ask for traffic under A"]


@pytest.mark.parametrize(
    ("at", "life"), [(NOW - 3, True), (NOW - 5, True), (NOW - 6, False)], ids=["after", "in that second", "before"]
)
def test_a_packet_answers_them_that_came_after_the_first(at: float, life: bool) -> None:
    live, _ = told(peer(silent_since(NOW - 34, ASKED)), Carried(A, at))
    assert live is not None
    assert (live.asked == 0) is life


# -- out of turn


def probed(state: PeerState, view: Connection = VIEW) -> tuple[bool, list[str]]:
    draft = Draft(view, state, NOW, SALT)
    return liveness.probe(draft, A, "another peer asks for its network"), in_words(draft.effects)


def test_a_probe_asks_at_once_and_says_why() -> None:
    assert probed(peer(silent_since(NOW - 1))) == (
        True,
        [
            "record of A: the peer is asked whether it lives (R-U-THERE): another peer asks for its network",
            f"say once under A: R_U_THERE for {A.octets.hex()}",
        ],
    )


def test_a_probe_adds_nothing_to_questions_that_are_not_answered_yet() -> None:
    assert probed(peer(silent_since(NOW - 34, ASKED))) == (True, [])


@pytest.mark.parametrize(
    "state",
    [
        peer(),
        peer(isakmp(A)),
        peer(silent_since(990.0, Liveness(100))),
        peer(silent_since(990.0, stage=Stage.LEAVING)),
        peer(silent_since(990.0, expires=NOW)),
    ],
    ids=["gone", "not announced", "off", "leaving", "over"],
)
def test_a_probe_says_where_the_peer_cannot_be_asked(state: PeerState) -> None:
    assert probed(state) == (False, [])


# -- the file says otherwise


@pytest.mark.parametrize("fact", [Reloaded(), Restarted()], ids=["reload", "restart"])
@pytest.mark.parametrize(
    ("before", "dpd", "look_at"),
    [
        (Liveness(100, look_at=NOW + 25), NO_DPD, None),
        (Liveness(100), Dpd(), NOW + 30),
        (Liveness(100, look_at=NOW + 25), Dpd(delay=7), NOW + 7),
        (Liveness(100, look_at=NOW + 5), Dpd(delay=600), NOW + 5),
    ],
    ids=["off", "on", "sooner", "later"],
)
def test_a_changed_file_counts_for_the_isakmp_sas_that_stand(
    before: Liveness, dpd: Dpd, look_at: float | None, fact: Fact
) -> None:
    live, _ = told(peer(silent_since(990.0, before)), fact, view=replace(VIEW, dpd=dpd))
    assert live == replace(before, look_at=look_at)


def test_what_was_asked_under_the_former_file_is_forgotten_where_nobody_is_asked_any_more() -> None:
    live, _ = told(peer(silent_since(960.0, ASKED)), Reloaded(), view=replace(VIEW, dpd=NO_DPD))
    assert live == replace(ASKED, look_at=None, asked=0)


# -- dead


def dying(**changes: object) -> IsakmpState:
    """Its last question was asked long enough ago."""
    live = Liveness(112, look_at=NOW, asked=QUESTIONS, asked_at=NOW - 8)
    return silent_since(NOW - 38, replace(live, **changes))  # type: ignore[arg-type]


def test_after_8_s_without_a_sign_of_life_the_peer_is_dead() -> None:
    _, effects = told(peer(dying()), Carried(A, None))
    assert (
        effects[0]
        == "record of A: the peer is dead: no answer to 12 R-U-THERE within 8 s, last heard of 38 s ago, by IKE"
    )


def test_its_last_sign_of_life_may_have_been_a_packet() -> None:
    _, effects = told(peer(dying(carried=NOW - 31)), Carried(A, None))
    assert effects[0].endswith("last heard of 31 s ago, by ESP")


def test_before_that_a_packet_saves_it() -> None:
    live, effects = told(peer(dying()), Carried(A, NOW - 2))
    assert live is not None
    assert (live.asked, live.look_at) == (0, NOW + 28)
    assert effects == ["record of A: the peer shows life again, after 12 R-U-THERE without an answer"]


@pytest.mark.parametrize(
    ("start", "action", "remote", "anew"),
    [
        (Start.ALWAYS, None, BOB, None),
        (Start.MANUAL, DpdAction.RESTART, BOB, Anew.RESTART),
        (Start.ALWAYS, DpdAction.HOLD, BOB, Anew.HOLD),
        (Start.PASSIVE, DpdAction.RESTART, BOB, Anew.CLEAR),
        (Start.MANUAL, DpdAction.RESTART, None, Anew.CLEAR),
    ],
    ids=["by its start action", "restart", "hold", "only the peer begins it", "only the peer can call"],
)
def test_what_becomes_of_a_child(
    start: Start, action: DpdAction | None, remote: Address | None, anew: Anew | None
) -> None:
    view = replace(VIEW, remote=remote, dpd=Dpd(action=action))
    assert liveness.action_of(view, child(start=start)) is anew


def test_all_goes_that_showed_no_life_since_the_first_question_and_the_peer_is_told() -> None:
    older = isakmp(B, heard=NOW - 60)
    after, effects = decide(VIEW, peer(older, dying(), lan=UP), Carried(A, None), NOW, SALT)
    said = in_words(effects)
    assert [found.stage for found in after.isakmp.values()] == [Stage.LEAVING, Stage.LEAVING]
    assert "say under A: delete d0000001" in said
    assert after.children["lan"].pairs == ()
    assert after.children["lan"].wanted
    assert "begin phase 1 as 11" in said


def test_a_peer_that_spoke_under_another_isakmp_sa_has_lost_one_and_keeps_its_children() -> None:
    after, _ = decide(VIEW, peer(isakmp(B, heard=NOW - 3), dying(), lan=UP), Carried(A, None), NOW, SALT)
    assert [found.stage for found in after.isakmp.values()] == [Stage.READY, Stage.LEAVING]
    assert after.children["lan"] == UP


# -- a former ISAKMP SA, beside a newer one


def beside(found: IsakmpState, *, born: float = NOW - OUTLIVED) -> PeerState:
    """B was made after it, and the peer spoke under B a moment ago."""
    newer = isakmp(B, sa=OF_B, born=born, heard=NOW - 1, liveness=Liveness(5, look_at=NOW + 30))
    return peer(found, newer, lan=UP)


@pytest.mark.parametrize(
    ("heard", "born", "asks"),
    [
        (NOW - OUTLIVED - 1, NOW - OUTLIVED, True),
        (NOW - OUTLIVED - 1, NOW - OUTLIVED + 1, False),
        (NOW - OUTLIVED + 1, NOW - OUTLIVED, False),
    ],
    ids=["nothing was heard under it since", "the newer one has just been made", "the peer has used it since"],
)
def test_once_a_newer_one_stands_for_a_while_the_peer_is_asked_whether_it_still_has_the_former(
    heard: float, born: float, *, asks: bool
) -> None:
    live, effects = told(beside(silent_since(heard), born=born), Due())
    assert effects == ([f"say once under A: R_U_THERE for {A.octets.hex()}"] if asks else [])
    assert live is not None
    assert live.look_at == (NOW + PAUSE if asks else NOW + 30)


def test_no_packet_shows_that_the_peer_still_has_it() -> None:
    asked = Liveness(100, look_at=NOW, asked=3, asked_at=NOW - 4, carried=NOW - 1)
    assert told(beside(silent_since(900.0, asked)), Due())[1] == [f"say once under A: R_U_THERE for {A.octets.hex()}"]


def test_nobody_knows_that_it_is_lost_before_the_peer_has_spoken_under_the_newer_one_meanwhile() -> None:
    newer = isakmp(B, sa=OF_B, born=NOW - OUTLIVED, heard=NOW - 9, liveness=Liveness(5, look_at=NOW + 21))
    after, effects = decide(VIEW, peer(dying(), newer, lan=UP), Due(), NOW, SALT)
    assert in_words(effects) == []
    assert after.isakmp[A].stage is Stage.READY
    known = after.isakmp[A].liveness
    assert known is not None
    assert known.look_at == NOW + 30


def test_a_former_one_that_the_peer_has_lost_goes_alone() -> None:
    after, effects = decide(VIEW, beside(dying()), Due(), NOW, SALT)
    assert in_words(effects) == [
        "record of A: the peer has this ISAKMP SA no more, only a newer one: no answer to 12 R-U-THERE within 8 s",
        "say under A: delete ISAKMP SA A",
    ]
    assert [found.stage for found in after.isakmp.values()] == [Stage.LEAVING, Stage.READY]
    assert after.children["lan"] == UP
