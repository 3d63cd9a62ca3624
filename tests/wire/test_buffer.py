"""`Reader`, the one bounds check, and `Writer`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd.errors import Malformed
from ikevd.wire.buffer import Reader, Writer


def test_fields_are_read_in_network_order() -> None:
    reader = Reader(bytes.fromhex("01 0203 04050607 0809"))
    assert (reader.u8(), reader.u16(), reader.u32(), reader.rest()) == (1, 0x0203, 0x04050607, b"\x08\x09")
    assert reader.remaining == 0


@pytest.mark.parametrize("count", [4, -1, 2**40])
def test_nothing_is_read_past_the_end_or_backwards(count: int) -> None:
    reader = Reader(b"abc", "nonce")
    with pytest.raises(Malformed, match=f"nonce: {count} octets wanted, 3 left"):
        reader.take(count)
    assert reader.offset == 0


def test_a_narrowed_reader_ends_where_the_length_says() -> None:
    reader = Reader(b"abcdef")
    with reader.within(2, "proposal 1"):
        assert reader.remaining == 2
        with pytest.raises(Malformed, match="proposal 1: 3 octets wanted, 2 left"):
            reader.take(3)
        reader.take(2)
    assert reader.rest() == b"cdef"


def test_what_is_narrowed_must_be_consumed() -> None:
    with pytest.raises(Malformed, match="proposal 1: 1 octets too many"), Reader(b"abc").within(1, "proposal 1"):
        pass


@pytest.mark.parametrize("length", [4, -1])
def test_a_narrower_part_cannot_be_longer_than_the_whole(length: int) -> None:
    reader = Reader(b"abc", "SA payload")
    with (
        pytest.raises(Malformed, match=f"proposal 1: length {length}, but 3 octets are left in SA payload"),
        reader.within(length, "proposal 1"),
    ):
        pytest.fail("never entered")


@given(st.integers(0, 255), st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=20))
def test_what_is_written_is_read_again(one: int, two: int, four: int, octets: bytes) -> None:
    reader = Reader(Writer().u8(one).u16(two).u32(four).octets(octets).done())
    assert (reader.u8(), reader.u16(), reader.u32(), reader.rest()) == (one, two, four, octets)
