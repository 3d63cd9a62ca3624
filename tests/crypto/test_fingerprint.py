"""The fingerprint that two operators compare."""

import hashlib
import re

import pytest

from ikevd.crypto.fingerprint import fingerprint, new_salt, read_salt
from ikevd.crypto.secret import Secret

CHECK_WORD = "papa"
"""Of `bado kiru meza`: both ends must agree on it, whatever the version."""
KEY = Secret(b"Gpu9dJwJ5qVh3yzbRkTe")


@pytest.fixture(scope="module")
def known() -> str:
    """Of KEY with `bado kiru meza`: each fingerprint costs a third of a second, as it shall."""
    return fingerprint(KEY, ["bado kiru meza"])


def test_equal_keys_and_words_give_equal_digits_whatever_the_capitals(known: str) -> None:
    assert fingerprint(Secret(KEY.reveal()), ["Bado", " KIRU  meza "]) == known
    assert re.fullmatch(r"\d\d \d\d \d\d \d\d", known)


@pytest.mark.long
def test_another_key_or_salt_gives_other_digits(known: str) -> None:
    assert known != fingerprint(Secret(b"Gpu9dJwJ5qVh3yzbRkTf"), ["bado kiru meza"])
    assert known != fingerprint(KEY, ["bado kiru mezo"])


def test_it_is_scrypt_as_documented(known: str) -> None:
    salt = b"ikevd pre-shared key fingerprint 1\0bado kiru meza"
    number = int.from_bytes(hashlib.scrypt(KEY.reveal(), salt=salt, n=2**17, r=8, p=1, maxmem=2**28, dklen=16), "big")
    digits = [f"{number // 100**place % 100:02}" for place in range(4)]
    assert known == " ".join(digits)


def test_salts_can_be_said_and_are_new() -> None:
    salts = {new_salt() for _ in range(50)}
    assert len(salts) == 50
    assert all(
        re.fullmatch(r"([b-df-hj-np-tv-z][aeiou]){2}( ([b-df-hj-np-tv-z][aeiou]){2}){3}", salt) for salt in salts
    )


def test_a_salt_is_read_whatever_its_capitals_and_spaces() -> None:
    for _ in range(50):
        salt = new_salt()
        assert read_salt(f"  {salt.upper().replace(' ', '  ')} ") == salt


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("", "has 0 words; wanted the 4 words"),
        ("no such words", "has 3 words; wanted the 4 words"),
        ("there are no words", "the word 'there' is in no salt"),
        ("bado kiru meza bado bado", "has 5 words"),
        ("bado kiru meza bad\u00f3", "is in no salt"),
    ],
)
def test_what_no_salt_looks_like_is_refused(said: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_salt(said)


@pytest.mark.parametrize(
    "slip", ["pado kiru meza", "bado kiro meza", "bado kiru mesa", "kiru bado meza", "bado ruki meza"]
)
def test_a_misheard_salt_is_noticed(slip: str) -> None:
    assert read_salt(f"bado kiru meza {CHECK_WORD}") == f"bado kiru meza {CHECK_WORD}"
    with pytest.raises(ValueError, match="a word of the salt is wrong"):
        read_salt(f"{slip} {CHECK_WORD}")
    with pytest.raises(ValueError, match="a word of the salt is wrong"):
        read_salt("bado kiru meza bado")
