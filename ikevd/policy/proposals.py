"""The language of proposals: `aes256-sha256-modp2048`, words as strongSwan spells them.

IKE: cipher, hash, group. ESP: cipher, integrity unless the cipher authenticates by itself, and for perfect forward
secrecy a group. AH: integrity, and a group likewise. Of ESP and AH the word `esn` at the end stands for sequence
numbers of 64 bits. The others are those of `algorithms`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Generic, NoReturn, TypeVar

from ikevd.frozen import frozen
from ikevd.policy.algorithms import (
    ESP_CIPHERS,
    GROUPS,
    IKE_CIPHERS,
    IKE_HASHES,
    INTEGRITIES,
    CipherRow,
    GroupRow,
    HashRow,
)
from ikevd.policy.suites import IkeSuite, IpsecSuite
from ikevd.wire.registry import EspTransform, Group, Hash, Integrity, Protocol, Registry
from ikevd.wording import closest, either, shown

_T = TypeVar("_T")

ALIASES: Mapping[str, str] = {
    "x25519": "curve25519",
    "x448": "curve448",
    "sha": "sha1",
    "sha2": "sha256",
    **{f"sha2_{bits}": f"sha{bits}" for bits in (256, 384, 512)},
    **{word: f"{word}128" for word in ("aes", "camellia", "cast", "blowfish")},
    **{
        f"aes{bits}{mode}{icv * 8}": f"aes{bits}{mode}{icv}"
        for bits in (128, 192, 256)
        for mode in ("ccm", "gcm")
        for icv in (8, 12, 16)
    },
}
"""Other words of strongSwan and libreswan for the same."""

GROUP_ALIASES: Mapping[str, str] = {
    f"{prefix}{int(number)}": row.word for number, row in GROUPS.items() for prefix in ("group", "dh")
}
"""Cisco's `group14` and libreswan's `dh14`, for each group."""

NOT_SUPPORTED: Mapping[str, str] = {
    **dict.fromkeys(("idea", "serpent", "twofish", "aescmac", "none", "modpnone"), ""),
    **dict.fromkeys((f"camellia{bits}ctr" for bits in (128, 192, 256)), ""),
    **dict.fromkeys((f"prf{name}" for name in ("md5", "sha1", "sha256", "sha384", "sha512", "aesxcbc", "aescmac")), ""),
    "ecp224bp": "",
    "chacha20poly1305": "it has no number in IKEv1",
    "sha256_96": "write sha256, and sha256_96: true in the connection",
    "sha2_256_96": "write sha256, and sha256_96: true in the connection",
    **dict.fromkeys(("esn", "noesn"), "one of the two stands at the end of a proposal of ESP or AH"),
    "ah": "those of AH are ah_proposals of the child, for example sha256",
    **dict.fromkeys(("esp", "hmac"), "every hash is an HMAC: leave the word out"),
}
"""Words of others whose meaning is known, and what to say of them."""


ESN, NO_ESN = "esn", "noesn"
"""Sequence numbers of 64 bits, and the usual ones."""


@frozen
class _Place(Generic[_T]):
    """One place of a proposal: what its words mean, and a few that are shown to who needs one."""

    kind: str
    words: Mapping[str, _T]
    examples: Sequence[str]
    of_esp: Collection[str] = ()
    """Words that have their meaning in this place of an ESP proposal only."""


_GROUP = _Place(
    "group",
    {row.word: number for number, row in GROUPS.items()},
    ("modp2048", "modp3072", "ecp256", "ecp384", "curve25519"),
)
_INTEGRITY = _Place(
    "integrity", {row.word: number for number, row in INTEGRITIES.items()}, ("sha256", "sha384", "sha512")
)
_HASH = _Place(
    "hash",
    {row.word: number for number, row in IKE_HASHES.items()},
    ("sha256", "sha384", "sha512"),
    _INTEGRITY.words.keys(),
)
_ESP_CIPHER = _Place(
    "cipher",
    {word: (transform, bits) for transform, row in ESP_CIPHERS.items() for word, bits in row.words()},
    ("aes128", "aes256", "aes128gcm16", "aes256gcm16"),
)
_IKE_CIPHER = _Place(
    "cipher",
    {word: (cipher, bits) for cipher, row in IKE_CIPHERS.items() for word, bits in row.words()},
    ("aes128", "aes192", "aes256", "camellia256"),
    _ESP_CIPHER.words.keys(),
)
_EVERY_WORD = {*_IKE_CIPHER.words, *_ESP_CIPHER.words, *_HASH.words, *_INTEGRITY.words, *_GROUP.words}

_IKE_SHAPE = "cipher-hash-group, for example aes256-sha256-modp2048"
_AH_SHAPE = "integrity[-group], for example sha256 or, with PFS, sha256-modp2048"
_ESP_SHAPE = (
    "cipher-integrity[-group], for example aes256-sha256 or, with PFS, aes256-sha256-modp2048; "
    "or cipher[-group] where the cipher authenticates by itself, as aes256gcm16 does"
)


def parse_ike(text: str) -> IkeSuite:
    """Read a phase 1 proposal. ValueError says what came, in which place, and what would be right."""
    words = _Words(text, _IKE_SHAPE)
    cipher, key_bits = words.take(_IKE_CIPHER)
    hash_, group = words.take(_HASH), words.take(_GROUP)
    words.end(3)
    return IkeSuite(cipher, key_bits, hash_, group)


def parse_esp(text: str) -> IpsecSuite:
    """Read a phase 2 proposal; its group, for perfect forward secrecy, may be left out. ValueError as above."""
    words = _Words(text, _ESP_SHAPE)
    transform, key_bits = words.take(_ESP_CIPHER)
    alone = bool(ESP_CIPHERS[transform].icv_bits)
    if alone:
        words.refuse_integrity()
    integrity = Integrity.NONE if alone else words.take(_INTEGRITY)
    group = words.take(_GROUP) if words.remain else None
    words.end(2 if alone else 3)
    return IpsecSuite(transform, key_bits, integrity, group, esn=words.esn)


def parse_ah(text: str) -> IpsecSuite:
    """Read a phase 2 proposal of AH, likewise."""
    words = _Words(text, _AH_SHAPE)
    integrity = words.take(_INTEGRITY)
    group = words.take(_GROUP) if words.remain else None
    words.end(2)
    return IpsecSuite(EspTransform.NULL, 0, integrity, group, protocol=Protocol.AH, esn=words.esn)


def format_ike(suite: IkeSuite) -> str:
    """The suite in the same language, also where it could not be read back."""
    return f"{cipher_word(suite)}-{hash_word(suite.hash)}-{group_word(suite.group)}"


def format_esp(suite: IpsecSuite) -> str:
    """The suite of ESP or AH in the same language, also where it could not be read back."""
    row = ESP_CIPHERS.get(suite.transform)
    words = [cipher_word(suite)] if suite.protocol == Protocol.ESP else []
    if suite.integrity != Integrity.NONE or row is None or not row.icv_bits:
        words.append(integrity_word(suite.integrity))
    if suite.group is not None:
        words.append(group_word(suite.group))
    if suite.esn:
        words.append(ESN)
    return "-".join(words)


def format_suite(suite: IkeSuite | IpsecSuite) -> str:
    """`format_ike` or `format_esp`."""
    return format_ike(suite) if isinstance(suite, IkeSuite) else format_esp(suite)


def cipher_word(suite: IkeSuite | IpsecSuite) -> str:
    """`aes256`, also for what no proposal can name."""
    if isinstance(suite, IkeSuite):
        return _cipher(IKE_CIPHERS.get(suite.cipher), suite.cipher, suite.key_bits)
    return _cipher(ESP_CIPHERS.get(suite.transform), suite.transform, suite.key_bits)


def hash_word(number: Hash) -> str:
    """`sha256`, likewise."""
    return _word(IKE_HASHES.get(number), number)


def integrity_word(number: Integrity) -> str:
    """`sha256`, likewise."""
    return _word(INTEGRITIES.get(number), number)


def group_word(number: Group) -> str:
    """`modp2048`, likewise."""
    return _word(GROUPS.get(number), number)


def weaknesses(suite: IkeSuite | IpsecSuite) -> tuple[str, ...]:
    """What works but deserves a warning, in words."""
    if isinstance(suite, IkeSuite):
        cipher, hash_ = IKE_CIPHERS.get(suite.cipher), IKE_HASHES.get(suite.hash)
    else:
        cipher = ESP_CIPHERS.get(suite.transform) if suite.protocol == Protocol.ESP else None
        hash_ = INTEGRITIES.get(suite.integrity)
    group = GROUPS.get(suite.group) if suite.group is not None else None
    found = list(cipher.weaknesses(suite.key_bits)) if cipher else []
    return (*found, *(row.weak for row in (hash_, group) if row and row.weak))


class _Words:
    """The words of one proposal, taken from left to right; but for `esn` or `noesn` at the end of one of ESP or AH."""

    def __init__(self, text: str, shape: str) -> None:
        self._text = text
        self._shape = shape
        self._written = text.split("-")
        self._words = [ALIASES.get(word) or GROUP_ALIASES.get(word, word) for word in self._written]
        self._next = 0
        self.esn = self._words[-1] == ESN
        if shape != _IKE_SHAPE and self._words[-1] in (ESN, NO_ESN):
            self._words.pop()
        if not text.strip():
            raise ValueError(f"{shown(text)} is no proposal; wanted {shape}")
        if "," in text:
            items = ", ".join(item.strip() for item in text.split(","))
            raise ValueError(f"{shown(text)} holds a comma; wanted a list, one proposal an item: {shown(f'[{items}]')}")
        if re.search(r"[\s;+]", text.strip()):
            raise ValueError(f"{shown(text)} is not joined by '-' alone; wanted {shape}")

    @property
    def remain(self) -> bool:
        """Is there another word?"""
        return self._next < len(self._words)

    def take(self, place: _Place[_T]) -> _T:
        """What the next word means."""
        if not self.remain:
            raise ValueError(f"{shown(self._text)} has no {place.kind}; wanted {self._shape}")
        word = self._words[self._next]
        if word not in place.words:
            self._refuse(word, place)
        self._next += 1
        return place.words[word]

    def refuse_integrity(self) -> None:
        """The next word must not be an integrity algorithm."""
        if self.remain and self._words[self._next] in _INTEGRITY.words:
            cipher, word = self._words[self._next - 1], self._words[self._next]
            raise ValueError(
                f"{shown(self._text)}: {cipher} authenticates by itself, so there is no place for {shown(word)} "
                f"(word {self._next + 1}); wanted {cipher} or, with PFS, {cipher}-modp2048"
            )

    def end(self, most: int) -> None:
        """There are no more words."""
        if self.remain:
            raise ValueError(f"{shown(self._text)} has more than {most} words; wanted {self._shape}")

    def _refuse(self, word: str, place: _Place[_T]) -> NoReturn:
        number, text = self._next + 1, shown(self._text)
        wanted = f"wanted one such as {either(place.examples)}"
        if word in NOT_SUPPORTED:
            reason = NOT_SUPPORTED[word] or wanted
            raise ValueError(f"{text}: word {number}, {shown(word)}, is not supported by this version; {reason}")
        if word in place.of_esp:
            raise ValueError(f"{text}: word {number}, {shown(word)}, is for ESP, not for IKE; {wanted}")
        if word in _EVERY_WORD:
            raise ValueError(f"{text}: word {number} is {shown(word)}, where the {place.kind} is wanted; {wanted}")
        meant = self._torn() or closest(word, tuple(place.words))
        hint = f"did you mean {meant!r}?" if meant else wanted
        raise ValueError(f"{text} has an unknown word {shown(word)} (word {number}, the {place.kind}); {hint}")

    def _torn(self) -> str | None:
        """The word that a '-' tears in two at this place: `aes-256`, `sha-256`, `group-14`."""
        for start in (self._next - 1, self._next):
            whole = "".join(self._written[max(start, 0) : start + 2])
            if len(self._written) > start + 1 and (whole in _EVERY_WORD or whole in GROUP_ALIASES):
                return whole
        return None


def _cipher(row: CipherRow | None, number: Registry, key_bits: int) -> str:
    return row.word(key_bits) if row else f"{str(number).lower()}{key_bits or ''}"


def _word(row: HashRow | GroupRow | None, number: Registry) -> str:
    return row.word if row else str(number).lower()
