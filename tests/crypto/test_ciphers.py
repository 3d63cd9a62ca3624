"""CBC against vectors by others, and the chain of IVs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd.crypto.ciphers import CbcCipher, IvChain, key_length
from ikevd.crypto.secret import Secret
from ikevd.errors import Malformed
from ikevd.wire.registry import Cipher
from tests.crypto.vectors import SHIPPED, Vector, read_blocks

FILES = {
    "AES-CBCMMT128.rsp": Cipher.AES_CBC,
    "AES-CBCMMT256.rsp": Cipher.AES_CBC,
    "3DES-TCBCMMT1.rsp": Cipher.DES_CBC,
    "3DES-TCBCMMT3.rsp": Cipher.TRIPLE_DES_CBC,
    "camellia-cbc.txt": Cipher.CAMELLIA_CBC,
    "cast5-cbc.txt": Cipher.CAST_CBC,
    "cast5-ecb.txt": Cipher.CAST_CBC,
    "blowfish-cbc.txt": Cipher.BLOWFISH_CBC,
}
CASES = [
    pytest.param(
        cipher, replace(vector, values={k.upper(): v for k, v in vector.values.items()}), id=f"{file} {vector}"
    )
    for file, cipher in FILES.items()
    for vector in read_blocks(SHIPPED / file)
    if "COUNT" in vector.values
]
"""Of `cast5-ecb.txt` one block each: under an IV of zeros that is CBC too."""
KEY = Secret(bytes(range(16)))
IV = bytes(16)
BLOCKS = st.integers(1, 8).flatmap(lambda blocks: st.binary(min_size=16 * blocks, max_size=16 * blocks))


def chain() -> IvChain:
    return IvChain(CbcCipher(Cipher.AES_CBC, KEY), IV)


def key_of(cipher: Cipher, vector: Vector) -> Secret:
    names = ("KEY",) if "KEY" in vector.values else ("KEY1", "KEY2", "KEY3")
    octets = b"".join(vector.octets(name) for name in names)
    return Secret(octets[:8] if cipher == Cipher.DES_CBC else octets)


def iv_of(vector: Vector) -> bytes:
    return vector.octets("IV") if "IV" in vector.values else bytes(8)


@pytest.mark.parametrize(("cipher", "vector"), CASES)
def test_encryption_gives_the_ciphertext_of_the_vector(cipher: Cipher, vector: Vector) -> None:
    ciphertext = CbcCipher(cipher, key_of(cipher, vector)).encrypt(iv_of(vector), vector.octets("PLAINTEXT"))
    assert ciphertext == vector.octets("CIPHERTEXT")


@pytest.mark.parametrize(("cipher", "vector"), CASES)
def test_decryption_gives_the_plaintext_of_the_vector(cipher: Cipher, vector: Vector) -> None:
    plaintext = CbcCipher(cipher, key_of(cipher, vector)).decrypt(iv_of(vector), vector.octets("CIPHERTEXT"))
    assert plaintext == vector.octets("PLAINTEXT")


def test_no_vector_is_left_out() -> None:
    assert len(CASES) == 116


@pytest.mark.parametrize(
    ("cipher", "key_bits", "octets"),
    [
        (Cipher.AES_CBC, 128, 16),
        (Cipher.AES_CBC, 192, 24),
        (Cipher.AES_CBC, 256, 32),
        (Cipher.TRIPLE_DES_CBC, 0, 24),
        (Cipher.DES_CBC, 0, 8),
        (Cipher.CAMELLIA_CBC, 192, 24),
        (Cipher.CAST_CBC, 40, 5),
        (Cipher.CAST_CBC, 128, 16),
        (Cipher.BLOWFISH_CBC, 40, 5),
        (Cipher.BLOWFISH_CBC, 448, 56),
    ],
)
def test_key_length_is_in_octets(cipher: Cipher, key_bits: int, octets: int) -> None:
    assert key_length(cipher, key_bits) == octets


@pytest.mark.parametrize(
    ("cipher", "key_bits"),
    [
        (Cipher.AES_CBC, 0),
        (Cipher.AES_CBC, 64),
        (Cipher.AES_CBC, 512),
        (Cipher.TRIPLE_DES_CBC, 128),
        (Cipher.DES_CBC, 64),
        (Cipher.CAST_CBC, 32),
        (Cipher.CAST_CBC, 136),
        (Cipher.CAST_CBC, 44),
        (Cipher.BLOWFISH_CBC, 456),
    ],
)
def test_a_key_length_that_the_cipher_has_not_is_refused(cipher: Cipher, key_bits: int) -> None:
    with pytest.raises(ValueError, match=f"cipher {cipher} has no key of {key_bits} bits"):
        key_length(cipher, key_bits)


@pytest.mark.parametrize(
    ("cipher", "octets"), [(Cipher.AES_CBC, 15), (Cipher.TRIPLE_DES_CBC, 16), (Cipher.DES_CBC, 24)]
)
def test_a_key_of_another_length_is_refused(cipher: Cipher, octets: int) -> None:
    with pytest.raises(ValueError, match=f"cipher {cipher} has no key of {octets} octets"):
        CbcCipher(cipher, Secret(bytes(octets)))


def test_an_unsupported_cipher_is_named_in_the_error() -> None:
    with pytest.raises(ValueError, match="cipher IDEA_CBC is not supported"):
        CbcCipher(Cipher.IDEA_CBC, KEY)


@pytest.mark.parametrize("octets", [0, 1, 15, 17, 33])
def test_ciphertext_that_is_not_whole_blocks_is_malformed(octets: int) -> None:
    with pytest.raises(Malformed, match=f"ciphertext has {octets} octets, not whole blocks of 16"):
        chain().propose(bytes(octets))


@pytest.mark.parametrize("octets", [0, 15, 17])
def test_plaintext_without_padding_is_our_own_mistake(octets: int) -> None:
    with pytest.raises(ValueError, match=f"plaintext has {octets} octets"):
        chain().encrypt(bytes(octets))


def test_an_iv_of_another_length_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="IV has 8 octets, not 16"):
        IvChain(CbcCipher(Cipher.AES_CBC, KEY), bytes(8))


@given(st.lists(BLOCKS, max_size=6))
def test_what_one_side_encrypts_the_other_decrypts_message_by_message(messages: list[bytes]) -> None:
    ours, theirs = chain(), chain()
    for message in messages:
        proposed = theirs.propose(ours.encrypt(message))
        theirs.commit(proposed)
        assert proposed.plaintext == message
        assert theirs.iv == ours.iv


@given(forged=BLOCKS, message=BLOCKS)
def test_a_forgery_that_is_not_committed_does_no_harm(forged: bytes, message: bytes) -> None:
    ours, theirs = chain(), chain()
    theirs.propose(forged)
    assert theirs.propose(ours.encrypt(message)).plaintext == message


def test_iv_advances_to_the_last_block_that_was_sent() -> None:
    ours = chain()
    ciphertext = ours.encrypt(bytes(48))
    assert ours.iv == ciphertext[-16:]


def test_a_plaintext_does_not_show_in_a_repr() -> None:
    ours, theirs = chain(), chain()
    assert "password" not in repr(theirs.propose(ours.encrypt(b"password" * 2)))


def test_a_cipher_does_not_show_its_key() -> None:
    assert KEY.reveal().hex() not in repr(CbcCipher(Cipher.AES_CBC, KEY))
