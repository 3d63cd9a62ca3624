"""What a pre-shared key looks like, without telling it: length, kinds of characters, and how hard it is to guess.

A passive listener (Aggressive Mode) or one who plays responder (Main Mode) can guess keys offline (CVE-2002-1623,
CVE-2018-5389), beginning with words, names, keyboard runs and repetitions. So these count for little here.
"""

from __future__ import annotations

import math
import re

from ikevd.frozen import frozen

SHORT = 20
"""Fewer random characters fall to an offline dictionary attack (CVE-2018-5389)."""
SHORT_BINARY = 16
FEW_DIFFERENT = 8
WEAK_BITS = 90
DOUBTED = 0.6
"""Of the bits that a random key of this length and these kinds has; of 20,000 random ones of 128 bits 33 have less."""
WORD_BITS = 14.0
"""A word of a large dictionary, with its capitals."""
YEAR_BITS = 7.0
RUN_BITS = 1.0
"""A character that goes on a run (the same again, the next one of an alphabet or keyboard row), or separates words."""

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz"
"""What `ikevd genpsk` draws from: letters and digits that are not taken for one another, so that a key can be read
aloud, and that neither YAML nor a Cisco command line takes for anything else; 0 is not among them, so no key begins
with 0x or 0s."""
KINDS_OF_ALPHABET = 3

SEPARATORS = " -_."

CURE = "may be guessed offline (CVE-2018-5389); wanted a random one, for example from: ikevd genpsk"

_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "qwertzuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
)
_KINDS = (
    ("lower case letters", re.compile("[a-z]"), 26),
    ("upper case letters", re.compile("[A-Z]"), 26),
    ("digits", re.compile("[0-9]"), 10),
    ("other signs", re.compile(r"[^A-Za-z0-9\x80-\U0010ffff]"), 33),
    ("signs outside ASCII", re.compile("[\x80-\U0010ffff]"), 100),
)
_TOKENS = re.compile(r"[A-Z]?[a-z]{3,}|[A-Z]{4,}|(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])|.", re.DOTALL)


@frozen
class Form:
    """For the operator's eyes: `description` tells about the key, so it belongs on a screen and into no log."""

    description: str
    weakness: str | None
    """Why it may be guessed, or None; tells no exact length."""
    doubted: bool = False
    """It looks like words, runs or repetitions, or is weak."""


def form(key: bytes, *, text: bool) -> Form:
    """`text`: the key was written as it is, not in hexadecimal or base64."""
    characters = _decoded(key) if text else None
    return _form_of_octets(key) if characters is None else _form_of_text(characters)


def _decoded(key: bytes) -> str | None:
    try:
        return key.decode()
    except UnicodeDecodeError:
        return None


def _form_of_octets(key: bytes) -> Form:
    weakness = None
    if len(key) < SHORT_BINARY:
        weakness = f"is shorter than {SHORT_BINARY} octets and {CURE}"
    elif len(set(key)) < FEW_DIFFERENT:
        weakness = f"is made of few different octets and {CURE}"
    description = f"{len(key)} octets, {8 * len(key)} bits if they were drawn at random"
    return Form(description, weakness, weakness is not None)


def _form_of_text(text: str) -> Form:
    kinds = [name for name, pattern, _ in _KINDS if pattern.search(text)]
    most, likely = random_bits(text), guessing_bits(text)
    description = f"{len(text)} characters ({', '.join(kinds)}), about {most} bits if they were drawn at random"
    patterned = likely < DOUBTED * most
    if patterned:
        description += f"; but it looks like words, runs or repetitions, about {likely:.0f} bits"
    weakness = _weakness(text, most, likely)
    return Form(description, weakness, patterned or weakness is not None)


def _weakness(text: str, most: int, likely: float) -> str | None:
    if text.strip() != text:
        return "begins or ends with white space, which belongs to the key as it stands; is that meant?"
    if len(text) < SHORT:
        return f"is shorter than {SHORT} characters and {CURE}"
    if len(set(text)) < FEW_DIFFERENT or most < WEAK_BITS:
        return f"is made of few different characters and {CURE}"
    if likely < WEAK_BITS:
        return f"looks like words, runs or repetitions and {CURE}"
    return None


def random_bits(text: str) -> int:
    """How many whole bits the text holds if each of its characters was drawn at random from all of their kinds."""
    return math.floor(len(text) * _bits_each(text))


def guessing_bits(text: str) -> float:
    """About how many bits somebody must guess who tries words, runs and repetitions first. A rough estimate."""
    text = _period(text)
    each, bits = _bits_each(text), 0.0
    for match in _TOKENS.finditer(text):
        if len(match[0]) == 4 and match[0].isdecimal():
            bits += YEAR_BITS
        elif _is_word(match[0]):
            bits += min(WORD_BITS, len(match[0]) * each)
        else:
            bits += sum(RUN_BITS if _is_cheap(text, at) else each for at in range(*match.span()))
    return bits


def _bits_each(text: str) -> float:
    """Bits of each character, if all kinds that occur were drawn from, or the alphabet of `ikevd genpsk`."""
    sizes = [count for _, pattern, count in _KINDS if pattern.search(text)]
    if len(sizes) == KINDS_OF_ALPHABET and set(text) <= set(ALPHABET):
        return math.log2(len(ALPHABET))
    size = sum(sizes)
    return math.log2(size) if size else 0.0


def _period(text: str) -> str:
    """`abcabcabc` is `abc`."""
    length = (text + text).find(text, 1)
    return text[:length] if 0 < length < len(text) else text


def _is_word(token: str) -> bool:
    """Pronounceable, in lower case, in capitals or with one in front."""
    if len(token) < 4 or not (token.islower() or token.isupper() or token.istitle()):
        return False
    lower = token.lower()
    vowels = sum(letter in "aeiouy" for letter in lower) / len(lower)
    return 0.2 <= vowels <= 0.7 and not re.search("[^aeiouy]{5}", lower)


def _is_cheap(text: str, at: int) -> bool:
    """A separator, or at least the third character of a run."""
    return text[at] in SEPARATORS or (at >= 2 and _goes_on(text[at - 2 : at]) and _goes_on(text[at - 1 : at + 1]))


def _goes_on(pair: str) -> bool:
    lower = pair.lower()
    return lower[0] == lower[-1] or any(lower in row or lower[::-1] in row for row in _ROWS)
