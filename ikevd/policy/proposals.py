"""The language of proposals: `aes256-sha256-modp2048`, words as strongSwan spells them.

IKE: cipher, hash, group. ESP: cipher, integrity and, for perfect forward secrecy, a group.
This version speaks AES-CBC, SHA-1 and SHA-256, and groups 2, 14 and 31.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from ikevd.policy.model import EspSuite, IkeSuite
from ikevd.policy.wording import either, shown, suggestion
from ikevd.wire.registry import Cipher, EspTransform, Group, Hash, Integrity, Registry

_R = TypeVar("_R", bound=Registry)

KEY_BITS: Mapping[str, int] = {"aes128": 128, "aes192": 192, "aes256": 256}
HASHES: Mapping[str, Hash] = {"sha1": Hash.SHA1, "sha256": Hash.SHA2_256}
INTEGRITIES: Mapping[str, Integrity] = {"sha1": Integrity.HMAC_SHA1, "sha256": Integrity.HMAC_SHA2_256}
GROUPS: Mapping[str, Group] = {
    "modp1024": Group.MODP_1024,
    "modp2048": Group.MODP_2048,
    "curve25519": Group.CURVE25519,
}
ALIASES: Mapping[str, str] = {"x25519": "curve25519"}

# Words for what a peer may offer: shown, not accepted. One table per registry, since IANA numbers repeat.
_OTHER_CIPHERS: Mapping[Cipher, str] = {
    Cipher.DES_CBC: "des",
    Cipher.TRIPLE_DES_CBC: "3des",
    Cipher.IDEA_CBC: "idea",
    Cipher.CAST_CBC: "cast",
    Cipher.BLOWFISH_CBC: "blowfish",
    Cipher.CAMELLIA_CBC: "camellia",
}
_OTHER_TRANSFORMS: Mapping[EspTransform, str] = {
    EspTransform.DES: "des",
    EspTransform.TRIPLE_DES: "3des",
    EspTransform.BLOWFISH: "blowfish",
    EspTransform.NULL: "null",
    EspTransform.AES_CTR: "aesctr",
    EspTransform.AES_GCM_8: "aesgcm8",
    EspTransform.AES_GCM_12: "aesgcm12",
    EspTransform.AES_GCM_16: "aesgcm16",
    EspTransform.CAMELLIA: "camellia",
}
_OTHER_HASHES: Mapping[Hash, str] = {Hash.MD5: "md5", Hash.SHA2_384: "sha384", Hash.SHA2_512: "sha512"}
_OTHER_INTEGRITIES: Mapping[Integrity, str] = {
    Integrity.HMAC_MD5: "md5",
    Integrity.HMAC_SHA2_384: "sha384",
    Integrity.HMAC_SHA2_512: "sha512",
    Integrity.AES_XCBC: "aesxcbc",
}
_OTHER_GROUPS: Mapping[Group, str] = {
    Group.MODP_768: "modp768",
    Group.MODP_1536: "modp1536",
    Group.MODP_3072: "modp3072",
    Group.MODP_4096: "modp4096",
    Group.MODP_6144: "modp6144",
    Group.MODP_8192: "modp8192",
    Group.ECP_256: "ecp256",
    Group.ECP_384: "ecp384",
    Group.ECP_521: "ecp521",
    Group.CURVE448: "x448",
}
_SIZES = ("", "128", "192", "256")
NOT_SUPPORTED = frozenset(
    {*_OTHER_INTEGRITIES.values(), *_OTHER_GROUPS.values(), "curve448", "none", "modpnone", "esn", "noesn"}
    | {f"{word}{bits}" for word in ("blowfish", "camellia", "cast") for bits in _SIZES}
    | {f"aes{bits}{mode}" for bits in _SIZES for mode in ("ctr", "gmac")}
    | {f"aes{bits}{mode}{icv}" for bits in _SIZES for mode in ("gcm", "ccm") for icv in ("", "8", "12", "16")}
    | {f"aes{bits}{mode}{icv}" for bits in _SIZES for mode in ("gcm", "ccm") for icv in ("64", "96", "128")}
    | {"des", "3des", "idea", "null", "serpent", "twofish", "chacha20poly1305", "aescmac"}
    | {f"prf{name}" for name in ("md5", "sha1", "sha256", "sha384", "sha512", "aesxcbc", "aescmac")}
    | {f"ecp{bits}" for bits in (192, 224)}
    | {f"ecp{bits}bp" for bits in (224, 256, 384, 512)}
    | {"modp1024s160", "modp2048s224", "modp2048s256"}
)
"""Words of strongSwan that this version knows the meaning of and cannot do."""

_IKE = ("cipher", "hash", "group")
_ESP = ("cipher", "integrity", "group")


def parse_ike(text: str) -> IkeSuite:
    """Read a phase 1 proposal. ValueError says what came, in which place, and what would be right."""
    cipher, hash_, group = _words(text, _IKE, (tuple(KEY_BITS), tuple(HASHES), tuple(GROUPS)), 3)
    return IkeSuite(Cipher.AES_CBC, KEY_BITS[cipher], HASHES[hash_], GROUPS[group])


def parse_esp(text: str) -> EspSuite:
    """Read a phase 2 proposal; its group, for perfect forward secrecy, may be left out. ValueError as above."""
    cipher, integrity, *pfs = _words(text, _ESP, (tuple(KEY_BITS), tuple(INTEGRITIES), tuple(GROUPS)), 2)
    group = GROUPS[pfs[0]] if pfs else None
    return EspSuite(EspTransform.AES_CBC, KEY_BITS[cipher], INTEGRITIES[integrity], group)


def format_ike(suite: IkeSuite) -> str:
    """The suite in the same language, also where this version could not read it back."""
    cipher = "aes" if suite.cipher == Cipher.AES_CBC else _word(suite.cipher, {}, _OTHER_CIPHERS)
    hash_ = _word(suite.hash, HASHES, _OTHER_HASHES)
    return f"{cipher}{suite.key_bits or ''}-{hash_}-{_word(suite.group, GROUPS, _OTHER_GROUPS)}"


def format_esp(suite: EspSuite) -> str:
    """The suite in the same language, also where this version could not read it back."""
    aes = suite.transform == EspTransform.AES_CBC
    cipher = "aes" if aes else _word(suite.transform, {}, _OTHER_TRANSFORMS)
    text = f"{cipher}{suite.key_bits or ''}-{_word(suite.integrity, INTEGRITIES, _OTHER_INTEGRITIES)}"
    return text if suite.group is None else f"{text}-{_word(suite.group, GROUPS, _OTHER_GROUPS)}"


def weaknesses(suite: IkeSuite | EspSuite) -> tuple[str, ...]:
    """What works but deserves a warning, in words."""
    found = []
    if (suite.hash == Hash.SHA1) if isinstance(suite, IkeSuite) else (suite.integrity == Integrity.HMAC_SHA1):
        found.append("sha1 is deprecated")
    if suite.group == Group.MODP_1024:
        found.append("modp1024 is too short against a well-funded attacker (RFC 8247)")
    return tuple(found)


def _words(text: str, kinds: Sequence[str], known: Sequence[Sequence[str]], least: int) -> list[str]:
    words = [ALIASES.get(word, word) for word in text.split("-")]
    shape = f"{'-'.join(kinds[:least])}{'[-group]' if least == 2 else ''}"
    example = "aes256-sha256-modp2048" if least == 3 else "aes256-sha256 or, with PFS, aes256-sha256-modp2048"
    if not text.strip():
        raise ValueError(f"{shown(text)} is no proposal; wanted {shape}, for example {example}")
    for place, word in enumerate(words):
        _check_word(text, place, word, kinds, known)
    if len(words) < least:
        raise ValueError(f"{shown(text)} has no {kinds[len(words)]}; wanted {shape}, for example {example}")
    return words


def _check_word(text: str, place: int, word: str, kinds: Sequence[str], known: Sequence[Sequence[str]]) -> None:
    if place >= len(kinds):
        raise ValueError(f"{shown(text)} has more than {len(kinds)} words; wanted {'-'.join(kinds)}")
    if word in known[place]:
        return
    wanted = either(known[place])
    if word in NOT_SUPPORTED:
        raise ValueError(
            f"{shown(text)}: word {place + 1}, {shown(word)}, is not supported by this version; wanted {wanted}"
        )
    if any(word in others for others in known):
        raise ValueError(
            f"{shown(text)}: word {place + 1} is {shown(word)}, where the {kinds[place]} is wanted: {wanted}"
        )
    raise ValueError(
        f"{shown(text)} has an unknown word {shown(word)} (word {place + 1}, the {kinds[place]}); "
        f"{suggestion(word, known[place])}"
    )


def _word(value: _R, own: Mapping[str, _R], other: Mapping[_R, str]) -> str:
    for word, meaning in own.items():
        if value == meaning:
            return word
    return other.get(value, str(value).lower())
