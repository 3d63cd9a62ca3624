"""The seeded entropy of one exchange."""

import pytest

from ikevd.host.entropy import SeededEntropy
from tests.plugins.secrets import MARK

KEY_STREAM = "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7da41597c5157488d7724e03fb8d84a37"
"""Of the key and the nonce zero: RFC 8439 appendix A.1, test vector 1."""


def test_the_octets_are_the_key_stream_of_rfc_8439() -> None:
    assert SeededEntropy(bytes(32)).octets(48).hex() == KEY_STREAM


def test_the_stream_goes_on_however_it_is_cut() -> None:
    entropy = SeededEntropy(bytes(32))
    assert b"".join(entropy.octets(count) for count in (1, 0, 15, 32)).hex() == KEY_STREAM


def test_the_same_seed_gives_the_same_octets_and_another_gives_others() -> None:
    ours, again, other = (SeededEntropy(bytes([n]) * 32).octets(32) for n in (1, 1, 2))
    assert ours == again != other


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_seed_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"a seed has 32 octets, not {size}"):
        SeededEntropy(bytes(size))


def test_its_repr_shows_nothing_of_the_seed() -> None:
    entropy = SeededEntropy(MARK.ljust(32).encode()[:32])
    entropy.octets(8)
    assert repr(entropy) == "<SeededEntropy>"
