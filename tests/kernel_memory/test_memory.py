"""What the kernel in memory offers beyond the contract."""

import errno
from dataclasses import replace

import pytest

from ikevd.crypto.secret import Secret
from ikevd.errors import KernelRefused, MissingPrivilege
from ikevd.host.events import KernelEvent, Lost, SaExpired, SasFlushed
from ikevd.host.sas import Counters, SaId, UdpPorts
from ikevd.kernel.memory import MemoryKernel
from ikevd.kernel.trial import TRIAL_DESTINATION, TRIES
from ikevd.policy.lives import Lifetime
from ikevd.policy.reqids import REQID_FIRST
from ikevd.sa.model import Spi
from tests.kernel.samples import AES_SHA256, HERE, PEER, REQID, SPI, add, keys_of, policy_of, sa_of


async def test_what_stands_can_be_looked_at() -> None:
    kernel = MemoryKernel()
    spi = await kernel.reserve_spi(PEER, HERE, REQID)
    await add(kernel, sa_of())
    await kernel.put_policy(policy_of())
    kernel.plant_sa(SaId(PEER, Spi(9)), 1)
    kernel.plant_policy(policy_of("10.9.0.0/16").id, 1)
    assert kernel.sas == {SaId(PEER, SPI): sa_of()}
    assert list(kernel.larval) == [SaId(HERE, spi)]
    assert kernel.policies == {policy_of().id: policy_of()}
    assert await kernel.counters(SaId(PEER, Spi(9))) == Counters(0, 0)


async def test_the_nth_call_fails() -> None:
    kernel = MemoryKernel()
    kernel.fail("put_policy", errno.ENOMEM, nth=2)
    await kernel.put_policy(policy_of("10.3.0.0/16"))
    with pytest.raises(KernelRefused, match=r"cannot install the out policy 10.4.0.0/16 -> .*ENOMEM") as caught:
        await kernel.put_policy(policy_of("10.4.0.0/16"))
    await kernel.put_policy(policy_of("10.5.0.0/16"))
    assert caught.value.errno == errno.ENOMEM
    assert len(kernel.policies) == 2


async def test_every_operation_can_fail_and_changes_nothing() -> None:
    kernel = MemoryKernel()
    await add(kernel, sa_of())
    await kernel.put_policy(policy_of())
    calls = {
        "reserve_spi": lambda: kernel.reserve_spi(PEER, HERE, REQID),
        "add_sa": lambda: add(kernel, sa_of(Spi(2))),
        "delete_sa": lambda: kernel.delete_sa(SaId(PEER, SPI)),
        "change_ports": lambda: kernel.change_ports(SaId(PEER, SPI), UdpPorts(4500, 4501)),
        "move_sa": lambda: kernel.move_sa(SaId(PEER, SPI), sa_of()),
        "limit_sa": lambda: kernel.limit_sa(SaId(PEER, SPI), 1),
        "counters": lambda: kernel.counters(SaId(PEER, SPI)),
        "put_policy": lambda: kernel.put_policy(policy_of("10.3.0.0/16")),
        "delete_policy": lambda: kernel.delete_policy(policy_of().id, REQID),
        "dump_sas": kernel.dump_sas,
        "dump_policies": kernel.dump_policies,
    }
    for operation, call in calls.items():
        kernel.fail(operation, errno.EPERM)  # type: ignore[arg-type]  # the keys are its operations
        with pytest.raises(MissingPrivilege, match="CAP_NET_ADMIN"):
            await call()
    assert (set(kernel.sas), set(kernel.policies)) == ({SaId(PEER, SPI)}, {policy_of().id})
    assert list(kernel.larval) == []


async def test_healed_it_fails_no_more() -> None:
    kernel = MemoryKernel()
    kernel.fail("put_policy", errno.ENOMEM)
    kernel.heal()
    await kernel.put_policy(policy_of())
    assert len(kernel.policies) == 1


async def test_an_sa_that_is_added_again_under_its_keys_is_dead() -> None:
    kernel = MemoryKernel()
    await add(kernel, sa_of())
    await add(kernel, sa_of(Spi(2)))
    assert kernel.dead == []
    await kernel.delete_sa(SaId(PEER, SPI))
    await add(kernel, sa_of())
    assert kernel.dead == [SaId(PEER, SPI)]


async def test_under_other_keys_the_same_name_is_alive() -> None:
    kernel = MemoryKernel()
    await add(kernel, sa_of())
    await kernel.delete_sa(SaId(PEER, SPI))
    others = replace(keys_of(AES_SHA256), integrity=Secret(bytes(32)))
    await kernel.add_sa(sa_of(), others, reserved=False)
    assert kernel.dead == []


async def test_what_happens_while_it_is_deaf_is_not_told_but_that_something_was_lost() -> None:
    kernel, told = MemoryKernel(), list[KernelEvent]()
    kernel.on_event(told.append)
    await add(kernel, sa_of())
    with kernel.deaf():
        kernel.remove_sa(SaId(PEER, SPI))
        kernel.flush_policies()
    kernel.flush_sas()
    assert told == [Lost(), SasFlushed()]


async def test_packets_are_counted_and_end_an_sa() -> None:
    kernel, told = MemoryKernel(), list[KernelEvent]()
    kernel.on_event(told.append)
    await add(kernel, sa_of(lifetime=Lifetime(3600, 1)))
    kernel.carry(SaId(PEER, SPI), octets=1000, packets=10)
    assert await kernel.counters(SaId(PEER, SPI)) == Counters(1000, 10)
    kernel.carry(SaId(PEER, SPI), octets=24)
    assert told == [SaExpired(SaId(PEER, SPI), REQID, hard=True)]
    assert kernel.sas == {}


async def test_another_programs_sa_carries_nothing_here() -> None:
    kernel = MemoryKernel()
    kernel.plant_sa(SaId(PEER, SPI), 1)
    with pytest.raises(ValueError, match="not installed by add_sa"):
        kernel.carry(SaId(PEER, SPI), octets=1)


class Monotony:
    """Entropy that repeats itself, then not."""

    def __init__(self, repeats: int) -> None:
        self.left = repeats

    def octets(self, count: int) -> bytes:
        self.left -= 1
        return bytes(count) if self.left >= 0 else bytes([-self.left % 256]) * count


async def test_a_reserved_spi_is_not_given_twice() -> None:
    kernel = MemoryKernel(entropy=Monotony(2))
    assert await kernel.reserve_spi(PEER, HERE, REQID) == 0xD0000000
    assert await kernel.reserve_spi(PEER, HERE, REQID) == 0xD0101010


async def test_a_trial_whose_spis_are_all_taken() -> None:
    kernel = MemoryKernel(entropy=Monotony(10**6))
    await kernel.probe(AES_SHA256)
    kernel.plant_sa(SaId(TRIAL_DESTINATION, Spi(0x10000000)), REQID_FIRST)
    with pytest.raises(KernelRefused, match=f"{TRIES} random SPIs were all in use"):
        await kernel.probe(AES_SHA256)


async def test_a_trial_that_fails_for_another_reason() -> None:
    kernel = MemoryKernel()
    kernel.fail("add_sa", errno.ENOMEM)
    with pytest.raises(KernelRefused, match=r"cbc\(aes\) with hmac\(sha256\) cannot be used: .*ENOMEM"):
        await kernel.probe(AES_SHA256)
    kernel.fail("add_sa", errno.EPROTONOSUPPORT)
    with pytest.raises(KernelRefused, match=r"^this kernel has no ESP for IPv4 \(module esp4\)$"):
        await kernel.probe(AES_SHA256)
