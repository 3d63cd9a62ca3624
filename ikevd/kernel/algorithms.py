"""What the Linux kernel calls the algorithms of ESP."""

from __future__ import annotations

import errno

from ikevd.errors import KernelRefused
from ikevd.frozen import frozen
from ikevd.policy.algorithms import ESP_CIPHERS, INTEGRITIES, esp_key_octets
from ikevd.policy.suites import EspSuite


@frozen
class KernelAlgorithms:
    """A cipher and a MAC, or one algorithm that is both, as XFRM wants them; all lengths in bits."""

    cipher: str
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
        return self.cipher if self.aead else f"{self.cipher} with {self.mac}"


def kernel_algorithms(suite: EspSuite) -> KernelAlgorithms:
    """The kernel's names for a suite. Raises `KernelRefused` for one that has none here."""
    row = ESP_CIPHERS.get(suite.transform)
    if row is None:
        raise KernelRefused(f"no kernel algorithm is known for ESP transform {suite.transform}", errno.ENOSYS)
    if not row.icv_bits and suite.integrity not in INTEGRITIES:
        raise KernelRefused(f"no kernel algorithm is known for ESP integrity {suite.integrity}", errno.ENOSYS)
    cipher, mac = (8 * octets for octets in esp_key_octets(suite.transform, suite.key_bits, suite.integrity))
    if row.icv_bits:
        return KernelAlgorithms(row.kernel, cipher, "", 0, row.icv_bits)
    check = INTEGRITIES[suite.integrity]
    return KernelAlgorithms(row.kernel, cipher, check.kernel, mac, check.icv_bits)
