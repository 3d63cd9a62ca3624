"""What the kernel is asked to install for one IPsec SA pair."""

from __future__ import annotations

from dataclasses import replace

from ikevd.crypto.secret import Secret
from ikevd.host.interface import SaId, UdpPorts
from ikevd.kernel.memory import MemoryKernel
from ikevd.negotiation.install import Installer
from ikevd.policy.model import Lifetime
from ikevd.sa.model import EspKeys, IpsecSa, Spi, UdpEncapsulation
from tests.builders import ALICE, BOB, ESP_AES128_SHA256, child

PAIR = IpsecSa(
    child="lan",
    reqid=child().reqid,
    local=ALICE,
    remote=BOB,
    local_selector=child().local,
    remote_selector=child().remote,
    suite=ESP_AES128_SHA256,
    lifetime=Lifetime(3600),
    replay_window=64,
    inbound=Spi(0xC0000001),
    outbound=Spi(0xC0000002),
    initiator=True,
)
KEYS = EspKeys(Secret(bytes(16)), Secret(bytes(32)))


async def test_behind_a_nat_each_direction_has_its_own_udp_ports() -> None:
    kernel = MemoryKernel()
    installer = Installer(kernel)
    pair = replace(PAIR, encap=UdpEncapsulation(local_port=4500, remote_port=61234))
    await installer.open_inbound(pair, KEYS, "the peer")
    await installer.open_outbound(pair, KEYS)
    assert {name: sa.encap for name, sa in kernel.sas.items()} == {
        SaId(ALICE, Spi(0xC0000001)): UdpPorts(61234, 4500),
        SaId(BOB, Spi(0xC0000002)): UdpPorts(4500, 61234),
    }


async def test_without_a_nat_esp_is_not_encapsulated() -> None:
    kernel = MemoryKernel()
    installer = Installer(kernel)
    await installer.open_inbound(PAIR, KEYS, "the peer")
    await installer.open_outbound(PAIR, KEYS)
    assert [sa.encap for sa in kernel.sas.values()] == [None, None]
