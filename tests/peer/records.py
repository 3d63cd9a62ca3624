"""Records of a peer for tests: everything has a default, a test names what it is about."""

from __future__ import annotations

from dataclasses import replace

from ikevd.policy.model import Lifetime
from ikevd.sa.model import IpsecSa, Spi
from tests.builders import ALICE, BOB, ESP_AES128_SHA256, child


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
        inbound=ours(number),
        outbound=theirs(number),
        initiator=True,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def ours(number: int = 1) -> Spi:
    return Spi(0xD0000000 + number)


def theirs(number: int = 1) -> Spi:
    return Spi(0xE0000000 + number)
