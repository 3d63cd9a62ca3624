"""The message IDs of one ISAKMP SA."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from ikevd.negotiation.message_ids import MAX_MESSAGE_IDS, MessageIds


@given(st.lists(st.integers(0, 2**32 - 1), max_size=50), st.integers(0, 2**32 - 1))
def test_an_id_is_known_once_it_was_used_and_no_other(used: list[int], other: int) -> None:
    ids = MessageIds()
    for message_id in used:
        ids.add(message_id)
    assert all(message_id in ids for message_id in used)
    assert (other in ids) == (other in used)
    assert len(ids) == len(set(used))


def test_every_message_id_is_remembered_in_four_octets() -> None:
    ids = MessageIds()
    for number in range(MAX_MESSAGE_IDS):
        assert not ids.full
        ids.add(number * 7919 % 2**16 << 16)
    assert ids.full
    assert sys.getsizeof(ids._used) < 5 * MAX_MESSAGE_IDS
