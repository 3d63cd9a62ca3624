"""The seam to finite-field Diffie-Hellman: the primes, and that both ways to compute agree."""

import subprocess
import sys
from pathlib import Path

import pytest

from ikevd.crypto import modp
from ikevd.wire.registry import Group
from tests.crypto.vectors import SHIPPED, read_blocks, read_json

GROUPS = pytest.mark.parametrize("group", modp.PARAMETERS, ids=str)
NAMED = pytest.mark.parametrize("group", [group for group, row in modp.PARAMETERS.items() if row.named], ids=str)
EXPONENT = 0x76E02FC3EABE6A0FCED6C31E5945D167FAD00200B4AF12CD6FC6D7E381486278


def test_primes_of_rfc_3526_are_those_of_the_rfc() -> None:
    primes = {int(v.values["P"], 16).bit_length(): int(v.values["P"], 16) for v in read_blocks(SHIPPED / "rfc3526.txt")}
    ours = {row.bits: row.prime for group, row in modp.PARAMETERS.items() if group != Group.MODP_1024}
    assert ours == {bits: primes[bits] for bits in ours}


@GROUPS
def test_prime_has_as_many_bits_as_its_group(group: Group) -> None:
    assert modp.PARAMETERS[group].prime.bit_length() == modp.PARAMETERS[group].bits == int(group.name[5:])


@pytest.mark.parametrize(
    ("name", "group"),
    [("modp1024", Group.MODP_1024), ("modp2048", Group.MODP_2048), ("modp4096", Group.MODP_4096)],
)
def test_pow_gives_the_public_values_and_secrets_of_the_vectors(testdata: Path, name: str, group: Group) -> None:
    (vector,) = (v for v in read_json(testdata / "vectors" / "dh.json") if v["name"] == name)
    ours = modp.PowKey(modp.PARAMETERS[group], int(vector["priv_i"], 16))
    theirs = modp.PowKey(modp.PARAMETERS[group], int(vector["priv_r"], 16))
    shared = int(vector["shared"], 16)
    assert (ours.public, theirs.public) == (int(vector["pub_i"], 16), int(vector["pub_r"], 16))
    assert (ours.shared(theirs.public), theirs.shared(ours.public)) == (shared, shared)


@GROUPS
def test_two_keys_agree_without_the_library(group: Group) -> None:
    ours, theirs = (modp.new_key(modp.PARAMETERS[group], library=None) for _ in range(2))
    assert ours.shared(theirs.public) == theirs.shared(ours.public)


@NAMED
def test_library_and_pow_agree(group: Group) -> None:
    by_pow = modp.PowKey(modp.PARAMETERS[group], EXPONENT)
    by_library = modp.new_key(modp.PARAMETERS[group])
    assert isinstance(by_library, modp.LibraryKey)
    assert by_library.shared(by_pow.public) == by_pow.shared(by_library.public)


def test_group_2_never_waits_for_the_primality_test_of_the_library() -> None:
    assert isinstance(modp.new_key(modp.PARAMETERS[Group.MODP_1024]), modp.PowKey)


@GROUPS
def test_each_key_is_fresh(group: Group) -> None:
    first, second = (modp.new_key(modp.PARAMETERS[group]).public for _ in range(2))
    assert first != second


def test_library_is_missed_quietly() -> None:
    assert modp.find_library(("ikevd.no_such_module", "ikevd.errors")) is None


def test_first_module_that_has_the_names_is_taken() -> None:
    found = modp.find_library(("ikevd.no_such_module", "cryptography.hazmat.primitives.asymmetric.dh"))
    assert found == modp.LIBRARY
    assert found is not None


def test_deprecation_of_the_library_is_not_shown() -> None:
    script = "from ikevd.crypto import groups; from ikevd.wire.registry import Group\n"
    script += "ours, theirs = (groups.generate(Group.MODP_2048) for _ in range(2)); ours.shared(theirs.public)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
