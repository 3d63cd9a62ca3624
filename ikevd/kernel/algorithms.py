"""What the Linux kernel calls the algorithms of ESP."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from ikevd.errors import KernelRefused
from ikevd.policy.model import EspSuite
from ikevd.wire.registry import EspTransform, Integrity

_CIPHERS = {
    EspTransform.DES: ("cbc(des)", 64),
    EspTransform.TRIPLE_DES: ("cbc(des3_ede)", 192),
    EspTransform.BLOWFISH: ("cbc(blowfish)", 128),
    EspTransform.AES_CBC: ("cbc(aes)", 128),
    EspTransform.CAMELLIA: ("cbc(camellia)", 128),
}
"""Name, and key length where the transform has no Key Length attribute."""

_INTEGRITY = {
    Integrity.HMAC_MD5: ("hmac(md5)", 128, 96),  # RFC 2403
    Integrity.HMAC_SHA1: ("hmac(sha1)", 160, 96),  # RFC 2404
    Integrity.HMAC_SHA2_256: ("hmac(sha256)", 256, 128),  # RFC 4868; the kernel alone would take 96
    Integrity.HMAC_SHA2_384: ("hmac(sha384)", 384, 192),
    Integrity.HMAC_SHA2_512: ("hmac(sha512)", 512, 256),
}
"""Name, key length and length of the ICV."""


@dataclass(frozen=True, slots=True)
class KernelAlgorithms:
    """A cipher and a MAC as XFRM wants them; all lengths in bits."""

    cipher: str
    cipher_key_bits: int
    mac: str
    mac_key_bits: int
    icv_bits: int

    def __str__(self) -> str:
        return f"{self.cipher} with {self.mac}"


def kernel_algorithms(suite: EspSuite) -> KernelAlgorithms:
    """The kernel's names for a suite. Raises `KernelRefused` for one that has none here."""
    if suite.transform not in _CIPHERS:
        raise KernelRefused(f"no kernel algorithm is known for ESP transform {suite.transform}", errno.ENOSYS)
    if suite.integrity not in _INTEGRITY:
        raise KernelRefused(f"no kernel algorithm is known for ESP integrity {suite.integrity}", errno.ENOSYS)
    cipher, usual_bits = _CIPHERS[suite.transform]
    mac, mac_bits, icv_bits = _INTEGRITY[suite.integrity]
    return KernelAlgorithms(cipher, suite.key_bits or usual_bits, mac, mac_bits, icv_bits)
