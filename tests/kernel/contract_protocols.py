"""What every `Kernel` must do with AH, with transport mode and with sequence numbers of 64 bits."""

from itertools import product

import pytest

from ikevd.addresses import Address
from ikevd.errors import KernelRefused
from ikevd.frozen import replace
from ikevd.host.events import SaAsked
from ikevd.host.policies import Action, Direction
from ikevd.host.sas import SaId, UdpPorts
from ikevd.policy.lives import Lifetime
from ikevd.policy.proposals import format_esp
from ikevd.policy.suites import IpsecSuite
from ikevd.sa.model import Spi
from ikevd.wire.registry import Encapsulation, Protocol
from tests.eventually import eventually_async
from tests.kernel.bench import Bench, told_by
from tests.kernel.samples import (
    AES_GCM,
    AES_SHA256,
    AH_SHA256,
    EVERY_AH,
    FURTHER,
    HERE,
    HERE6,
    PEER,
    PEER6,
    REQID,
    SPI,
    add,
    policy_of,
    sa_ids,
    sa_of,
    standing,
)

AH_SPI = Spi.of(Protocol.AH, SPI.octets)
ENDS = pytest.mark.parametrize("ends", [(HERE, PEER), (HERE6, PEER6)], ids=["ipv4", "ipv6"])
LONG = [replace(suite, esn=True) for suite in (AES_SHA256, AES_GCM, AH_SHA256)]
"""With sequence numbers of 64 bits."""
TRANSPORT = [replace(suite, mode=Encapsulation.TRANSPORT) for suite in (AES_SHA256, AES_GCM, AH_SHA256)]


class ProtocolContract:
    """Protocols and modes."""

    @ENDS
    async def test_a_reserved_spi_of_ah_is_filled(self, bench: Bench, ends: tuple[Address, Address]) -> None:
        here, peer = ends
        spi = await bench.kernel.reserve_spi(peer, here, REQID, Protocol.AH)
        assert spi.protocol == Protocol.AH
        assert await sa_ids(bench.kernel, larval=True) == [SaId(here, spi)]
        await add(bench.kernel, sa_of(spi, suite=AH_SHA256, source=peer, destination=here), reserved=True)
        assert await sa_ids(bench.kernel) == [SaId(here, spi)]

    async def test_one_number_is_one_sa_of_esp_and_another_of_ah(self, bench: Bench) -> None:
        await add(bench.kernel, sa_of())
        await add(bench.kernel, sa_of(AH_SPI, suite=AH_SHA256))
        assert set(await sa_ids(bench.kernel)) == {SaId(PEER, SPI), SaId(PEER, AH_SPI)}
        await bench.kernel.delete_sa(SaId(PEER, SPI))
        assert await sa_ids(bench.kernel) == [SaId(PEER, AH_SPI)]
        assert await bench.kernel.counters(SaId(PEER, SPI)) is None
        assert await bench.kernel.counters(SaId(PEER, AH_SPI)) is not None

    @pytest.mark.parametrize("suite", [*EVERY_AH, *LONG, *TRANSPORT], ids=str)
    async def test_each_is_tried_and_leaves_nothing(self, bench: Bench, suite: IpsecSuite) -> None:
        await bench.kernel.probe(suite)
        assert await bench.kernel.dump_sas() == []

    @ENDS
    @pytest.mark.parametrize("suite", TRANSPORT, ids=format_esp)
    async def test_transport_mode(self, bench: Bench, suite: IpsecSuite, ends: tuple[Address, Address]) -> None:
        here, peer = ends
        spi = Spi.of(suite.protocol, SPI.octets)
        await add(bench.kernel, sa_of(spi, suite=suite, source=here, destination=peer))
        assert await sa_ids(bench.kernel) == [SaId(peer, spi)]

    async def test_transport_mode_in_udp(self, bench: Bench) -> None:
        sa = replace(sa_of(suite=TRANSPORT[0]), encap=UdpPorts(4500, 4500))
        await add(bench.kernel, sa)
        await bench.kernel.change_ports(sa.id, UdpPorts(4500, 4501))
        (found,) = await bench.kernel.dump_sas()
        assert found.encap == UdpPorts(4500, 4501)

    @pytest.mark.parametrize(("suite", "replay_window"), list(product(LONG, [1, 32, 128, 4096])), ids=str)
    async def test_numbers_of_64_bits_with_every_window(
        self, bench: Bench, suite: IpsecSuite, replay_window: int
    ) -> None:
        sa = sa_of(Spi.of(suite.protocol, SPI.octets), suite=suite, replay_window=replay_window)
        await add(bench.kernel, sa)
        assert await sa_ids(bench.kernel) == [sa.id]

    async def test_numbers_of_64_bits_without_a_window_are_refused(self, bench: Bench) -> None:
        with pytest.raises(KernelRefused, match="1 to 4096 packets, not 0"):
            await add(bench.kernel, sa_of(suite=LONG[0], replay_window=0))
        assert await bench.kernel.dump_sas() == []

    @pytest.mark.parametrize("suite", [AH_SHA256, *LONG, *TRANSPORT], ids=str)
    async def test_a_live_sa_of_each_is_given_another_end(self, bench: Bench, suite: IpsecSuite) -> None:
        sa = sa_of(Spi.of(suite.protocol, SPI.octets), suite=suite, lifetime=Lifetime(30))
        await add(bench.kernel, sa)
        await bench.kernel.limit_sa(sa.id, 3600)
        (found,) = await bench.kernel.dump_sas()
        assert 3590 < (found.ends_in or 0) <= 3600

    @pytest.mark.parametrize("suite", [LONG[0], LONG[1], TRANSPORT[0]], ids=str)
    async def test_a_live_sa_of_each_goes_on_at_other_ports_and_another_address(
        self, bench: Bench, suite: IpsecSuite
    ) -> None:
        sa = replace(sa_of(suite=suite), encap=UdpPorts(4500, 1))
        to = replace(sa, destination=FURTHER, encap=UdpPorts(4500, 2))
        await add(bench.kernel, sa)
        await bench.kernel.change_ports(sa.id, UdpPorts(4500, 3))
        await bench.kernel.move_sa(sa.id, to)
        (found,) = await bench.kernel.dump_sas()
        assert (found.id, found.encap, found.larval) == (to.id, to.encap, False)

    @pytest.mark.parametrize("protocol", [Protocol.ESP, Protocol.AH], ids=str)
    @pytest.mark.parametrize("transport", [False, True], ids=["tunnel", "transport"])
    @pytest.mark.parametrize("action", [Action.TUNNEL, Action.BLOCK], ids=str)
    async def test_a_policy_stands_with_protocol_and_mode(
        self, bench: Bench, protocol: Protocol, transport: bool, action: Action
    ) -> None:
        for direction, spi in ((Direction.IN, None), (Direction.OUT, Spi.of(protocol, SPI.octets))):
            plain = policy_of(f"{HERE}/32", f"{PEER}/32", direction=direction, action=action)
            assert plain.template is not None
            policy = replace(plain, template=replace(plain.template, spi=spi, protocol=protocol, transport=transport))
            await bench.kernel.put_policy(policy)
            assert await standing(bench.kernel) == [policy]
            await bench.kernel.delete_policy(policy.id, REQID)

    async def test_a_trap_of_ah_asks_for_an_sa_of_ah(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        plain = policy_of()
        assert plain.template is not None
        await bench.kernel.put_policy(replace(plain, template=replace(plain.template, protocol=Protocol.AH)))
        bench.send(plain.id)
        await eventually_async(lambda: bool(told))
        assert [event.reqid for event in told if isinstance(event, SaAsked)] == [REQID]
        (found,) = await bench.kernel.dump_sas()
        assert (found.id, found.asked) == (SaId(PEER, Spi.of(Protocol.AH, bytes(4))), True)
