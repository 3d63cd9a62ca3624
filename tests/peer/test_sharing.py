"""Children that borrow the pair of another one, since the peer asked for what both lie in."""

from __future__ import annotations

from dataclasses import replace

from ikevd.errors import Said
from ikevd.peer.child_state import ChildState, Half
from ikevd.peer.command_facts import Reloaded, Unwanted, Wanted
from ikevd.peer.exchange_facts import Opening, QuickModeUp, Reserved
from ikevd.peer.exchange_state import Attempt, QuickModeState
from ikevd.peer.facts import Fact
from ikevd.peer.state import PeerState
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.sa.model import AskedFor, IpsecSa, Share
from tests.builders import selector
from tests.peer.records import LAN, NOW, OTHER, VIEW, A, ipsec, isakmp, ours, peer, theirs, told
from tests.peer.rows import deleted

ALWAYS = replace(OTHER, start=Start.ALWAYS)
BOTH_WANTED = replace(VIEW, children=(LAN, ALWAYS))
WIDE = AskedFor(selector("10.1.0.0/16"), selector("0.0.0.0/0"), (Share("dmz", OTHER.local, OTHER.remote),))
DOWN = peer(isakmp(), lan=ChildState(), dmz=ChildState(since=5.0))
THEIRS = Attempt(-1)


def lent(number: int = 1, asked: AskedFor = WIDE) -> IpsecSa:
    """The pair of `lan` that the peer asked for so wide."""
    return ipsec(number, initiator=False, asked=asked)


def up(state: PeerState = DOWN, *, view: Connection = VIEW) -> PeerState:
    """The peer's Quick Mode has brought it up."""
    began = replace(state, quick_modes={THEIRS: QuickModeState(A, ours=False, born=NOW)})
    facts: list[Fact] = [
        Reserved(THEIRS, "lan", ours(1)),
        Opening(THEIRS, lent(), Half.INBOUND),
        Opening(THEIRS, lent(), Half.BOTH),
        QuickModeUp(THEIRS, lent()),
    ]
    return told(began, *facts, view=view)[0]


def test_a_child_borrows_with_its_own_selectors_and_the_reqid_of_the_lender() -> None:
    state = up()
    (borrowed,) = state.children["dmz"].borrowed
    assert (borrowed.sa.child, borrowed.sa.selectors, borrowed.sa.asked) == ("dmz", (OTHER.local, OTHER.remote), None)
    assert (borrowed.sa.inbound, borrowed.sa.reqid) == (ours(1), LAN.reqid)
    assert state.children["dmz"].carries
    assert state.children["dmz"].since == NOW
    assert (state.children["dmz"].pairs, state.lenders) == ((), ("lan",))


def test_a_child_that_borrows_begins_nothing_and_who_waits_for_it_is_told() -> None:
    waiting = replace(DOWN, waiting=("dmz",), children={**DOWN.children, "dmz": ChildState(wanted=True)})
    assert up(waiting).waiting == ()
    _, effects = told(up(), Wanted("dmz"))
    assert effects == ["answer dmz: up"]


def test_what_was_borrowed_goes_with_the_pair_and_the_child_begins_anew_as_it_starts() -> None:
    state, effects = told(up(), deleted(theirs(1)))
    assert (state.children["dmz"].borrowed, state.lenders) == ((), ())
    assert state.children["dmz"].cause == Said("the pair of another child that carried it is gone")
    assert not any("dmz" in effect for effect in effects)

    wanted = replace(DOWN, children={**DOWN.children, "dmz": ChildState(wanted=True)})
    _, effects = told(up(wanted, view=BOTH_WANTED), deleted(theirs(1)), view=BOTH_WANTED)
    assert any(effect.startswith("begin dmz") for effect in effects)


def test_a_child_that_the_operator_takes_down_borrows_nothing_until_it_is_brought_up() -> None:
    state, effects = told(up(), Unwanted(("dmz",)))
    assert (state.children["dmz"].borrowed, effects) == ((), ["answer dmz: Abandoned (dmz was taken down)"])
    again, effects = told(state, Wanted("dmz"))
    assert again.children["dmz"].carries
    assert effects == ["answer dmz: up"]


def test_a_child_that_the_file_gives_other_networks_borrows_nothing_any_more() -> None:
    elsewhere = replace(OTHER, local=selector("10.7.0.0/24"))
    view = replace(VIEW, children=(LAN, elsewhere))
    state, _ = told(up(), Reloaded(ended=frozenset(["dmz"])), view=view)
    assert (state.children["dmz"].borrowed, state.children["lan"].carries) == ((), True)


def test_a_child_that_is_gone_from_the_file_stays_gone() -> None:
    state, _ = told(up(), Reloaded(), view=replace(VIEW, children=(LAN,)))
    assert "dmz" not in state.children


def test_only_the_peer_rekeys_what_it_asked_for_in_its_own_way() -> None:
    assert up().children["lan"].pairs[0].rekey_at is None
    plain = replace(lent(), asked=None)
    began = replace(DOWN, quick_modes={THEIRS: QuickModeState(A, ours=False, born=NOW)})
    state, _ = told(
        began,
        Reserved(THEIRS, "lan", ours(1)),
        Opening(THEIRS, plain, Half.BOTH),
        QuickModeUp(THEIRS, plain),
    )
    assert state.children["lan"].pairs[0].rekey_at is not None
