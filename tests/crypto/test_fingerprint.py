"""The fingerprint that two operators compare."""

import hashlib
import re

from ikevd.crypto.fingerprint import fingerprint, new_salt
from ikevd.crypto.secret import Secret

KEY = Secret(b"Gpu9dJwJ5qVh3yzbRkTe")


def test_equal_keys_and_words_give_equal_digits_whatever_the_capitals() -> None:
    one = fingerprint(KEY, ["bado kiru", "meza"])
    assert one == fingerprint(Secret(KEY.reveal()), ["Bado", " KIRU  meza "])
    assert re.fullmatch(r"\d\d \d\d \d\d \d\d", one)


def test_another_key_or_salt_gives_other_digits() -> None:
    known = fingerprint(KEY, ["bado kiru meza"])
    assert known != fingerprint(Secret(b"Gpu9dJwJ5qVh3yzbRkTf"), ["bado kiru meza"])
    assert known != fingerprint(KEY, ["bado kiru mezo"])


def test_it_is_scrypt_as_documented() -> None:
    salt = b"ikevd pre-shared key fingerprint 1\0bado kiru meza"
    number = int.from_bytes(hashlib.scrypt(KEY.reveal(), salt=salt, n=2**17, r=8, p=1, maxmem=2**28, dklen=16), "big")
    digits = [f"{number // 100**place % 100:02}" for place in range(4)]
    assert fingerprint(KEY, ["bado kiru meza"]) == " ".join(digits)


def test_salts_can_be_said_and_are_new() -> None:
    salts = {new_salt() for _ in range(50)}
    assert len(salts) == 50
    assert all(
        re.fullmatch(r"([b-df-hj-np-tv-z][aeiou]){2}( ([b-df-hj-np-tv-z][aeiou]){2}){2}", salt) for salt in salts
    )
