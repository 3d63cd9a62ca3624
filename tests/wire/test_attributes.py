"""Data attributes: both forms, every width, octets unaltered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd.errors import Malformed
from ikevd.wire.attributes import MAX_ATTRIBUTES, Attribute, decode_all, encode_all
from ikevd.wire.buffer import Reader

KINDS = st.integers(0, 0x7FFF)
ATTRIBUTES = st.one_of(
    st.builds(Attribute, KINDS, st.binary(min_size=2, max_size=2), st.just(True)),
    st.builds(Attribute, KINDS, st.binary(max_size=40), st.just(False)),
)


@given(st.lists(ATTRIBUTES, max_size=8))
def test_attributes_survive_encoding(attributes: list[Attribute]) -> None:
    assert decode_all(Reader(encode_all(attributes))) == tuple(attributes)


def test_no_more_attributes_are_read_than_anyone_sends() -> None:
    most = encode_all([Attribute.number(16384, 1)] * MAX_ATTRIBUTES)
    assert len(decode_all(Reader(most))) == MAX_ATTRIBUTES
    with pytest.raises(Malformed, match="more than 64 attributes in a row"):
        decode_all(Reader(most + most))


@pytest.mark.parametrize(
    ("octets", "number"),
    [
        ("800b 0001", 1),
        ("000c 0004 00015180", 86400),
        ("000c 0003 015180", 86400),
        ("000c 0002 7080", 28800),
        ("000c 0001 3c", 60),
        ("000c 0008 0000000000015180", 86400),
        ("000c 0007 00000000015180", 86400),
    ],
)
def test_a_number_is_read_in_every_width_and_echoed_as_it_came(octets: str, number: int) -> None:
    received = bytes.fromhex(octets)
    (attribute,) = decode_all(Reader(received))
    assert attribute.as_number() == number
    assert attribute.encode() == received


@pytest.mark.parametrize("width", [0, 9, 200])
def test_no_number_has_no_octets_or_more_than_eight(width: int) -> None:
    with pytest.raises(Malformed, match=f"attribute 12 holds a number of {width} octets, not 1 to 8"):
        Attribute(12, bytes(width), basic=False).as_number()


@pytest.mark.parametrize("octets", ["80", "800b", "800b00", "000c", "000c0004", "000c0004000151", "000cffff00"])
def test_an_attribute_that_ends_early_is_malformed(octets: str) -> None:
    with pytest.raises(Malformed):
        decode_all(Reader(bytes.fromhex(octets)))


@pytest.mark.parametrize(
    ("number", "octets"),
    [
        (0xFFFF, "800cffff"),
        (0x10000, "000c000400010000"),
        (0xFFFFFFFF, "000c0004ffffffff"),
        (2**40, "000c00080000010000000000"),
    ],
)
def test_a_number_above_65535_takes_the_long_form(number: int, octets: str) -> None:
    assert Attribute.number(12, number).encode() == bytes.fromhex(octets)
