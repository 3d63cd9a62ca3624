"""Hash and prf against RFC 2202 and RFC 4231."""

import hashlib

import pytest

from ikevd.crypto.primitives import digest, equal, hash_size, prf
from ikevd.wire.registry import Hash
from tests.crypto.vectors import HASHES, SHIPPED, Vector, read_blocks

FILES = {
    Hash.MD5: "rfc-2202-md5.txt",
    Hash.SHA1: "rfc-2202-sha1.txt",
    Hash.SHA2_256: "rfc-4231-sha256.txt",
    Hash.SHA2_512: "rfc-4231-sha512.txt",
}
CASES = [
    pytest.param(hash, vector, id=f"{hash}-{number}")
    for hash, file in FILES.items()
    for number, vector in enumerate(read_blocks(SHIPPED / file), 1)
]


@pytest.mark.parametrize(("hash", "vector"), CASES)
def test_prf_is_the_hmac_of_the_rfcs(hash: Hash, vector: Vector) -> None:
    assert prf(hash, vector.octets("Key"), vector.octets("Msg")) == vector.octets("MD")


def test_no_hmac_case_is_left_out() -> None:
    assert len(CASES) == 26


def test_prf_with_sha384_is_rfc_4231_case_2() -> None:
    expected = "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"
    assert prf(Hash.SHA2_384, b"Jefe", b"what do ya want for nothing?").hex() == expected


@pytest.mark.parametrize(("name", "hash"), HASHES.items())
def test_digest_is_the_named_hash(name: str, hash: Hash) -> None:
    assert digest(hash, b"abc") == hashlib.new(name, b"abc").digest()


@pytest.mark.parametrize("hash", HASHES.values())
def test_hash_size_is_the_length_of_digest_and_prf(hash: Hash) -> None:
    assert hash_size(hash) == len(digest(hash, b"")) == len(prf(hash, b"", b""))


def test_an_unknown_hash_is_named_in_the_error() -> None:
    with pytest.raises(ValueError, match="hash TIGER is not supported"):
        hash_size(Hash.TIGER)


def test_equal_tells_equal_from_different() -> None:
    assert equal(b"same", b"same")
    assert not equal(b"same", b"sane")


def test_equal_tells_a_prefix_from_the_whole() -> None:
    assert not equal(b"same", b"sam")
