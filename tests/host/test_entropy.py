"""The seeded entropy of one exchange."""

import hashlib

import pytest

from ikevd.host.entropy import SeededEntropy
from tests.plugins.secrets import MARK

SEED = bytes(range(32))
STREAM = hashlib.shake_256(SEED).digest(2000)


def test_shake256_gives_the_octets_of_fips_202() -> None:
    """Of the empty message: the example values of NIST."""
    assert hashlib.shake_256(b"").hexdigest(16) == "46b9dd2b0ba88d13233b3feb743eeb24"


@pytest.mark.parametrize("counts", [(2000,), (1, 0, 15, 32, 271, 1, 680, 1000), (272, 272, 1456)], ids=str)
def test_the_octets_are_shake256_of_the_seed_however_they_are_asked_for(counts: tuple[int, ...]) -> None:
    entropy = SeededEntropy(SEED)
    assert b"".join(entropy.octets(count) for count in counts) == STREAM


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
