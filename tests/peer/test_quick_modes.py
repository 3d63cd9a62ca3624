"""Quick Modes under way: when one begins, what it opens, and what its end means for the peer and for its siblings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.errors import Abandoned, IkeError, InvalidId, KernelRefused, NoAnswer, PeerDeleted, PeerRefused, Said
from ikevd.peer import kernel_facts
from ikevd.peer.child_state import ChildState, Half, PairState
from ikevd.peer.command_facts import Unwanted, Wanted
from ikevd.peer.exchange_facts import Opening, QuickModeBegan, QuickModeFailed, QuickModeUp, Reserved
from ikevd.peer.exchange_state import Attempt, QuickModeState
from ikevd.peer.facts import Due, Fact
from ikevd.peer.isakmp_state import Stage
from ikevd.peer.kernel_facts import Expired, Vanished
from ikevd.peer.message_facts import Worn
from ikevd.peer.state import PeerState
from ikevd.wire.registry import NotifyType
from tests.peer.records import NOW, A, B, ipsec, isakmp, mode, opening, ours, pair, peer, told

SEVEN, ELEVEN = Attempt(7), Attempt(11)
WANTED = ChildState(wanted=True, since=5.0)
TRYING = replace(WANTED, attempt=SEVEN)
UP = ChildState(wanted=True, pairs=(pair(1),), since=5.0)
BROKEN = KernelRefused("no memory", 12)


def failed(error: IkeError, *, spoken: bool = True, sent: bool = True) -> QuickModeFailed:
    return QuickModeFailed(SEVEN, error, spoken=spoken, sent=sent)


def making(half: Half = Half.INBOUND) -> PeerState:
    """Quick Mode 7 of ours has opened a pair of `lan`."""
    lan = replace(TRYING, pairs=(opening(3, 7, half),))
    return peer(isakmp(), lan=lan, modes={7: mode(spi=ours(3))})


# -- one after the other


def test_the_next_begins_when_the_one_before_has_ended() -> None:
    before = peer(isakmp(), lan=TRYING, dmz=WANTED, waiting=("dmz",), modes={7: mode()})
    _, effects = told(before, failed(Abandoned("no"), spoken=False, sent=False))
    assert effects == ["answer lan: Abandoned (no)", "begin dmz as 11 under A"]


@pytest.mark.parametrize(("age", "begins"), [(0.9, False), (1.0, True)])
def test_one_that_stays_unanswered_delays_the_next_by_a_second(age: float, *, begins: bool) -> None:
    before = peer(isakmp(), lan=TRYING, modes={7: mode(born=NOW - age)})
    after, effects = told(before, Wanted("dmz"))
    assert effects == (["begin dmz as 11 under A"] if begins else [])
    assert after.waiting == (() if begins else ("dmz",))


def test_the_next_begins_when_that_second_is_over() -> None:
    before = peer(isakmp(), lan=TRYING, dmz=WANTED, waiting=("dmz",), modes={7: mode(born=NOW - 1)})
    assert told(before, Due(()))[1] == ["begin dmz as 11 under A"]


@pytest.mark.parametrize(
    "other",
    [mode(ours=False), mode(under=B), mode(ending=True)],
    ids=["the peer's", "under another ISAKMP SA", "that was told to end"],
)
def test_one_delays_nothing_that_is(other: QuickModeState) -> None:
    _, effects = told(peer(isakmp(), modes={7: other}), Wanted("dmz"))
    assert effects == ["begin dmz as 11 under A"]


def test_it_is_known_under_its_attempt() -> None:
    after, _ = told(peer(isakmp()), Wanted("lan"))
    assert after.quick_modes == {ELEVEN: QuickModeState(A, ours=True, born=NOW, child="lan")}
    assert (after.children["lan"].attempt, after.serial, after.waiting) == (ELEVEN, 11, ())


# -- the peer's


def test_one_of_the_peers_is_known_from_its_first_message_on() -> None:
    after, effects = told(peer(isakmp()), QuickModeBegan(Attempt(12), A))
    assert (after.quick_modes, effects) == ({Attempt(12): QuickModeState(A, ours=False, born=NOW)}, [])
    assert after.serial == 12, "no number is given twice"


@pytest.mark.parametrize(
    "stands",
    [[], [isakmp(stage=Stage.LEAVING, leave_at=NOW + 5)], [isakmp(stage=Stage.ADMITTING)]],
    ids=["is gone", "leaves", "is not ready"],
)
def test_one_under_an_isakmp_sa_ends_at_once_that(stands: list[object]) -> None:
    _, effects = told(peer(*stands), QuickModeBegan(SEVEN, A))  # type: ignore[arg-type]
    assert effects == ["abort 7: Abandoned (the ISAKMP SA is not ready for it, or has been deleted)"]


# -- what it opens


def test_its_spi_is_known_before_it_goes_on() -> None:
    before = peer(isakmp(), modes={7: mode(None, ours=False)})
    after, effects = told(before, Reserved(SEVEN, "lan", ours(3)))
    assert after.quick_modes[SEVEN] == mode("lan", ours=False, spi=ours(3))
    assert effects == ["resume 7"]


def test_a_pair_that_is_being_made_is_one_of_the_child() -> None:
    before = peer(isakmp(), lan=TRYING, modes={7: mode(spi=ours(3))})
    after, effects = told(before, Opening(SEVEN, ipsec(3), Half.INBOUND))
    made = PairState(ipsec(3), A, Half.INBOUND, born=NOW, expires=NOW + 3600, attempt=SEVEN)
    assert (after.children["lan"].pairs, effects) == ((made,), ["resume 7"]), "carried out once that half stands"


def test_its_other_half_is_the_same_pair_on_the_path_of_the_last_message() -> None:
    moved = ipsec(3, replay_window=64)
    after, _ = told(making(), Opening(SEVEN, moved, Half.BOTH))
    assert after.children["lan"].pairs == (replace(opening(3, 7, Half.BOTH), sa=moved),)


@pytest.mark.parametrize("half", list(Half))
def test_while_a_third_pair_is_made_the_oldest_is_received_on(half: Half) -> None:
    """The peer may still send by it: its kernel prefers an older SA where the newest has met its soft limit."""
    two = (pair(1, delete_at=NOW + 9, leave_at=NOW + 11), pair(2))
    before = peer(isakmp(), lan=replace(UP, pairs=two), modes={7: mode(ours=False, spi=ours(3))})
    after, _ = told(before, Opening(SEVEN, ipsec(3), half))
    assert after.children["lan"].pairs[:-1] == two


@pytest.mark.parametrize("half", list(Half))
def test_what_the_kernel_refuses_leaves_the_state_before_the_quick_mode_hears_of_it(half: Half) -> None:
    after, effects = told(making(half), kernel_facts.KernelRefused(SEVEN, BROKEN))
    assert after.children["lan"] == TRYING
    assert effects == ["resume 7: KernelRefused (no memory)"]
    assert after.quick_modes[SEVEN].ending, "the next process ends it, too: an SA that stood is never added again"


def test_whose_attempt_it_was_is_known_although_the_kernel_gave_no_spi() -> None:
    before = peer(isakmp(), modes={7: mode(None, ours=False)})
    after, _ = told(before, kernel_facts.KernelRefused(SEVEN, BROKEN, "lan"), failed(BROKEN, sent=False))
    assert after.children["lan"] == ChildState(cause=Said("no memory"))


@pytest.mark.parametrize("fact", [Reserved(SEVEN, "lan", ours(3)), Opening(SEVEN, ipsec(3), Half.INBOUND)], ids=repr)
def test_one_that_was_told_to_end_goes_on_with_nothing(fact: Reserved | Opening) -> None:
    before = peer(isakmp(), lan=WANTED, modes={7: mode(ending=True)})
    assert told(before, fact) == (before, [])


@pytest.mark.parametrize(
    "fact",
    [
        kernel_facts.KernelRefused(SEVEN, BROKEN),
        QuickModeUp(SEVEN, ipsec(3)),
        failed(BROKEN),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_of_one_that_is_gone_nothing_is_believed(fact: Fact) -> None:
    before = peer(isakmp(), lan=WANTED)
    assert told(before, fact) == (before, [])


@pytest.mark.parametrize("fact", [Reserved(SEVEN, "lan", ours(3)), Opening(SEVEN, ipsec(3), Half.INBOUND)], ids=repr)
def test_one_that_is_not_known_and_asks_for_something_ends(fact: Reserved | Opening) -> None:
    """It would wait for ever."""
    before = peer(isakmp(), lan=WANTED)
    assert told(before, fact) == (before, ["abort 7: Abandoned (it was given up)"])


def test_one_that_asks_for_another_child_than_it_began_for_ends() -> None:
    before = peer(isakmp(), lan=TRYING, modes={7: mode()})
    after, effects = told(before, Reserved(SEVEN, "dmz", ours(3)))
    assert effects == ["abort 7: Abandoned (it began for lan, not for dmz)"]
    assert after.quick_modes[SEVEN] == mode(ending=True)


@pytest.mark.parametrize("fact", [Expired("lan", ours(3)), Vanished("lan", ours(3))], ids=repr)
def test_an_sa_that_the_kernel_loses_while_it_is_made_ends_its_quick_mode(fact: Expired | Vanished) -> None:
    after, (abort,) = told(making(), fact)
    assert after.children["lan"] == TRYING, "it is never added again"
    assert abort.startswith("abort 7: Abandoned ")


# -- it ended well


def test_it_ended_well() -> None:
    after, effects = told(making(Half.BOTH), QuickModeUp(SEVEN, ipsec(3)))
    assert after.quick_modes == {}
    (stands,) = after.children["lan"].standing
    assert (stands.half, stands.born, stands.under, stands.attempt) == (Half.BOTH, NOW, A, None)
    assert effects == ["answer lan: up"]


def test_taken_down_a_moment_before_it_is_undone() -> None:
    """It had ended before the order to end came to it."""
    after, effects = told(making(Half.BOTH), Unwanted(("lan",)), QuickModeUp(SEVEN, ipsec(3)))
    assert effects == ["say under A: delete d0000003"]
    assert (after.children["lan"].pairs, after.quick_modes) == ((), {})


# -- it came to nothing


FAILURES = {
    "silence": (NoAnswer("x"), True, True, ["delete d0000003"]),
    "refused by us": (InvalidId("x"), True, True, ["INVALID_ID_INFORMATION", "delete d0000003"]),
    "refused by us, and the peer has not got our SPI": (InvalidId("x"), True, False, ["INVALID_ID_INFORMATION"]),
    "refused by the peer": (PeerRefused("x", NotifyType.NO_PROPOSAL_CHOSEN), True, True, []),
    "deleted by the peer": (PeerDeleted("x"), True, True, []),
    "by our kernel, at first": (BROKEN, False, False, []),
    "by our kernel, at last": (BROKEN, True, True, ["NO_PROPOSAL_CHOSEN", "delete d0000003"]),
    "by command": (Abandoned("x"), True, True, ["delete d0000003"]),
}


@pytest.mark.parametrize(("error", "spoken", "sent", "said"), FAILURES.values(), ids=FAILURES)
def test_the_peer_is_told_what_it_cannot_know(error: IkeError, said: list[str], *, spoken: bool, sent: bool) -> None:
    after, effects = told(making(), failed(error, spoken=spoken, sent=sent))
    assert [effect for effect in effects if effect.startswith("say")] == [f"say under A: {word}" for word in said]
    assert (after.children["lan"].pairs, after.quick_modes) == ((), {})


def test_a_notification_names_the_peers_spi() -> None:
    error = InvalidId("x")
    error.spi = bytes.fromhex("e0000003")
    _, effects = told(making(), failed(error, sent=False))
    assert effects[0] == "say under A: INVALID_ID_INFORMATION for e0000003"


# -- it went down with its ISAKMP SA


def test_a_child_whose_quick_mode_went_down_with_its_isakmp_sa_is_tried_once_more_at_once() -> None:
    before = peer(isakmp(), lan=TRYING, modes={7: mode(spi=ours(3))})
    ending, effects = told(before, Worn(A))
    assert effects == ["abort 7: Abandoned (the ISAKMP SA has used up its message IDs)"]
    after, effects = told(ending, failed(Abandoned("worn")))
    assert effects == ["say under A: delete d0000003", "say under A: delete ISAKMP SA A", "begin phase 1 as 11"]
    assert after.children["lan"] == replace(WANTED, again=True)
    assert after.waiting == ("lan",)


def test_a_second_time_it_has_failed() -> None:
    leaving = isakmp(stage=Stage.LEAVING, leave_at=NOW + 9)
    before = peer(leaving, lan=replace(TRYING, again=True), modes={7: mode()})
    after, effects = told(before, failed(PeerDeleted("gone")))
    assert effects == ["answer lan: PeerDeleted (gone)"]
    assert after.children["lan"].failures == 1


def test_nor_once_more_for_another_cause() -> None:
    before = peer(isakmp(stage=Stage.LEAVING, leave_at=NOW + 9), lan=TRYING, modes={7: mode()})
    after, _ = told(before, failed(NoAnswer("silence")))
    assert after.children["lan"].failures == 1


def test_nor_once_more_for_a_child_that_was_taken_down() -> None:
    ending, _ = told(peer(isakmp(), lan=TRYING, modes={7: mode()}), Unwanted(("lan",)), Worn(A))
    after, effects = told(ending, failed(Abandoned("taken down by command")))
    assert after.waiting == ()
    assert effects == ["say under A: delete ISAKMP SA A"]


def test_wanted_again_before_the_old_one_has_ended_a_new_one_begins_at_once() -> None:
    before = peer(isakmp(), lan=TRYING, modes={7: mode(spi=ours(3))})
    again, effects = told(before, Unwanted(("lan",)), Wanted("lan"))
    assert effects == ["begin lan as 11 under A"]
    after, effects = told(again, failed(Abandoned("taken down by command")))
    assert effects == ["say under A: delete d0000003"]
    assert after.children["lan"].attempt == ELEVEN
