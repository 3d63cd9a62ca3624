"""A trial SA: can this kernel run a suite?"""

from __future__ import annotations

import errno
from ipaddress import IPv4Address
from typing import Protocol as Port

from ikevd.crypto.secret import Secret
from ikevd.errors import KernelRefused
from ikevd.host.entropy import Entropy
from ikevd.host.sas import KernelSa, SaId
from ikevd.kernel.algorithms import kernel_algorithms
from ikevd.kernel.refusals import suite_lacking
from ikevd.policy.lives import Lifetime
from ikevd.policy.reqids import TRIAL_REQID
from ikevd.policy.suites import IpsecSuite
from ikevd.sa.model import EspKeys, Spi
from ikevd.wire.registry import Protocol

TRIAL_SOURCE = IPv4Address("192.0.2.254")
TRIAL_DESTINATION = IPv4Address("192.0.2.255")
"""Documentation addresses (RFC 5737); without a policy nothing is ever sent through the SA."""
TRIAL_SECONDS = 5
"""Should we die before the SA is removed."""
TRIES = 5


class _Sas(Port):
    async def add_sa(self, sa: KernelSa, keys: EspKeys, *, reserved: bool) -> None: ...

    async def delete_sa(self, sa: SaId) -> None: ...


async def run_trial(kernel: _Sas, suite: IpsecSuite, entropy: Entropy) -> None:
    """Install and remove an SA of the suite. Raises `KernelRefused` where the kernel cannot run it."""
    algorithms = kernel_algorithms(suite)
    for _ in range(TRIES):
        spi = Spi.of(suite.protocol, b"\x10" + entropy.octets(3 if suite.protocol != Protocol.IPCOMP else 1))
        keys = EspKeys(
            encryption=Secret(entropy.octets(algorithms.cipher_key_bits // 8)),
            integrity=Secret(entropy.octets(algorithms.mac_key_bits // 8)),
        )
        sa = KernelSa(TRIAL_SOURCE, TRIAL_DESTINATION, spi, TRIAL_REQID, suite, Lifetime(TRIAL_SECONDS), 32)
        try:
            await kernel.add_sa(sa, keys, reserved=False)
        except KernelRefused as error:
            if error.errno == errno.EEXIST:
                continue
            reason = suite_lacking(suite, TRIAL_DESTINATION.version, error.errno)
            raise KernelRefused(reason or f"{algorithms} cannot be used: {error}", error.errno) from None
        await kernel.delete_sa(sa.id)
        return
    raise KernelRefused(
        f"cannot try {algorithms} for {suite.protocol}: {TRIES} random SPIs were all in use", errno.EEXIST
    )
