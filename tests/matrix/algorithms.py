"""The algorithms of the interop matrix, and what each peer calls them or lacks.

The words are ikevd's, which are strongSwan's. libreswan has words of its own. One is only ours: `sha256_96`
stands for SHA-256 with the option that cuts it to 96 bits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

CIPHERS = (
    "aes128",
    "aes192",
    "aes256",
    "3des",
    "des",
    "camellia128",
    "camellia192",
    "camellia256",
    "blowfish128",
    "blowfish256",
    "cast128",
)
HASHES = ("md5", "sha1", "sha256", "sha384", "sha512")
GROUPS = (
    "modp768",
    "modp1024",
    "modp1536",
    "modp2048",
    "modp3072",
    "modp4096",
    "modp6144",
    "modp8192",
    "modp1024s160",
    "modp2048s224",
    "modp2048s256",
    "ecp192",
    "ecp224",
    "ecp256",
    "ecp384",
    "ecp521",
    "ecp256bp",
    "ecp384bp",
    "ecp512bp",
    "curve25519",
    "curve448",
)
ESP = (
    *(f"{cipher}-sha256" for cipher in (*CIPHERS, "null")),
    *(f"aes128-{integrity}" for integrity in ("md5", "sha1", "sha384", "sha512", "aesxcbc")),
    "aes256-sha256_96",
    "3des-sha1",
    "des-md5",
    "null-sha1",
    *(f"aes{bits}ctr-sha256" for bits in (128, 192, 256)),
    *(f"aes{bits}{mode}{icv}" for mode in ("gcm", "ccm") for bits in (128, 192, 256) for icv in (8, 12, 16)),
    *(f"aes{bits}gmac" for bits in (128, 192, 256)),
)


SHA256_96 = "sha256_96"


_LIBRESWAN_CIPHERS: Mapping[str, str] = {
    "3des": "3des",
    "null": "null",
    **{f"{name}{bits}": f"{name}{bits}" for name in ("aes", "camellia") for bits in (128, 192, 256)},
}
_LIBRESWAN_INTEGRITIES: Mapping[str, str] = {
    "md5": "md5",
    "sha1": "sha1",
    "sha256": "sha2_256",
    SHA256_96: "sha2_256",
    "sha384": "sha2_384",
    "sha512": "sha2_512",
    "aesxcbc": "aes_xcbc",
}
_LIBRESWAN_MODES: Mapping[str, str] = {
    "ctr": "aesctr",
    "gmac": "aes_gmac",
    **{
        f"{mode}{octets}": f"aes_{mode}_{letter}"
        for mode in ("gcm", "ccm")
        for octets, letter in zip((8, 12, 16), "abc", strict=True)
    },
}
_LIBRESWAN_GROUPS: Mapping[str, str] = {
    **{f"modp{bits}": f"modp{bits}" for bits in (1536, 2048, 3072, 4096, 6144, 8192)},
    "ecp256": "dh19",
    "ecp384": "dh20",
    "ecp521": "dh21",
    "curve25519": "dh31",
}
LIBRESWAN_WITHOUT: Mapping[str, str] = {
    **dict.fromkeys(
        (f"aes{bits}gmac" for bits in (128, 192, 256)),
        "pluto 4.10 ends itself by a failed assertion when IKEv1 agreed on GMAC (esp_dst_keymat.len in kernel.c)",
    ),
    **dict.fromkeys(("des", "blowfish128", "blowfish256", "cast128"), "libreswan 4.10 has no such cipher"),
    **{
        word: "Debian's libreswan 4.10 has IKEv1 groups 5, 14 to 21 and 31 only"
        for word in GROUPS
        if word not in _LIBRESWAN_GROUPS
    },
}


LIBRESWAN_PFS = frozenset(group for group in _LIBRESWAN_GROUPS if group.startswith("modp"))
"""Its Quick Mode knows no others in IKEv1, as its list of algorithms at start says."""


def libreswan_ike(words: str) -> str:
    """`aes128-sha256-modp2048` as libreswan's `ike=` has it: `aes128-sha2_256;modp2048`."""
    cipher, hash_, group = words.split("-")
    return f"{_LIBRESWAN_CIPHERS[cipher]}-{_LIBRESWAN_INTEGRITIES[hash_]};{_LIBRESWAN_GROUPS[group]}"


def libreswan_esp(words: str) -> tuple[str, bool]:
    """`aes128-sha256-modp2048` as libreswan's `phase2alg=` has it, and whether there is perfect forward secrecy."""
    cipher, *rest = words.split("-")
    group = rest.pop() if rest and rest[-1] in GROUPS else ""
    mode = re.fullmatch(r"aes(\d+)([a-z]\w*)", cipher)
    name = f"{_LIBRESWAN_MODES[mode[2]]}{mode[1]}" if mode else _LIBRESWAN_CIPHERS[cipher]
    text = f"{name}-{_LIBRESWAN_INTEGRITIES[rest[0]] if rest else 'null'}"
    return (f"{text};{_LIBRESWAN_GROUPS[group]}", True) if group else (text, False)


def libreswan_ah(words: str) -> tuple[str, bool]:
    """`sha256-modp2048` of AH, likewise."""
    integrity, *rest = words.split("-")
    text = _LIBRESWAN_INTEGRITIES[integrity]
    return (f"{text};{_LIBRESWAN_GROUPS[rest[0]]}", True) if rest else (text, False)
