"""The contract of the store, whatever it is kept on."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

import pytest

from ikevd.crypto.secret import Secret
from ikevd.peer.child_state import ChildState
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import IsakmpState
from ikevd.peer.state import PeerKey, PeerState
from ikevd.sa.model import Cookies
from ikevd.store.difference import difference
from ikevd.store.interface import Changes, ExchangeKey, ExchangeState, Placed, Store, StoredPeer
from ikevd.store.scalars import Unreadable
from tests.builders import ALICE, fqdn
from tests.store.media import Medium
from tests.store.records import (
    COOKIES,
    KEY,
    child_state,
    exchange_state,
    gates,
    isakmp_state,
    peer_state,
    refused_child,
)

QUICK_MODE, OTHER_MODE = ExchangeKey(COOKIES, 0xFFFFFFFF), ExchangeKey(COOKIES, 1)
SEED, AND_MESSAGE_2 = exchange_state(b"message 1"), exchange_state(b"message 1", b"message 2")
OTHER = exchange_state(seed=bytes([1]) * 32)
NEWER = Cookies(b"newer 01", b"newer 02")


def peers(store: Store) -> list[StoredPeer]:
    with closing(store):
        return list(store.load())


def states(store: Store) -> dict[PeerKey, PeerState]:
    return {stored.state.key: stored.state for stored in peers(store)}


def exchanges(store: Store) -> Mapping[ExchangeKey, ExchangeState]:
    (stored,) = peers(store)
    return stored.exchanges


def kept(medium: Medium, *changes: Changes) -> Store:
    """Written by one process; the next one's store."""
    store = medium.open()
    for one in changes:
        assert store.put(one) is None
    store.close()
    return medium.open()


def test_a_new_medium_holds_nothing(medium: Medium) -> None:
    assert peers(medium.open()) == []


def test_what_was_written_is_read_by_the_next_process(medium: Medium) -> None:
    assert states(kept(medium, difference(None, peer_state()))) == {KEY: peer_state()}


def test_a_record_takes_the_place_of_the_former_one(medium: Medium) -> None:
    before = peer_state()
    after = replace(before, children={**before.children, "lan": ChildState()})
    assert states(kept(medium, difference(None, before), difference(before, after))) == {KEY: after}


def test_what_is_gone_is_not_read_again(medium: Medium) -> None:
    before = peer_state()
    after = replace(before, isakmp={}, children={"voice": before.children["voice"]})
    assert states(kept(medium, difference(None, before), difference(before, after))) == {KEY: after}


def test_clients_of_one_identity_are_kept_apart(medium: Medium) -> None:
    both = [peer_state(key=replace(KEY, instance=instance), serial=instance) for instance in (1, 2)]
    assert states(kept(medium, *(difference(None, one) for one in both))) == {one.key: one for one in both}


def test_a_peer_goes_with_all_that_is_stored_of_it_and_no_other(medium: Medium) -> None:
    other = peer_state(key=PeerKey("oslo", fqdn("oslo")), isakmp={})
    both = [replace(difference(None, peer_state()), exchanges={QUICK_MODE: SEED}), difference(None, other)]
    assert states(kept(medium, *both, Changes(KEY, gone=True))) == {other.key: other}
    assert exchanges(kept(medium, Changes(other.key, gone=True), both[0])) == {QUICK_MODE: SEED}
    assert exchanges(kept(medium, Changes(KEY, gone=True), difference(None, peer_state()))) == {}


def test_isakmp_sas_are_read_oldest_first(medium: Medium) -> None:
    before = peer_state()
    after = replace(before, isakmp={**before.isakmp, NEWER: isakmp_state(NEWER)})
    renewed = replace(after, isakmp={**after.isakmp, COOKIES: replace(after.isakmp[COOKIES], unresponsive=True)})
    store = kept(medium, difference(None, before), difference(before, after), difference(after, renewed))
    assert list(states(store)[KEY].isakmp) == [COOKIES, NEWER]


def test_of_a_peer_without_a_head_the_key_is_known(medium: Medium) -> None:
    store = kept(medium, Changes(KEY, children={"lan": child_state()}))
    assert states(store) == {KEY: PeerState(KEY, children={"lan": child_state()})}


def test_several_changes_are_one_transaction(medium: Medium) -> None:
    store = medium.open()
    other = peer_state(key=PeerKey("oslo", None))
    store.put(difference(None, peer_state()), difference(None, other))
    store.close()
    assert states(medium.open()) == {KEY: peer_state(), other.key: other}


def test_the_digest_of_the_connection_stands_beside_its_peer(medium: Medium) -> None:
    first = replace(difference(None, peer_state()), digest=Secret(b"digest of berlin"))
    (stored,) = peers(kept(medium, first, Changes(KEY, children={"lan": child_state()})))
    assert stored.digest == Secret(b"digest of berlin")


def test_a_peer_may_have_no_digest(medium: Medium) -> None:
    (stored,) = peers(kept(medium, difference(None, peer_state())))
    assert stored.digest is None


# -- exchanges --------------------------------------------------------------------------------------------------------


def test_an_exchange_is_read_as_it_was_last_written(medium: Medium) -> None:
    store = kept(
        medium,
        difference(None, peer_state()),
        Changes(KEY, exchanges={QUICK_MODE: SEED, OTHER_MODE: OTHER}),
        Changes(KEY, exchanges={QUICK_MODE: AND_MESSAGE_2}, gone_exchanges=(OTHER_MODE,)),
    )
    assert exchanges(store) == {QUICK_MODE: AND_MESSAGE_2}


def test_exchanges_go_with_their_isakmp_sa(medium: Medium) -> None:
    before = peer_state(isakmp={COOKIES: isakmp_state(), NEWER: isakmp_state(NEWER)})
    newer = ExchangeKey(NEWER, 1)
    first = replace(difference(None, before), exchanges={QUICK_MODE: SEED, OTHER_MODE: SEED, newer: OTHER})
    after = replace(before, isakmp={NEWER: before.isakmp[NEWER]})
    assert exchanges(kept(medium, first, difference(before, after))) == {newer: OTHER}


# -- invalid ----------------------------------------------------------------------------------------------------------


def test_used_message_ids_are_added_up_and_go_with_their_isakmp_sa(medium: Medium) -> None:
    first = Changes(KEY, isakmp={COOKIES: isakmp_state()}, used={COOKIES: (7, 0xFFFFFFFF), NEWER: (7,)})
    (stored,) = peers(kept(medium, first, Changes(KEY, used={COOKIES: (8, 7)}), Changes(KEY, gone_isakmp=(NEWER,))))
    assert {cookies: set(used) for cookies, used in stored.used.items()} == {COOKIES: {7, 8, 0xFFFFFFFF}}


def test_a_store_that_was_made_invalid_is_not_read_again(medium: Medium) -> None:
    store = kept(medium, difference(None, peer_state()))
    assert "policies were flushed" in (store.invalidate("policies were flushed") or "")
    assert store.invalid == "policies were flushed"
    store.close()
    assert peers(medium.open()) == []


def test_an_invalid_store_writes_nothing_and_says_so_once(medium: Medium) -> None:
    store = medium.open()
    assert store.invalidate("a reason")
    assert store.invalidate("another reason") is None
    assert store.put(difference(None, peer_state())) is None
    store.close()
    assert peers(medium.open()) == []


def test_a_write_that_fails_makes_the_store_invalid(medium: Medium) -> None:
    store = kept(medium, difference(None, peer_state()))
    with medium.full():
        said = [store.put(Changes(KEY, children={f"child {n}": refused_child()})) for n in range(1000)]
    assert len([sentence for sentence in said if sentence]) == 1
    assert store.invalid
    store.close()
    assert peers(medium.open()) == []


def test_a_record_that_cannot_be_read_makes_the_store_invalid(medium: Medium) -> None:
    kept(medium, difference(None, peer_state())).close()
    medium.scribble()
    store = medium.open()
    with pytest.raises(Unreadable, match=r"no ChildState that this ikevd can read|what was sealed was changed"):
        list(store.load())
    assert store.invalid
    store.close()
    assert peers(medium.open()) == []


def test_a_closed_store_can_be_closed_again(medium: Medium) -> None:
    store = medium.open()
    store.close()
    store.close()


# -- what stands beside what the peers' records name -------------------------------------------------------------------


def placed(store: Store) -> dict[str, Placed]:
    with closing(store):
        return dict(store.placed())


def test_what_was_placed_is_read_by_the_next_process_until_it_is_gone(medium: Medium) -> None:
    store = medium.open()
    store.place({"berlin": gates(), "outside": Placed(ends=(ALICE,))})
    store.place({"berlin": None, "oslo": gates("10.9.0.0/24")})
    store.close()
    assert placed(medium.open()) == {"oslo": gates("10.9.0.0/24"), "outside": Placed(ends=(ALICE,))}


def test_what_was_placed_does_not_go_with_a_peer(medium: Medium) -> None:
    store = kept(medium, difference(None, peer_state()))
    store.place({"berlin": gates()})
    store.put(Changes(KEY, gone=True))
    store.close()
    assert placed(medium.open()) == {"berlin": gates()}


def test_nothing_placed_is_read_from_a_store_that_is_invalid(medium: Medium) -> None:
    store = medium.open()
    store.place({"berlin": gates()})
    assert store.invalidate("a test")
    assert dict(store.placed()) == {}
    assert store.place({"berlin": gates()}) is None
    store.close()
    assert placed(medium.open()) == {}


def test_a_place_that_cannot_be_written_makes_the_store_invalid(medium: Medium) -> None:
    store = medium.open()
    with medium.full():
        said = [store.place({f"berlin {n}": gates()}) for n in range(1000)]
    assert len([sentence for sentence in said if sentence]) == 1
    assert store.invalid


# -- many facts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_after_many_changes_the_next_process_reads_the_last_state(medium: Medium, seed: int) -> None:
    dice = random.Random(seed)
    store, state = medium.open(), peer_state()
    store.put(difference(None, state))
    for number in range(50):
        after = changed(state, dice, number)
        store.put(difference(state, after))
        state = after
        if dice.random() < 0.1:
            store.close()
            store = medium.open()
    store.close()
    (stored,) = peers(medium.open())
    assert stored.state == state
    assert list(stored.state.isakmp) == list(state.isakmp)


def changed(state: PeerState, dice: random.Random, number: int) -> PeerState:
    name, cookies = dice.choice("abc"), Cookies(bytes(8), bytes(7) + bytes([dice.randrange(3)]))
    match dice.randrange(5):
        case 0:
            return replace(state, children={**state.children, name: replace(child_state(), failures=number)})
        case 1:
            return replace(state, children={kept: one for kept, one in state.children.items() if kept != name})
        case 2:
            return replace(state, isakmp={**state.isakmp, cookies: _isakmp(cookies, number)})
        case 3:
            return replace(state, isakmp={kept: one for kept, one in state.isakmp.items() if kept != cookies})
        case _:
            return replace(state, serial=number, phase1=dice.choice([None, Attempt(number)]), waiting=(name,))


def _isakmp(cookies: Cookies, number: int) -> IsakmpState:
    return replace(isakmp_state(cookies), expires=float(number))
