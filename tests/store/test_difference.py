"""What a fact changed about a peer, and so what is written: no more than that."""

from dataclasses import replace

from ikevd.crypto.secret import Secret
from ikevd.peer.child_state import ChildState, Idle
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import Liveness
from ikevd.peer.one_way_state import OneWay
from ikevd.peer.state import PeerState
from ikevd.sa.model import Cookies
from ikevd.store.difference import HEARD_EVERY, difference, heard_at_the_latest
from ikevd.store.interface import Changes
from tests.store.records import COOKIES, KEY, child_state, isakmp_state, peer_state

OTHER = Cookies(bytes(8), bytes(8))


def test_of_a_new_peer_everything_is_written() -> None:
    state = peer_state()
    changes = difference(None, state)
    assert changes.head == replace(state, isakmp={}, children={})
    assert (changes.isakmp, changes.children) == (state.isakmp, state.children)


def test_nothing_is_written_where_nothing_changed() -> None:
    state = peer_state()
    assert not difference(state, state)
    assert not difference(state, replace(state, children=dict(state.children), isakmp=dict(state.isakmp)))


def test_of_a_child_that_changed_only_its_own_record_is_written() -> None:
    before = peer_state()
    after = replace(before, children={**before.children, "lan": ChildState()})
    assert difference(before, after) == Changes(KEY, children={"lan": ChildState()})


def test_a_child_and_an_isakmp_sa_that_are_gone_are_named() -> None:
    before = peer_state()
    after = replace(before, isakmp={}, children={"voice": before.children["voice"]})
    assert difference(before, after) == Changes(KEY, gone_isakmp=(COOKIES,), gone_children=("lan",))


def test_what_hangs_on_no_isakmp_sa_and_no_child_is_one_record() -> None:
    before = peer_state()
    after = replace(before, serial=8, phase1=Attempt(8))
    assert difference(before, after) == Changes(KEY, head=replace(after, isakmp={}, children={}))


def test_a_new_isakmp_sa_is_written_beside_the_old_one() -> None:
    before = peer_state()
    after = replace(before, isakmp={**before.isakmp, OTHER: isakmp_state(OTHER)})
    assert difference(before, after) == Changes(KEY, isakmp={OTHER: isakmp_state(OTHER)})


def heard_at(state: PeerState, heard: float) -> PeerState:
    return replace(state, isakmp={COOKIES: replace(state.isakmp[COOKIES], heard=heard)})


def test_that_the_peer_was_heard_is_written_once_a_minute() -> None:
    start = heard_at(peer_state(), 10 * HEARD_EVERY)
    assert not difference(start, heard_at(start, 11 * HEARD_EVERY - 1))
    assert difference(start, heard_at(start, 11 * HEARD_EVERY)).isakmp


def test_what_else_a_heard_message_changed_is_written_at_once() -> None:
    before = peer_state()
    found = replace(before.isakmp[COOKIES], heard=before.isakmp[COOKIES].heard + 1, unresponsive=True)
    assert difference(before, replace(before, isakmp={COOKIES: found})).isakmp == {COOKIES: found}


def test_that_the_kernel_was_asked_for_the_packets_of_a_child_is_not_written() -> None:
    def looked(*times: float, held: bool = False) -> PeerState:
        lan = replace(before.children["lan"], idle=Idle(*times) if times else None, held=held)
        return replace(before, children={**before.children, "lan": lan})

    before = peer_state()
    assert not difference(looked(10.0, 20.0), looked(20.0, 30.0))
    assert difference(looked(10.0, 20.0), looked(20.0, 30.0, held=True)).children.keys() == {"lan"}
    assert difference(looked(), looked(20.0, 30.0)).children.keys() == {"lan"}
    assert difference(looked(10.0, 20.0), looked()).children.keys() == {"lan"}


def test_when_the_kernel_is_asked_again_whether_esp_is_blocked_is_not_written() -> None:
    def at(known: OneWay | None) -> PeerState:
        return replace(whole, one_way=known)

    whole, before = peer_state(), OneWay(10.0, look_at=40.0)
    assert not difference(at(before), at(replace(before, look_at=42.0)))
    for changed in (None, replace(before, look_at=None), OneWay(12.0, look_at=42.0), replace(before, helps=True)):
        assert difference(at(before), at(changed)).head == replace(at(changed), isakmp={}, children={})
        assert difference(at(changed), at(before)).head == replace(at(before), isakmp={}, children={})


def test_only_changes_are_true() -> None:
    assert not Changes(KEY)
    assert Changes(KEY, gone=True)
    assert Changes(KEY, digest=Secret(b""))
    assert Changes(KEY, children={"lan": child_state()})


def test_what_was_stored_says_since_when_a_peer_may_have_been_silent() -> None:
    """Whenever it was heard, and whatever of it was written: never earlier than it was, and never in the future."""
    for heard in (0.0, 10.0, HEARD_EVERY - 1, HEARD_EVERY, 3 * HEARD_EVERY + 7):
        written = _heard_at(peer_state(), heard // HEARD_EVERY * HEARD_EVERY)
        for now in (heard, heard + 10, heard + 1000):
            (isakmp,) = heard_at_the_latest(written, now).isakmp.values()
            assert heard <= isakmp.heard <= min(now, heard + HEARD_EVERY)


def _heard_at(state: PeerState, heard: float) -> PeerState:
    return replace(state, isakmp={key: replace(known, heard=heard) for key, known in state.isakmp.items()})


# -- dead peer detection


def asked(state: PeerState, live: Liveness | None) -> PeerState:
    return replace(state, isakmp={COOKIES: replace(state.isakmp[COOKIES], liveness=live)})


def test_a_question_is_not_written_but_the_first_of_each_thousand() -> None:
    before = asked(peer_state(), Liveness(5000, look_at=7.0))
    assert not difference(before, asked(before, Liveness(5999, look_at=99.0, asked=8, asked_at=91.0)))
    assert difference(before, asked(before, Liveness(6000, look_at=99.0))).isakmp


def test_whether_a_peer_is_asked_at_all_is_written_at_once() -> None:
    before = asked(peer_state(), None)
    once = asked(before, Liveness(5000, look_at=7.0))
    assert difference(before, once).isakmp
    assert difference(once, asked(once, Liveness(5000))).isakmp


def test_the_next_process_counts_on_from_the_next_thousand_and_waits_for_no_answer() -> None:
    stored = asked(heard_at(peer_state(), 100.0), Liveness(5432, look_at=7.0, asked=3))
    read = heard_at_the_latest(stored, 500.0)
    assert read.isakmp[COOKIES].liveness == Liveness(6000, look_at=7.0)


def test_of_what_the_peer_asks_the_first_is_written_and_the_first_of_each_sixty_four() -> None:
    before = asked(peer_state(), Liveness(5000))
    first = asked(before, Liveness(5000, theirs=130))
    assert difference(before, first).isakmp
    assert not difference(first, asked(before, Liveness(5000, theirs=191)))
    assert difference(first, asked(before, Liveness(5000, theirs=192))).isakmp


def test_the_next_process_takes_it_that_the_peer_has_asked_up_to_the_next_that_would_be_written() -> None:
    stored = asked(heard_at(peer_state(), 100.0), Liveness(5432, theirs=130))
    read = heard_at_the_latest(stored, 500.0)
    assert read.isakmp[COOKIES].liveness == Liveness(6000, theirs=130, reserved=191)
