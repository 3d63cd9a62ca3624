"""A fingerprint of a pre-shared key that two operators compare by phone."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

from ikevd.crypto.secret import Secret

CONTEXT = b"ikevd pre-shared key fingerprint 1\0"
COST, BLOCK, LANES = 2**17, 8, 1
"""scrypt (RFC 7914): 128 MiB and some tenths of a second for each guess."""
GROUPS = 4
DIGITS = 2
"""Of each group. Eight digits tell one typing error from another; more would only help whoever guesses."""
SALT_WORDS = 3
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"


def fingerprint(key: Secret, salt: Sequence[str]) -> str:
    """`48 21 09 37`: scrypt over the key with words that both operators say, whatever their capitals."""
    words = " ".join(salt).lower().split()
    octets = hashlib.scrypt(
        key.reveal(),
        salt=CONTEXT + " ".join(words).encode(),
        n=COST,
        r=BLOCK,
        p=LANES,
        maxmem=2 * 128 * COST * BLOCK,
        dklen=16,
    )
    number = int.from_bytes(octets, "big")
    groups = []
    for _ in range(GROUPS):
        number, group = divmod(number, 10**DIGITS)
        groups.append(f"{group:0{DIGITS}}")
    return " ".join(groups)


def new_salt() -> str:
    """Words that can be said by phone, new each time, for example `bado kiru meza`: 36 bits."""
    return " ".join(_syllable() + _syllable() for _ in range(SALT_WORDS))


def _syllable() -> str:
    return secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS)
