"""The message IDs of one ISAKMP SA."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ikevd.negotiation.message_ids import AT_MOST, MAX_MESSAGE_IDS, SHARE, MessageIds, Tally
from ikevd.peer.state import PeerState
from ikevd.store.interface import Changes
from tests.store.media import InFile
from tests.store.records import COOKIES, KEY, isakmp_state


@given(st.lists(st.integers(0, 2**32 - 1), max_size=50), st.integers(0, 2**32 - 1))
def test_an_id_is_known_once_it_was_used_and_no_other(used: list[int], other: int) -> None:
    ids = MessageIds()
    for message_id in used:
        ids.add(message_id)
    assert all(message_id in ids for message_id in used)
    assert (other in ids) == (other in used)
    assert len(ids) == len(set(used))


@given(st.lists(st.integers(0, 50)), st.lists(st.integers(0, 50)))
def test_many_at_once_are_as_many_one_by_one(first: list[int], then: list[int]) -> None:
    tally = Tally()
    ids = MessageIds(tally)
    for message_id in first:
        ids.add(message_id)
    ids.add_all(then)
    assert [number for number in range(51) if number in ids] == sorted({*first, *then})
    assert tally.count == len(ids)
    ids.clear()
    assert (tally.count, len(ids)) == (0, 0)


def test_every_message_id_is_remembered_in_four_octets() -> None:
    ids = MessageIds()
    for number in range(MAX_MESSAGE_IDS):
        assert not ids.full
        ids.add(number * 7919 % 2**16 << 16)
    assert ids.full
    assert sys.getsizeof(ids._used) < 5 * MAX_MESSAGE_IDS


def test_an_isakmp_sa_that_has_used_less_than_its_share_goes_on_where_another_is_used_up() -> None:
    tally = Tally()
    one, other = MessageIds(tally), MessageIds(tally)
    one.add_all(range(MAX_MESSAGE_IDS))
    other.add_all(range(SHARE - 1))
    assert (one.full, other.full) == (True, False)
    other.add(SHARE)
    assert other.full
    one.clear()
    assert not other.full


def test_of_however_many_isakmp_sas_of_one_peer_none_goes_on_without_a_bound() -> None:
    tally = Tally()
    while tally.count < AT_MOST:
        MessageIds(tally).add_all(range(SHARE - 1))
    assert MessageIds(tally).full


def test_those_of_one_peer_take_a_quarter_of_a_megabyte_in_the_store_at_most(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    file = InFile(tmp_path / "store")
    store = file.open()
    store.put(Changes(KEY, PeerState(KEY), isakmp={COOKIES: isakmp_state()}))
    before = file.path.stat().st_size
    dice = random.Random(1)
    for _ in range(AT_MOST):
        store.put(Changes(KEY, used={COOKIES: (dice.getrandbits(32),)}))
    assert file.path.stat().st_size - before <= 256 * 1024
