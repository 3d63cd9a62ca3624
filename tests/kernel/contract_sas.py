"""What every `Kernel` must do with SAs: made, found, limited, removed, tried."""

import asyncio
import errno
from dataclasses import replace
from ipaddress import IPv4Address, ip_network
from itertools import product

import pytest

from ikevd.addresses import Address
from ikevd.crypto.secret import Secret
from ikevd.errors import KernelRefused
from ikevd.host.events import SaExpired
from ikevd.host.sas import Counters, SaId, UdpPorts
from ikevd.host.spi_range import SPI_FIRST, SPI_LAST
from ikevd.peer.timing import BACKSTOP
from ikevd.policy.lives import Lifetime
from ikevd.policy.marks import Mark
from ikevd.policy.packing import WHOLE_MTU, CopyDscp, HwOffload, Packing
from ikevd.policy.proposals import format_esp
from ikevd.policy.suites import IpsecSuite
from ikevd.sa.model import Spi
from ikevd.wire.registry import Encapsulation, EspTransform, Integrity
from tests.kernel.bench import Bench, told_by
from tests.kernel.samples import (
    AES_GCM,
    AES_SHA1,
    AES_SHA256,
    AH_SHA256,
    EVERY_CIPHER,
    EVERY_INTEGRITY,
    FOREIGN_REQID,
    FURTHER,
    HERE,
    HERE6,
    LACKING,
    PEER,
    PEER6,
    REQID,
    SPI,
    TRIPLE_DES_MD5,
    add,
    keys_of,
    policy_of,
    sa_ids,
    sa_of,
    standing,
)


class SaContract:
    """SAs."""

    async def test_a_reserved_spi_is_a_larval_sa(self, bench: Bench) -> None:
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID)
        (found,) = await bench.kernel.dump_sas()
        assert SPI_FIRST <= spi <= SPI_LAST
        assert (found.id, found.reqid, found.larval) == (SaId(HERE, spi), REQID, True)

    async def test_reserved_spis_differ(self, bench: Bench) -> None:
        spis = await asyncio.gather(*(bench.kernel.reserve_spi(PEER, HERE, REQID) for _ in range(200)))
        assert len(set(spis)) == 200
        assert len(await sa_ids(bench.kernel, larval=True)) == 200

    async def test_a_larval_sa_is_filled(self, bench: Bench) -> None:
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID)
        sa = sa_of(spi, source=PEER, destination=HERE)
        await add(bench.kernel, sa, reserved=True)
        assert await sa_ids(bench.kernel) == [sa.id]
        assert await sa_ids(bench.kernel, larval=True) == []
        assert await bench.kernel.counters(sa.id) == Counters(0, 0)

    async def test_a_filled_sa_outlives_the_reservation(self, bench: Bench) -> None:
        seconds = bench.shorten_reservations()
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID)
        await add(bench.kernel, sa_of(spi, source=PEER, destination=HERE), reserved=True)
        await bench.pass_time(seconds)
        assert await sa_ids(bench.kernel) == [SaId(HERE, spi)]

    async def test_a_reservation_ends_and_nobody_is_told(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        seconds = bench.shorten_reservations()
        await bench.kernel.reserve_spi(PEER, HERE, REQID)
        await bench.pass_time(seconds)
        assert await bench.kernel.dump_sas() == []
        assert told == []

    async def test_an_expired_reservation_is_installed_anew(self, bench: Bench) -> None:
        seconds = bench.shorten_reservations()
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID)
        await bench.pass_time(seconds)
        await add(bench.kernel, sa_of(spi, source=PEER, destination=HERE), reserved=True)
        assert await sa_ids(bench.kernel) == [SaId(HERE, spi)]

    async def test_a_reservation_of_an_earlier_process_is_filled(self, bench: Bench) -> None:
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID)
        await add(bench.successor(), sa_of(spi, source=PEER, destination=HERE), reserved=True)
        assert await sa_ids(bench.kernel) == [SaId(HERE, spi)]

    async def test_a_reservation_of_another_child_is_not_filled(self, bench: Bench) -> None:
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID + 1)
        with pytest.raises(KernelRefused, match="that SPI already"):
            await add(bench.kernel, sa_of(spi, source=PEER, destination=HERE), reserved=True)
        assert await sa_ids(bench.kernel, larval=True) == [SaId(HERE, spi)]

    async def test_the_source_names_no_sa(self, bench: Bench) -> None:
        await add(bench.kernel, sa_of())
        with pytest.raises(KernelRefused, match="that SPI already"):
            await add(bench.kernel, sa_of(source=IPv4Address("192.0.2.77")))
        assert [found.source for found in await bench.kernel.dump_sas()] == [HERE]

    @pytest.mark.parametrize("reserved", [True, False])
    async def test_an_sa_is_installed_once(self, bench: Bench, reserved: bool) -> None:
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID) if reserved else SPI
        sa = sa_of(spi, source=PEER, destination=HERE)
        await add(bench.kernel, sa, reserved=reserved)
        with pytest.raises(KernelRefused, match=f"ESP SA {spi} to 192.0.2.1: .* that SPI already") as caught:
            await add(bench.kernel, sa, reserved=reserved)
        assert caught.value.errno == errno.EEXIST
        assert await sa_ids(bench.kernel) == [sa.id]

    async def test_a_larval_sa_is_not_overwritten_by_a_new_one(self, bench: Bench) -> None:
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID)
        with pytest.raises(KernelRefused):
            await add(bench.kernel, sa_of(spi, source=PEER, destination=HERE))
        assert await sa_ids(bench.kernel, larval=True) == [SaId(HERE, spi)]

    @pytest.mark.parametrize("suite", [AES_SHA256, AES_SHA1, TRIPLE_DES_MD5], ids=["aes", "aes-sha1", "3des-md5"])
    @pytest.mark.parametrize("replay_window", [0, 1, 32, 33, 128, 4096])
    async def test_suites_and_windows(self, bench: Bench, suite: IpsecSuite, replay_window: int) -> None:
        await add(bench.kernel, sa_of(suite=suite, replay_window=replay_window))
        assert await sa_ids(bench.kernel) == [SaId(PEER, SPI)]

    async def test_ipv6(self, bench: Bench) -> None:
        spi = await bench.kernel.reserve_spi(PEER6, HERE6, REQID)
        inbound = sa_of(spi, source=PEER6, destination=HERE6)
        await add(bench.kernel, inbound, reserved=True)
        policy = policy_of("2001:db8:a::/48", "10.2.0.0/24", ends=(HERE6, PEER6))
        policy = replace(policy, id=replace(policy.id, destination=ip_network("2001:db8:b::/48")))
        await bench.kernel.put_policy(policy)
        assert await sa_ids(bench.kernel) == [inbound.id]
        assert await standing(bench.kernel) == [policy]
        await bench.kernel.delete_policy(policy.id, REQID)
        await bench.kernel.delete_sa(inbound.id)
        assert (await bench.kernel.dump_sas(), await bench.kernel.dump_policies()) == ([], [])

    @pytest.mark.parametrize("ends", [(HERE, PEER), (HERE6, PEER6)], ids=["ipv4", "ipv6"])
    async def test_esp_in_udp_is_found_in_a_dump(self, bench: Bench, ends: tuple[Address, Address]) -> None:
        here, peer = ends
        spi = await bench.kernel.reserve_spi(peer, here, REQID)
        inbound = replace(sa_of(spi, source=peer, destination=here), encap=UdpPorts(61234, 4500))
        outbound = replace(sa_of(source=here, destination=peer), encap=UdpPorts(4500, 61234))
        await add(bench.kernel, inbound, reserved=True)
        await add(bench.kernel, outbound)
        await add(bench.kernel, sa_of(Spi(0x2222), source=here, destination=peer))
        found = {sa.id: sa.encap for sa in await bench.kernel.dump_sas()}
        assert found == {
            inbound.id: UdpPorts(61234, 4500),
            outbound.id: UdpPorts(4500, 61234),
            SaId(peer, Spi(0x2222)): None,
        }

    async def test_a_window_that_no_kernel_holds(self, bench: Bench) -> None:
        with pytest.raises(KernelRefused, match="0 to 4096 packets, not 4097"):
            await add(bench.kernel, sa_of(replay_window=4097))
        assert await bench.kernel.dump_sas() == []

    async def test_a_key_of_the_wrong_length(self, bench: Bench) -> None:
        short = replace(keys_of(AES_SHA256), encryption=Secret(bytes(5)))
        with pytest.raises(KernelRefused, match=r"cbc\(aes\)") as caught:
            await bench.kernel.add_sa(sa_of(), short, reserved=False)
        assert caught.value.errno == errno.EINVAL
        assert await bench.kernel.dump_sas() == []

    async def test_an_algorithm_that_the_kernel_lacks(self, bench: Bench) -> None:
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID)
        with bench.without_blowfish(), pytest.raises(KernelRefused, match=r"this kernel has no cbc\(blowfish\)"):
            await add(bench.kernel, sa_of(spi, suite=LACKING, source=PEER, destination=HERE), reserved=True)
        assert await sa_ids(bench.kernel, larval=True) == [SaId(HERE, spi)]

    async def test_an_algorithm_without_a_name(self, bench: Bench) -> None:
        for suite, name in [
            (IpsecSuite(EspTransform(99), 0, Integrity.HMAC_SHA1), "ESPTRANSFORM_99"),
            (IpsecSuite(EspTransform.AES_CBC, 128, Integrity.KPDK), "KPDK"),
        ]:
            with pytest.raises(KernelRefused, match=name):
                await bench.kernel.probe(suite)

    async def test_delete(self, bench: Bench) -> None:
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID)
        await add(bench.kernel, sa_of())
        await bench.kernel.delete_sa(SaId(HERE, spi))
        assert [found.id for found in await bench.kernel.dump_sas()] == [SaId(PEER, SPI)]
        await bench.kernel.delete_sa(SaId(PEER, SPI))
        assert await bench.kernel.dump_sas() == []

    async def test_deleting_what_is_gone_is_no_error(self, bench: Bench) -> None:
        await bench.kernel.delete_sa(SaId(PEER, SPI))
        await bench.kernel.delete_policy(policy_of().id, REQID)

    async def test_counters_of_what_is_gone(self, bench: Bench) -> None:
        assert await bench.kernel.counters(SaId(PEER, SPI)) is None

    async def test_another_owners_sa_is_left_alone(self, bench: Bench) -> None:
        bench.plant_sa(SaId(PEER, SPI), FOREIGN_REQID)
        with pytest.raises(KernelRefused):
            await add(bench.kernel, sa_of())
        await bench.kernel.delete_sa(SaId(PEER, SPI))
        (found,) = await bench.kernel.dump_sas()
        assert (found.id, found.reqid, found.larval) == (SaId(PEER, SPI), FOREIGN_REQID, False)

    async def test_a_dump_tells_when_an_sa_ends(self, bench: Bench) -> None:
        await bench.kernel.reserve_spi(PEER, HERE, REQID)
        await add(bench.kernel, sa_of(lifetime=Lifetime(3600, 2000)))
        ends = {found.id.spi: found.ends_in for found in await bench.kernel.dump_sas()}
        assert 3590 < (ends.pop(SPI) or 0) <= 3600
        assert list(ends.values()) == [None]

    async def test_a_live_sa_is_given_an_earlier_end(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        ports = None, UdpPorts(4500, 4500)
        sas = [
            replace(sa_of(Spi(SPI + number), suite=suite), encap=encap)
            for number, (suite, encap) in enumerate(product([AES_SHA256, TRIPLE_DES_MD5, AES_GCM], ports))
        ]
        for sa in sas:
            await add(bench.kernel, sa)
            await bench.kernel.limit_sa(sa.id, 2)
        found = await bench.kernel.dump_sas()
        assert {(each.id, each.encap, each.larval) for each in found} == {(sa.id, sa.encap, False) for sa in sas}
        await bench.pass_time(2)
        assert await bench.kernel.dump_sas() == []
        assert {SaExpired(sa.id, REQID, hard=True) for sa in sas} <= set(told)

    async def test_a_live_sa_is_given_a_later_end(self, bench: Bench) -> None:
        await add(bench.kernel, sa_of(lifetime=Lifetime(3)))
        await bench.kernel.limit_sa(SaId(PEER, SPI), 3600)
        await bench.pass_time(3)
        (found,) = await bench.kernel.dump_sas()
        assert 3500 < (found.ends_in or 0) <= 3597

    async def test_a_live_sa_is_given_a_near_end_and_its_far_one_back(self, bench: Bench) -> None:
        """As the process that ends does, and the one that begins."""
        await add(bench.kernel, sa_of(lifetime=Lifetime(BACKSTOP)))
        await bench.kernel.limit_sa(SaId(PEER, SPI), 3)
        await bench.kernel.limit_sa(SaId(PEER, SPI), BACKSTOP)
        await bench.pass_time(3)
        (found,) = await bench.kernel.dump_sas()
        assert BACKSTOP - 60 < (found.ends_in or 0) <= BACKSTOP

    async def test_no_limit_is_given_to_what_is_gone_larval_or_anothers(self, bench: Bench) -> None:
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID)
        bench.plant_sa(SaId(PEER, SPI), FOREIGN_REQID)
        for sa in (SaId(HERE, spi), SaId(PEER, SPI), SaId(PEER, Spi(0x2222))):
            await bench.kernel.limit_sa(sa, 60)
        assert {(found.id.spi, found.ends_in) for found in await bench.kernel.dump_sas()} == {(spi, None), (SPI, None)}

    @pytest.mark.parametrize("suite", [AES_SHA256, TRIPLE_DES_MD5, AES_GCM], ids=format_esp)
    async def test_a_live_sa_in_udp_is_given_other_ports_and_keeps_its_end(
        self, bench: Bench, suite: IpsecSuite
    ) -> None:
        await add(bench.kernel, replace(sa_of(suite=suite), encap=UdpPorts(4500, 40001)))
        await bench.kernel.change_ports(SaId(PEER, SPI), UdpPorts(4500, 40002))
        (found,) = await bench.kernel.dump_sas()
        assert (found.encap, found.larval) == (UdpPorts(4500, 40002), False)
        assert 3590 < (found.ends_in or 0) <= 3600

    async def test_no_ports_are_given_to_what_is_gone_larval_anothers_or_not_in_udp(self, bench: Bench) -> None:
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID)
        bench.plant_sa(SaId(PEER, SPI), FOREIGN_REQID)
        await add(bench.kernel, sa_of(Spi(0x3333)))
        for sa in (SaId(HERE, spi), SaId(PEER, SPI), SaId(PEER, Spi(0x2222)), SaId(PEER, Spi(0x3333))):
            await bench.kernel.change_ports(sa, UdpPorts(4500, 40002))
        assert {found.encap for found in await bench.kernel.dump_sas()} == {None}

    @pytest.mark.parametrize("replay_window", [32, 128])
    @pytest.mark.parametrize("suite", [AES_SHA256, TRIPLE_DES_MD5, AES_GCM], ids=format_esp)
    async def test_a_live_sa_goes_on_at_another_address(
        self, bench: Bench, suite: IpsecSuite, replay_window: int
    ) -> None:
        lifetime = Lifetime(3600, 2000)
        outbound = replace(sa_of(suite=suite, replay_window=replay_window, lifetime=lifetime), encap=UdpPorts(4500, 1))
        inbound = replace(outbound, source=PEER, destination=HERE, encap=UdpPorts(1, 4500))
        moved = (
            replace(outbound, destination=FURTHER, encap=UdpPorts(4500, 2)),
            replace(inbound, source=FURTHER, encap=UdpPorts(2, 4500)),
        )
        for sa, to in zip((outbound, inbound), moved, strict=True):
            await add(bench.kernel, sa)
            await bench.kernel.move_sa(sa.id, to)
        found = await bench.kernel.dump_sas()
        assert {(sa.id, sa.source, sa.encap) for sa in found} == {(sa.id, sa.source, sa.encap) for sa in moved}
        assert all(not sa.larval and 3590 < (sa.ends_in or 0) <= 3600 for sa in found)

    @pytest.mark.parametrize(
        "packing",
        [
            Packing(copy_df=False, copy_ecn=False, copy_dscp=CopyDscp.IN, tfc_padding=WHOLE_MTU),
            Packing(copy_dscp=CopyDscp.YES, tfc_padding=1),
        ],
    )
    async def test_an_sa_may_pack_otherwise_and_goes_on_so(self, bench: Bench, packing: Packing) -> None:
        sa = replace(sa_of(packing=packing, set_mark=Mark(7, 0xFF)), encap=UdpPorts(4500, 1))
        await add(bench.kernel, sa)
        await bench.kernel.change_ports(sa.id, UdpPorts(4500, 2))
        await bench.kernel.limit_sa(sa.id, 60)
        moved = replace(sa, destination=FURTHER, encap=UdpPorts(4500, 3))
        await bench.kernel.move_sa(sa.id, moved)
        assert [(found.id, found.encap) for found in await bench.kernel.dump_sas()] == [(moved.id, moved.encap)]

    @pytest.mark.parametrize("suite", [AH_SHA256, replace(AES_SHA256, mode=Encapsulation.TRANSPORT)], ids=format_esp)
    async def test_what_has_no_length_inside_is_not_padded(self, bench: Bench, suite: IpsecSuite) -> None:
        sa = sa_of(Spi.of(suite.protocol, SPI.octets), suite=suite, packing=Packing(tfc_padding=1000))
        with pytest.raises(KernelRefused, match="EINVAL"):
            await add(bench.kernel, sa)
        assert await bench.kernel.dump_sas() == []

    @pytest.mark.parametrize("reserved", [True, False])
    async def test_a_device_that_encrypts_nothing_is_told_or_done_without(self, bench: Bench, reserved: bool) -> None:
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID) if reserved else SPI
        sa = sa_of(spi, source=PEER, destination=HERE, packing=Packing(hw_offload=HwOffload.CRYPTO))
        with pytest.raises(KernelRefused, match=r"hw_offload: crypto: .*; wanted hw_offload: auto, or no") as caught:
            await add(bench.kernel, sa, reserved=reserved)
        assert caught.value.errno == errno.EOPNOTSUPP
        assert await sa_ids(bench.kernel) == []
        await add(bench.kernel, replace(sa, packing=Packing(hw_offload=HwOffload.AUTO)), reserved=reserved)
        assert await sa_ids(bench.kernel) == [sa.id]

    async def test_what_is_wrong_with_an_sa_is_not_laid_on_the_device(self, bench: Bench) -> None:
        await add(bench.kernel, sa_of())
        with pytest.raises(KernelRefused, match="has an SA of that SPI already"):
            await add(bench.kernel, sa_of(packing=Packing(hw_offload=HwOffload.AUTO)))

    async def test_an_sa_that_is_there_already_stays_as_it_is(self, bench: Bench) -> None:
        sa = replace(sa_of(), encap=UdpPorts(4500, 1))
        await add(bench.kernel, sa)
        await bench.kernel.move_sa(sa.id, sa)
        assert await sa_ids(bench.kernel) == [sa.id]

    async def test_what_is_gone_larval_or_anothers_goes_nowhere(self, bench: Bench) -> None:
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID)
        bench.plant_sa(SaId(PEER, SPI), FOREIGN_REQID)
        before = await bench.kernel.dump_sas()
        for name in (SaId(HERE, spi), SaId(PEER, SPI), SaId(PEER, Spi(0x2222))):
            with pytest.raises(KernelRefused):
                await bench.kernel.move_sa(name, sa_of(name.spi, destination=FURTHER))
        assert {sa.id for sa in await bench.kernel.dump_sas()} == {sa.id for sa in before}

    async def test_the_soft_limit_is_reached_before_the_hard_one(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        await add(bench.kernel, sa_of(lifetime=Lifetime(4)))  # two seconds apart: a busy guest looks that late
        for _ in range(2):
            await bench.pass_time(2)
        assert told == [SaExpired(SaId(PEER, SPI), REQID, hard) for hard in (False, True)]

    async def test_an_expired_sa_is_gone_and_told(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        await add(bench.kernel, sa_of(lifetime=Lifetime(1)))
        await add(bench.kernel, sa_of(Spi(0x1111), reqid=FOREIGN_REQID, lifetime=Lifetime(1)))
        await bench.pass_time(1)
        assert await bench.kernel.dump_sas() == []
        assert told == [SaExpired(SaId(PEER, SPI), REQID, hard=True)]

    @pytest.mark.parametrize("suite", EVERY_CIPHER + EVERY_INTEGRITY, ids=format_esp)
    async def test_probe_of_every_suite_succeeds_and_leaves_nothing(self, bench: Bench, suite: IpsecSuite) -> None:
        await bench.kernel.probe(suite)
        assert await bench.kernel.dump_sas() == []

    async def test_an_icv_of_another_length_than_usual(self, bench: Bench) -> None:
        await add(bench.kernel, replace(sa_of(), icv_bits=96))
        assert await sa_ids(bench.kernel) == [SaId(PEER, SPI)]

    async def test_probe_of_a_suite_that_the_kernel_lacks(self, bench: Bench) -> None:
        with bench.without_blowfish(), pytest.raises(KernelRefused) as caught:
            await bench.kernel.probe(LACKING)
        assert str(caught.value) == "this kernel has no cbc(blowfish) with hmac(sha256) for ESP"
        assert await bench.kernel.dump_sas() == []
