"""What every `Kernel` must do: run on the one in memory by `make check`, on Linux inside the rig."""

import asyncio
import errno
from contextlib import AbstractContextManager
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Protocol

import pytest

from ikevd.addresses import Address
from ikevd.crypto.secret import Secret
from ikevd.errors import KernelRefused
from ikevd.host.interface import (
    Action,
    Counters,
    Direction,
    Kernel,
    KernelEvent,
    KernelPolicy,
    KernelSa,
    PoliciesFlushed,
    PolicyChanged,
    PolicyId,
    PolicyRemoved,
    SaExpired,
    SaId,
    SaRemoved,
    SasFlushed,
    Template,
    UdpPorts,
)
from ikevd.host.spi_range import SPI_FIRST, SPI_LAST
from ikevd.negotiation.in_kernel import InKernel
from ikevd.negotiation.leavings import Known, Leavings, judge, remove_known, remove_unknown
from ikevd.policy.algorithms import ESP_CIPHERS, INTEGRITIES, esp_key_octets
from ikevd.policy.model import EspSuite, Lifetime
from ikevd.policy.priorities import priority
from ikevd.policy.proposals import format_esp
from ikevd.policy.reqids import REQID_FIRST
from ikevd.sa.model import EspKeys, Spi
from ikevd.store.interface import PlacedPolicy
from ikevd.wire.registry import EspTransform, Integrity
from tests.eventually import eventually_async

HERE, PEER = IPv4Address("192.0.2.1"), IPv4Address("198.51.100.1")
HERE6, PEER6 = IPv6Address("2001:db8::1"), IPv6Address("2001:db8:1::1")
AES_SHA256 = EspSuite(EspTransform.AES_CBC, 256, Integrity.HMAC_SHA2_256)
AES_SHA1 = EspSuite(EspTransform.AES_CBC, 128, Integrity.HMAC_SHA1)
AES_GCM = EspSuite(EspTransform.AES_GCM_16, 256, Integrity.NONE)
TRIPLE_DES_MD5 = EspSuite(EspTransform.TRIPLE_DES, 0, Integrity.HMAC_MD5)
LACKING = EspSuite(EspTransform.BLOWFISH, 128, Integrity.HMAC_SHA2_256)
"""What `Bench.without_blowfish` takes away."""
EVERY_CIPHER = [
    EspSuite(transform, bits, Integrity.NONE if row.icv_bits else Integrity.HMAC_SHA2_256)
    for transform, row in ESP_CIPHERS.items()
    for _, bits in list(row.words())[:: 13 if transform == EspTransform.BLOWFISH else 1]
]
"""Each with each key length, but of the 52 of Blowfish four."""
EVERY_INTEGRITY = [EspSuite(EspTransform.AES_CBC, 128, integrity) for integrity in INTEGRITIES]
REQID = REQID_FIRST + 7
FORMER_REQID = REQID + 9
FOREIGN_REQID = 1
CHANGES = [
    (before, after) for before in Action for after in Action if after is not Action.BYPASS or before is Action.BYPASS
]
"""Of one policy. A bypass has no reqid by which it could claim what a child owns."""
SPI = Spi(0x0A0B0C0D)


class Bench(Protocol):
    """A kernel and what happens to it from outside."""

    @property
    def kernel(self) -> Kernel:
        """Empty at first."""

    def shorten_reservations(self) -> float:
        """Seconds after which an SPI that is reserved from now on is forgotten; otherwise thirty."""

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and the kernel act on it."""

    def without_blowfish(self) -> AbstractContextManager[None]:
        """For a while the kernel lacks the cipher."""

    def successor(self) -> Kernel:
        """What a new process has of this kernel."""

    def remove_sa(self, sa: SaId) -> None:
        """Another program removes an SA."""

    def remove_policy(self, policy: PolicyId) -> None:
        """Another program removes a policy."""

    def change_policy(self, policy: KernelPolicy) -> None:
        """Another program changes the policy of that selector, or installs it."""

    def flush_sas(self) -> None:
        """Another program removes all SAs."""

    def flush_policies(self) -> None:
        """Another program removes all policies."""

    def plant_sa(self, sa: SaId, reqid: int) -> None:
        """Another program installs an SA."""

    def plant_policy(self, policy: PolicyId, reqid: int) -> None:
        """Another program installs a policy."""

    def plant_block(self, policy: PolicyId, priority: int) -> None:
        """Another program installs a block without a template."""


def sa_of(
    spi: Spi = SPI,
    *,
    suite: EspSuite = AES_SHA256,
    source: Address = HERE,
    destination: Address = PEER,
    lifetime: Lifetime = Lifetime(3600),  # noqa: B008  # frozen
    replay_window: int = 128,
    reqid: int = REQID,
) -> KernelSa:
    """An SA."""
    return KernelSa(source, destination, spi, reqid, suite, lifetime, replay_window)


def keys_of(suite: EspSuite) -> EspKeys:
    """Keys of the right lengths."""
    cipher_octets, mac_octets = esp_key_octets(suite.transform, suite.key_bits, suite.integrity)
    return EspKeys(Secret(bytes(range(cipher_octets))), Secret(bytes(range(mac_octets))))


async def add(kernel: Kernel, sa: KernelSa, *, reserved: bool = False) -> None:
    """Install the SA under keys of the right lengths."""
    await kernel.add_sa(sa, keys_of(sa.suite), reserved=reserved)


def policy_of(
    source: str = "10.1.0.0/24",
    destination: str = "10.2.0.0/24",
    *,
    ports: tuple[int, int, int] = (0, 0, 0),
    direction: Direction = Direction.OUT,
    action: Action = Action.TUNNEL,
    ends: tuple[Address, Address] = (HERE, PEER),
    reqid: int = REQID,
) -> KernelPolicy:
    """A policy; `ports` are protocol, source and destination port."""
    name = PolicyId(ip_network(source), ip_network(destination), *ports, direction)
    bypass = action is Action.BYPASS
    number = priority(name.source, name.destination, *ports, bypass=bypass)
    return KernelPolicy(name, action, number, None if bypass else Template(*ends, reqid))


async def standing(kernel: Kernel) -> list[KernelPolicy | None]:
    """The policies of a dump, as they could be put."""
    return [found.policy for found in await kernel.dump_policies()]


async def sa_ids(kernel: Kernel, *, larval: bool = False) -> list[SaId]:
    """The SAs of a dump that are, or are not, larval."""
    return [found.id for found in await kernel.dump_sas() if found.larval == larval]


class KernelContract:
    """The suite: a subclass gives the fixture `bench`."""

    # -- SPIs and SAs

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
        told: list[KernelEvent] = []
        bench.kernel.on_event(told.append)
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
    @pytest.mark.parametrize("replay_window", [1, 32, 33, 128, 4096])
    async def test_suites_and_windows(self, bench: Bench, suite: EspSuite, replay_window: int) -> None:
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

    @pytest.mark.parametrize("replay_window", [0, 4097])
    async def test_a_window_that_no_kernel_holds(self, bench: Bench, replay_window: int) -> None:
        with pytest.raises(KernelRefused, match=f"1 to 4096 packets, not {replay_window}"):
            await add(bench.kernel, sa_of(replay_window=replay_window))
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
            (EspSuite(EspTransform(99), 0, Integrity.HMAC_SHA1), "ESPTRANSFORM_99"),
            (EspSuite(EspTransform.AES_CBC, 128, Integrity.KPDK), "KPDK"),
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

    # -- policies

    async def test_a_policy_that_no_packet_took_and_one_that_is_gone_have_no_last_packet(self, bench: Bench) -> None:
        assert await bench.kernel.idle_seconds(policy_of().id) is None
        await bench.kernel.put_policy(policy_of())
        assert await bench.kernel.idle_seconds(policy_of().id) is None

    async def test_a_policy_is_replaced_by_its_owner(self, bench: Bench) -> None:
        for destination in (PEER, IPv4Address("203.0.113.9")):
            policy = policy_of(ends=(HERE, destination))
            await bench.kernel.put_policy(policy)
            assert await standing(bench.kernel) == [policy]
        await bench.kernel.delete_policy(policy_of().id, REQID)
        assert await bench.kernel.dump_policies() == []

    @pytest.mark.parametrize(("before", "after"), CHANGES)
    @pytest.mark.parametrize("direction", list(Direction))
    async def test_block_tunnel_and_bypass_are_one_policy_that_changes(
        self, bench: Bench, before: Action, after: Action, direction: Direction
    ) -> None:
        for action in (before, after):
            policy = policy_of(direction=direction, action=action)
            await bench.kernel.put_policy(policy)
            assert await standing(bench.kernel) == [policy]
        await bench.kernel.delete_policy(policy.id, policy.reqid)
        assert await standing(bench.kernel) == []

    async def test_a_bypass_does_not_replace_what_a_child_owns(self, bench: Bench) -> None:
        await bench.kernel.put_policy(policy_of(action=Action.BLOCK))
        with pytest.raises(KernelRefused, match=f"reqid {REQID:#x}"):
            await bench.kernel.put_policy(policy_of(action=Action.BYPASS))
        assert await standing(bench.kernel) == [policy_of(action=Action.BLOCK)]

    @pytest.mark.parametrize("before", list(Action))
    @pytest.mark.parametrize("after", list(Action))
    async def test_a_policy_under_a_former_reqid_of_ours_is_turned(
        self, bench: Bench, before: Action, after: Action
    ) -> None:
        await bench.kernel.put_policy(policy_of(action=before, reqid=FORMER_REQID))
        policy = policy_of(action=after)
        await bench.kernel.put_policy(policy, former=FORMER_REQID)
        assert await standing(bench.kernel) == [policy]
        await bench.kernel.delete_policy(policy.id, FORMER_REQID)
        assert await standing(bench.kernel) == [policy], "the former holder has none any more"

    @pytest.mark.parametrize("reqid", [FOREIGN_REQID, FORMER_REQID], ids=["its reqid", "its priority"])
    async def test_what_is_not_ours_by_reqid_and_priority_is_not_turned(self, bench: Bench, reqid: int) -> None:
        bench.plant_policy(policy_of().id, reqid)
        with pytest.raises(KernelRefused, match=f"reqid {reqid:#x}"):
            await bench.kernel.put_policy(policy_of(), former=reqid)

    async def test_nor_what_has_another_reqid_than_the_former(self, bench: Bench) -> None:
        await bench.kernel.put_policy(policy_of(reqid=REQID + 1))
        with pytest.raises(KernelRefused, match=f"reqid {REQID + 1:#x}"):
            await bench.kernel.put_policy(policy_of(), former=FORMER_REQID)

    async def test_a_changed_policy_may_have_another_priority(self, bench: Bench) -> None:
        policy = policy_of(action=Action.BLOCK)
        for number in (policy.priority, policy.priority + 1, policy.priority):
            await bench.kernel.put_policy(replace(policy, priority=number))
            assert await standing(bench.kernel) == [replace(policy, priority=number)]

    async def test_at_another_priority_too_another_owner_holds_the_selector(self, bench: Bench) -> None:
        bench.plant_policy(policy_of().id, FOREIGN_REQID)
        with pytest.raises(KernelRefused, match=r"`ip xfrm policy delete src 10.1.0.0/24 dst .* dir out` removes it"):
            await bench.kernel.put_policy(policy_of(action=Action.BLOCK))

    async def test_a_policy_without_a_reqid_is_ours_only_at_a_priority_of_ours(self, bench: Bench) -> None:
        bench.plant_block(policy_of().id, 0)
        with pytest.raises(KernelRefused, match="another owner's stands there, without a reqid"):
            await bench.kernel.put_policy(policy_of())
        await bench.kernel.delete_policy(policy_of().id, 0)
        assert [found.id for found in await bench.kernel.dump_policies()] == [policy_of().id]

    async def test_policies_differ_by_direction_protocol_and_port(self, bench: Bench) -> None:
        policies = [
            policy_of(direction=direction, ports=ports)
            for direction in Direction
            for ports in [(0, 0, 0), (6, 0, 0), (6, 0, 443), (17, 53, 0)]
        ]
        for policy in policies:
            await bench.kernel.put_policy(policy)
        found = await bench.kernel.dump_policies()
        assert {policy.id for policy in found} == {policy.id for policy in policies}
        for policy in policies:
            await bench.kernel.delete_policy(policy.id, REQID)
        assert await bench.kernel.dump_policies() == []

    @pytest.mark.parametrize("reqid", [FOREIGN_REQID, REQID + 1])
    async def test_another_owners_policy_is_left_alone(self, bench: Bench, reqid: int) -> None:
        bench.plant_policy(policy_of().id, reqid)
        with pytest.raises(KernelRefused, match=f"10.1.0.0/24 -> 10.2.0.0/24.*reqid {reqid:#x}") as caught:
            await bench.kernel.put_policy(policy_of())
        await bench.kernel.delete_policy(policy_of().id, REQID)
        assert caught.value.errno == errno.EEXIST
        (found,) = await bench.kernel.dump_policies()
        assert (found.id, found.reqid) == (policy_of().id, reqid)

    async def test_another_owners_sa_is_left_alone(self, bench: Bench) -> None:
        bench.plant_sa(SaId(PEER, SPI), FOREIGN_REQID)
        with pytest.raises(KernelRefused):
            await add(bench.kernel, sa_of())
        await bench.kernel.delete_sa(SaId(PEER, SPI))
        (found,) = await bench.kernel.dump_sas()
        assert (found.id, found.reqid, found.larval) == (SaId(PEER, SPI), FOREIGN_REQID, False)

    # -- limits

    async def test_a_dump_tells_when_an_sa_ends(self, bench: Bench) -> None:
        await bench.kernel.reserve_spi(PEER, HERE, REQID)
        await add(bench.kernel, sa_of(lifetime=Lifetime(3600, 2000)))
        ends = {found.id.spi: found.ends_in for found in await bench.kernel.dump_sas()}
        assert 3590 < (ends.pop(SPI) or 0) <= 3600
        assert list(ends.values()) == [None]

    @pytest.mark.parametrize("encap", [None, UdpPorts(4500, 4500)], ids=["esp", "udp"])
    @pytest.mark.parametrize("suite", [AES_SHA256, TRIPLE_DES_MD5, AES_GCM], ids=format_esp)
    async def test_a_live_sa_is_given_an_earlier_end(
        self, bench: Bench, suite: EspSuite, encap: UdpPorts | None
    ) -> None:
        told: list[KernelEvent] = []
        bench.kernel.on_event(told.append)
        await add(bench.kernel, replace(sa_of(suite=suite), encap=encap))
        await bench.kernel.limit_sa(SaId(PEER, SPI), 2)
        (found,) = await bench.kernel.dump_sas()
        assert (found.encap, found.larval) == (encap, False)
        await bench.pass_time(2)
        assert await bench.kernel.dump_sas() == []
        assert SaExpired(SaId(PEER, SPI), REQID, hard=True) in told

    async def test_a_live_sa_is_given_a_later_end(self, bench: Bench) -> None:
        await add(bench.kernel, sa_of(lifetime=Lifetime(3)))
        await bench.kernel.limit_sa(SaId(PEER, SPI), 3600)
        await bench.pass_time(3)
        (found,) = await bench.kernel.dump_sas()
        assert 3500 < (found.ends_in or 0) <= 3597

    async def test_no_limit_is_given_to_what_is_gone_larval_or_anothers(self, bench: Bench) -> None:
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID)
        bench.plant_sa(SaId(PEER, SPI), FOREIGN_REQID)
        for sa in (SaId(HERE, spi), SaId(PEER, SPI), SaId(PEER, Spi(0x2222))):
            await bench.kernel.limit_sa(sa, 60)
        assert {(found.id.spi, found.ends_in) for found in await bench.kernel.dump_sas()} == {(spi, None), (SPI, None)}

    # -- what others change

    async def test_a_removed_sa_is_told(self, bench: Bench) -> None:
        told: list[KernelEvent] = []
        bench.kernel.on_event(told.append)
        await add(bench.kernel, sa_of())
        bench.remove_sa(SaId(PEER, SPI))
        await eventually_async(lambda: told)
        assert told == [SaRemoved(SaId(PEER, SPI), REQID)]

    async def test_flushed_sas_are_told(self, bench: Bench) -> None:
        told: list[KernelEvent] = []
        bench.kernel.on_event(told.append)
        await add(bench.kernel, sa_of())
        bench.flush_sas()
        await eventually_async(lambda: told)
        assert told == [SasFlushed()]
        assert await bench.kernel.dump_sas() == []

    async def test_removed_and_flushed_policies_are_told(self, bench: Bench) -> None:
        told: list[KernelEvent] = []
        bench.kernel.on_event(told.append)
        first, second = policy_of(), policy_of(direction=Direction.FWD, action=Action.BLOCK)
        for policy in (first, second):
            await bench.kernel.put_policy(policy)
        bench.remove_policy(first.id)
        bench.flush_policies()
        await eventually_async(lambda: len(told) > 1)
        assert told == [PolicyRemoved(first.id), PoliciesFlushed()]

    @pytest.mark.parametrize("action", list(Action))
    async def test_a_changed_policy_is_told_and_found_as_it_is_now(self, bench: Bench, action: Action) -> None:
        told: list[KernelEvent] = []
        bench.kernel.on_event(told.append)
        await bench.kernel.put_policy(policy_of())
        changed = replace(policy_of(action=action, reqid=FOREIGN_REQID), priority=17)
        bench.change_policy(changed)
        await eventually_async(lambda: told)
        assert told == [PolicyChanged(policy_of().id)]
        assert await standing(bench.kernel) == [changed]

    async def test_what_this_process_changes_is_not_told_to_it(self, bench: Bench) -> None:
        told: list[KernelEvent] = []
        bench.kernel.on_event(told.append)
        await add(bench.kernel, sa_of())
        await bench.kernel.limit_sa(SaId(PEER, SPI), 60)
        for action in (Action.BLOCK, Action.TUNNEL):
            await bench.kernel.put_policy(policy_of(action=action))
        await bench.kernel.delete_policy(policy_of().id, REQID)
        await bench.kernel.delete_sa(SaId(PEER, SPI))
        await add(bench.kernel, sa_of())
        bench.remove_sa(SaId(PEER, SPI))
        await eventually_async(lambda: told)
        assert told == [SaRemoved(SaId(PEER, SPI), REQID)]

    async def test_neither_a_removed_reservation_nor_anothers_sa_is_told(self, bench: Bench) -> None:
        told: list[KernelEvent] = []
        bench.kernel.on_event(told.append)
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID)
        bench.remove_sa(SaId(HERE, spi))
        bench.plant_sa(SaId(PEER, Spi(0x2222)), FOREIGN_REQID)
        bench.remove_sa(SaId(PEER, Spi(0x2222)))
        await add(bench.kernel, sa_of())
        bench.remove_sa(SaId(PEER, SPI))
        await eventually_async(lambda: told)
        assert told == [SaRemoved(SaId(PEER, SPI), REQID)]

    # -- expiry, trial

    async def test_the_soft_limit_stands_a_second_before_the_hard_one(self, bench: Bench) -> None:
        told: list[KernelEvent] = []
        bench.kernel.on_event(told.append)
        await add(bench.kernel, sa_of(lifetime=Lifetime(3)))
        for _ in range(3):
            await bench.pass_time(1)
        assert told == [SaExpired(SaId(PEER, SPI), REQID, hard) for hard in (False, True)]

    async def test_an_expired_sa_is_gone_and_told(self, bench: Bench) -> None:
        told: list[KernelEvent] = []
        bench.kernel.on_event(told.append)
        await add(bench.kernel, sa_of(lifetime=Lifetime(1)))
        await add(bench.kernel, sa_of(Spi(0x1111), reqid=FOREIGN_REQID, lifetime=Lifetime(1)))
        await bench.pass_time(1)
        assert await bench.kernel.dump_sas() == []
        assert told == [SaExpired(SaId(PEER, SPI), REQID, hard=True)]

    @pytest.mark.parametrize("suite", EVERY_CIPHER + EVERY_INTEGRITY, ids=format_esp)
    async def test_probe_of_every_suite_succeeds_and_leaves_nothing(self, bench: Bench, suite: EspSuite) -> None:
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

    # -- what a killed daemon left, and nobody knows any more

    async def test_what_nobody_knows_is_removed_if_it_is_ours_and_nothing_else(self, bench: Bench) -> None:
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID)
        await add(bench.kernel, sa_of(spi, source=PEER, destination=HERE), reserved=True)
        await add(bench.kernel, sa_of())
        for direction in Direction:
            await bench.kernel.put_policy(policy_of(direction=direction))
        other_sa, other_policy = SaId(PEER, Spi(0x3333)), policy_of("10.3.0.0/24").id
        bench.plant_sa(other_sa, FOREIGN_REQID)
        bench.plant_policy(other_policy, FOREIGN_REQID)

        left = await judge(await InKernel.read(bench.kernel), Known(), {}, unknown_too=True)
        said = await remove_unknown(bench.kernel, left.unknown)
        assert sorted(text.split(": ")[1].split()[0] for text in said) == ["ESP", "ESP", "fwd", "in", "out"]
        assert await sa_ids(bench.kernel) == [other_sa]
        assert [policy.id for policy in await bench.kernel.dump_policies()] == [other_policy]

    async def test_what_is_known_stays(self, bench: Bench) -> None:
        await add(bench.kernel, sa_of())
        await bench.kernel.put_policy(policy_of())
        known = Known(taken_sas={SaId(PEER, SPI)})
        found = await InKernel.read(bench.kernel)
        left = await judge(found, known, {policy_of().id: policy_of()}, unknown_too=True)
        assert left == Leavings()

    async def test_what_the_store_knows_and_nobody_wants_is_removed_and_nothing_else(self, bench: Bench) -> None:
        for number, reqid in enumerate((REQID, FORMER_REQID)):
            await add(bench.kernel, sa_of(Spi(SPI + number), reqid=reqid))
            await bench.kernel.put_policy(policy_of(f"10.3.{number}.0/24", reqid=reqid))
        known = Known(sas={SaId(PEER, SPI)}, policies={PlacedPolicy(policy_of("10.3.0.0/24").id, REQID)})
        left = await judge(await InKernel.read(bench.kernel), known, {}, unknown_too=False)
        assert await remove_known(bench.kernel, left) == []
        assert await sa_ids(bench.kernel) == [SaId(PEER, Spi(SPI + 1))]
        assert [policy.reqid for policy in await bench.kernel.dump_policies()] == [FORMER_REQID]
