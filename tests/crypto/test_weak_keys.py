"""Weak keys of DES, shown by the cipher itself, and what RFC 2409 makes of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd.crypto import keys, weak_keys
from ikevd.crypto.ciphers import CbcCipher
from ikevd.crypto.secret import Secret
from ikevd.crypto.weak_keys import is_weak_des_key, is_weak_triple_des_key
from ikevd.errors import InvalidKey
from ikevd.wire.registry import Cipher, Hash

WEAK = bytes.fromhex("0101010101010101")
SEMI_WEAK = bytes.fromhex("01fe01fe01fe01fe")
GOOD = bytes.fromhex("133457799bbcdff1")
BLOCK, IV = b"one bloc", bytes(8)


def encrypted(key: bytes, block: bytes) -> bytes:
    return CbcCipher(Cipher.DES_CBC, Secret(key)).encrypt(IV, block)


def test_there_are_4_weak_and_12_semi_weak_keys() -> None:
    own_inverse = [key for key in weak_keys._DES if encrypted(key, encrypted(key, BLOCK)) == BLOCK]
    assert (len(weak_keys._DES), len(own_inverse)) == (16, 4)


@pytest.mark.parametrize("key", sorted(weak_keys._DES), ids=bytes.hex)
def test_each_of_them_undoes_one_of_them(key: bytes) -> None:
    assert any(encrypted(other, encrypted(key, BLOCK)) == BLOCK for other in weak_keys._DES)


@given(st.integers(0, 255))
def test_parity_does_not_make_a_weak_key_good(flips: int) -> None:
    assert is_weak_des_key(bytes(octet ^ (flips >> place & 1) for place, octet in enumerate(SEMI_WEAK)))


def test_other_keys_are_good() -> None:
    assert not is_weak_des_key(GOOD)


@pytest.mark.parametrize(
    ("key", "weak"),
    [
        (GOOD + SEMI_WEAK + GOOD, False),
        (GOOD + GOOD + SEMI_WEAK, True),
        (SEMI_WEAK + GOOD + GOOD, True),
        (GOOD + bytes(octet ^ 1 for octet in GOOD) + SEMI_WEAK, True),
    ],
)
def test_two_equal_neighbours_make_3des_weak(key: bytes, weak: bool) -> None:
    assert is_weak_triple_des_key(key) is weak


@pytest.mark.parametrize("before", [b"", WEAK, WEAK + SEMI_WEAK])
def test_the_key_of_an_isakmp_sa_is_the_first_good_slice_of_skeyid_e(before: bytes) -> None:
    key = keys.isakmp_key(Hash.SHA2_256, Secret(before + GOOD + WEAK), Cipher.DES_CBC, 0)
    assert key.reveal() == GOOD


def test_no_good_slice_is_an_invalid_key() -> None:
    with pytest.raises(InvalidKey, match="only weak DES keys"):
        keys.isakmp_key(Hash.SHA1, Secret(WEAK + SEMI_WEAK + GOOD[:4]), Cipher.DES_CBC, 0)


@pytest.mark.parametrize(
    ("cipher", "key_bits", "length"),
    [(Cipher.AES_CBC, 256, 32), (Cipher.TRIPLE_DES_CBC, 0, 24), (Cipher.CAST_CBC, 40, 5)],
)
def test_other_ciphers_take_the_key_of_appendix_b(cipher: Cipher, key_bits: int, length: int) -> None:
    skeyid_e = Secret(WEAK * 2 + b"last")
    assert keys.isakmp_key(Hash.SHA1, skeyid_e, cipher, key_bits) == keys.cipher_key(Hash.SHA1, skeyid_e, length)
