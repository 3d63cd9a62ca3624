"""What the Linux kernel calls the algorithms of ESP and AH."""

from __future__ import annotations

import errno

from ikevd.errors import KernelRefused
from ikevd.frozen import frozen
from ikevd.policy.algorithms import ESP_CIPHERS, INTEGRITIES, esp_key_octets
from ikevd.policy.suites import IpsecSuite
from ikevd.wire.registry import Protocol


@frozen
class KernelAlgorithms:
    """A cipher and a MAC, or one algorithm that is both, as XFRM wants them; all lengths in bits."""

    cipher: str
    """Empty: nothing is encrypted (AH). Of IPComp: how it compresses."""
    cipher_key_bits: int
    """With the salt, where there is one."""
    mac: str
    """Empty: the cipher authenticates by itself (XFRMA_ALG_AEAD)."""
    mac_key_bits: int
    icv_bits: int

    @property
    def aead(self) -> bool:
        """Is one algorithm both?"""
        return not self.mac

    def __str__(self) -> str:
        return " with ".join(name for name in (self.cipher, self.mac) if name)


DEFLATE = KernelAlgorithms("deflate", 0, "", 0, 0)


def kernel_algorithms(suite: IpsecSuite) -> KernelAlgorithms:
    """The kernel's names for a suite. Raises `KernelRefused` for one that has none here."""
    if suite.protocol == Protocol.IPCOMP:
        return DEFLATE
    row = ESP_CIPHERS.get(suite.transform)
    if row is None:
        raise KernelRefused(f"no kernel algorithm is known for ESP transform {suite.transform}", errno.ENOSYS)
    if not row.icv_bits and suite.integrity not in INTEGRITIES:
        raise KernelRefused(
            f"no kernel algorithm is known for {suite.protocol} integrity {suite.integrity}", errno.ENOSYS
        )
    cipher, mac = (8 * octets for octets in esp_key_octets(suite.transform, suite.key_bits, suite.integrity))
    if row.icv_bits:
        return KernelAlgorithms(row.kernel, cipher, "", 0, row.icv_bits)
    check, encrypts = INTEGRITIES[suite.integrity], suite.protocol == Protocol.ESP
    return KernelAlgorithms(row.kernel if encrypts else "", cipher, check.kernel, mac, check.icv_bits)
