"""Records of a peer for tests: everything has a default, a test names what it is about."""

from __future__ import annotations

from dataclasses import replace

from ikevd.crypto.secret import Secret
from ikevd.policy.model import Lifetime
from ikevd.sa.model import EspKeys, IpsecSa, Spi
from tests.builders import ALICE, BOB, ESP_AES128_SHA256, child

NO_SECRET = Secret(bytes(16))


def ipsec(number: int = 1, name: str = "lan", **changes: object) -> IpsecSa:
    """The `number`-th pair: our SPI is 0xD000000n, the peer's 0xE000000n."""
    configured = child()
    plain = IpsecSa(
        child=name,
        reqid=configured.reqid,
        local=ALICE,
        remote=BOB,
        local_selector=configured.local,
        remote_selector=configured.remote,
        suite=ESP_AES128_SHA256,
        lifetime=Lifetime(3600),
        replay_window=128,
        inbound=EspKeys(ours(number), NO_SECRET, NO_SECRET),
        outbound=EspKeys(theirs(number), NO_SECRET, NO_SECRET),
        initiator=True,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def ours(number: int = 1) -> Spi:
    return Spi(0xD0000000 + number)


def theirs(number: int = 1) -> Spi:
    return Spi(0xE0000000 + number)
