"""A fingerprint of a pre-shared key that two operators compare by phone."""

from __future__ import annotations

import hashlib
import re
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
"""36 bits, and a word more to check them by."""
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_SYLLABLES = [consonant + vowel for consonant in _CONSONANTS for vowel in _VOWELS]
_WORDS = len(_SYLLABLES) ** 2
_SAID = re.compile(f"([{_CONSONANTS}][{_VOWELS}]){{2}}")


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
    """Words that can be said by phone, new each time, for example `bado kiru meza papa`: 36 bits, and a check word."""
    words = [_word(secrets.randbelow(_WORDS)) for _ in range(SALT_WORDS)]
    return " ".join([*words, _check_word(words)])


def read_salt(said: str) -> str:
    """The words of `new_salt` as they were heard, whatever their capitals. ValueError for others, and for a slip."""
    words = said.lower().split()
    wanted = f"wanted the {SALT_WORDS + 1} words that `ikevd fingerprint` showed at the other end"
    if len(words) != SALT_WORDS + 1:
        raise ValueError(f"the salt has {len(words)} words; {wanted}")
    for word in words:
        if not _SAID.fullmatch(word):
            raise ValueError(f"the word {word[:20]!r} is in no salt; {wanted}")
    if words[-1] != _check_word(words[:-1]):
        raise ValueError(f"a word of the salt is wrong, or they stand in another order; {wanted}")
    return " ".join(words)


def _word(number: int) -> str:
    """Two syllables, for a number below `_WORDS`."""
    first, second = divmod(number, len(_SYLLABLES))
    return _SYLLABLES[first] + _SYLLABLES[second]


def _check_word(words: Sequence[str]) -> str:
    """A slip in the others asks for another one; of 4,900 slips about one does not."""
    digest = hashlib.sha256(CONTEXT + " ".join(words).encode()).digest()
    return _word(int.from_bytes(digest, "big") % _WORDS)
