"""From entropy to private values: every value, none likelier than another, the same for the same octets."""

from collections import Counter

import pytest

from ikevd.crypto.private_values import Octets, of_length, one_to
from tests.builders import SeededEntropy


def all_of(octet: int) -> Octets:
    """Entropy of one octet, again and again."""
    return lambda count: bytes([octet]) * count


@pytest.mark.parametrize("order", [2, 3, 7, 256, 257])
def test_every_number_below_the_order_comes_up(order: int) -> None:
    octets = SeededEntropy().octets
    assert {one_to(order, octets) for _ in range(20 * order)} == set(range(1, order))


def test_no_number_is_likelier_than_another() -> None:
    octets = SeededEntropy().octets
    seen = Counter(one_to(7, octets) for _ in range(6000))
    assert all(abs(times - 1000) < 150 for times in seen.values())


@pytest.mark.parametrize("bits", [1, 7, 8, 9, 225, 256])
def test_a_number_of_so_many_bits_has_as_many_whatever_the_entropy(bits: int) -> None:
    assert {of_length(bits, all_of(octet)).bit_length() for octet in (0x00, 0x55, 0xFF)} == {bits}


def test_all_lower_bits_are_of_the_entropy() -> None:
    assert of_length(9, all_of(0x00)) == 0x100
    assert of_length(9, all_of(0xFF)) == 0x1FF
