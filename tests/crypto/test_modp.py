"""The seam to finite-field Diffie-Hellman: the primes, and that both ways to compute agree."""

import os
import subprocess
import sys
from fractions import Fraction
from types import ModuleType

import pytest

from ikevd.crypto import modp
from ikevd.wire.registry import Group
from tests.crypto.vectors import SHIPPED, read_blocks

GROUPS = pytest.mark.parametrize("group", modp.PARAMETERS, ids=str)
NAMED = pytest.mark.parametrize("group", [group for group, row in modp.PARAMETERS.items() if row.by_library], ids=str)
EXPONENT = 0x76E02FC3EABE6A0FCED6C31E5945D167FAD00200B4AF12CD6FC6D7E381486278


def fresh(group: Group) -> modp.Key:
    row = modp.PARAMETERS[group]
    return modp.key_of(row, modp.new_exponent(row, os.urandom))


def test_primes_of_rfc_3526_are_those_of_the_rfc() -> None:
    primes = {int(v.values["P"], 16).bit_length(): int(v.values["P"], 16) for v in read_blocks(SHIPPED / "rfc3526.txt")}
    ours = {row.bits: row.prime for group, row in modp.PARAMETERS.items() if group == 5 or 14 <= group <= 18}
    assert ours == primes


@GROUPS
def test_prime_has_as_many_bits_as_its_group(group: Group) -> None:
    assert modp.PARAMETERS[group].prime.bit_length() == modp.PARAMETERS[group].bits == int(group.name[5:9].strip("_"))


@GROUPS
def test_two_keys_agree_without_the_library(group: Group) -> None:
    row = modp.PARAMETERS[group]
    ours, theirs = (modp.key_of(row, modp.new_exponent(row, os.urandom), library=None) for _ in range(2))
    assert ours.shared(theirs.public) == theirs.shared(ours.public)


@NAMED
def test_library_and_pow_agree(group: Group) -> None:
    by_pow = modp.PowKey(modp.PARAMETERS[group], EXPONENT)
    by_library = modp.key_of(modp.PARAMETERS[group], EXPONENT)
    assert isinstance(by_library, modp.LibraryKey)
    assert by_library.public == by_pow.public
    other = modp.PowKey(modp.PARAMETERS[group], EXPONENT + 1)
    assert by_library.shared(other.public) == by_pow.shared(other.public)


@pytest.mark.parametrize("group", [Group.MODP_768, Group.MODP_1024], ids=str)
def test_groups_1_and_2_never_wait_for_the_primality_test_of_the_library(group: Group) -> None:
    assert isinstance(fresh(group), modp.PowKey)


@GROUPS
def test_an_exponent_of_ours_is_short(group: Group) -> None:
    """RFC 3526 section 8: twice the strength is enough; the whole length costs three times as much."""
    row = modp.PARAMETERS[group]
    exponents = [modp.new_exponent(row, os.urandom) for _ in range(20)]
    assert all(0 < x < (row.order or row.prime) for x in exponents)
    assert {x.bit_length() for x in exponents} <= set(range(row.exponent_bits - 20, row.exponent_bits + 1))
    assert row.exponent_bits <= row.bits // 3


def test_a_module_without_powmod_sec_leaves_pow() -> None:
    assert modp.find_power("ikevd.no_such_module") is pow
    assert modp.find_power("ikevd.errors") is pow


def test_powmod_sec_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """gmpy2 gives numbers of its own; a module of the same shape stands for it where it is not installed."""
    stand_in = ModuleType("stand_in")
    stand_in.powmod_sec = lambda x, y, m: Fraction(pow(x, y, m))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "stand_in", stand_in)
    power = modp.find_power("stand_in")
    assert (power(2, 10, 1000), type(power(2, 10, 1000))) == (24, int)


@GROUPS
def test_each_key_is_fresh(group: Group) -> None:
    first, second = (fresh(group).public for _ in range(2))
    assert first != second


def test_library_is_missed_quietly() -> None:
    assert modp.find_library(("ikevd.no_such_module", "ikevd.errors")) is None


def test_first_module_that_has_the_names_is_taken() -> None:
    found = modp.find_library(("ikevd.no_such_module", "cryptography.hazmat.primitives.asymmetric.dh"))
    assert found == modp.LIBRARY
    assert found is not None


def test_deprecation_of_the_library_is_not_shown() -> None:
    script = "import os; from ikevd.crypto import groups; from ikevd.wire.registry import Group\n"
    script += (
        "ours, theirs = (groups.generate(Group.MODP_2048, os.urandom) for _ in range(2)); ours.shared(theirs.public)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
