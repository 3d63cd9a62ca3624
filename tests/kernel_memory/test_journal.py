"""The journal: what a killed daemon leaves behind for the next."""

import errno
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd.errors import KernelRefused
from ikevd.host.interface import Direction, SaId
from ikevd.kernel.journal import SPARE_LINES, Journal, load
from ikevd.kernel.journaled import JournaledKernel
from ikevd.kernel.memory import MemoryKernel
from ikevd.sa.model import Spi
from tests.kernel.contract import AES_SHA256, HERE, PEER, PEER6, REQID, SPI, add, policy_of, sa_of

SA, SA6 = SaId(PEER, SPI), SaId(PEER6, Spi(1))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kernel.journal"


def size_of(path: Path) -> int:
    return path.stat().st_size


@contextmanager
def disk_full_after(octets: int) -> Iterator[None]:
    """No file of this process grows beyond."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_it_outlives_a_kill(path: Path) -> None:
    journal = Journal(path)
    policies = [policy_of(direction=direction, ports=(6, 0, 443)).id for direction in Direction]
    journal.note_sa(SA, REQID)
    journal.note_sa(SA6, REQID + 1)
    for policy in policies:
        journal.note_policy(policy, REQID)
    journal.forget_sa(SA6)
    journal.forget_policy(policies[0])
    journal.close()
    journal.close()
    journal = Journal(path)
    assert journal.sas == {SA: REQID}
    assert journal.policies == {policies[1]: REQID, policies[2]: REQID}
    assert len(path.read_text().splitlines()) == 3
    journal.close()


def test_only_its_owner_can_read_it(path: Path) -> None:
    journal = Journal(path)
    journal.close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_torn_last_line_is_passed_over(path: Path) -> None:
    journal = Journal(path)
    journal.note_sa(SA, REQID)
    journal.note_sa(SA6, REQID)
    journal.close()
    whole = path.read_bytes()
    second = whole.index(b"\n") + 1
    for length in range(second, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert load(path) == ({SA: REQID}, {})
    path.write_bytes(whole[: second + 9])
    journal = Journal(path)
    journal.note_sa(SA6, REQID)
    journal.close()
    assert load(path) == ({SA: REQID, SA6: REQID}, {})


@given(
    st.lists(st.one_of(st.binary(), st.sampled_from([b'{"note": "sa"}', b"[]", b'{"note":"sa","reqid":1,"spi":[]}'])))
)
def test_whatever_stands_in_the_file(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    path = tmp_path_factory.getbasetemp() / "garbage"
    path.write_bytes(b"\n".join(lines))
    assert load(path) == ({}, {})


def test_a_line_of_ever_deeper_brackets_is_passed_over(path: Path) -> None:
    path.write_bytes(b"[" * 100_000)
    assert load(path) == ({}, {})


def test_it_does_not_grow_without_end(path: Path) -> None:
    journal = Journal(path)
    journal.note_sa(SA6, REQID)
    for number in range(3 * SPARE_LINES):
        journal.note_sa(SaId(PEER, Spi(number)), REQID)
        journal.forget_sa(SaId(PEER, Spi(number)))
    assert len(path.read_text().splitlines()) < 2 * SPARE_LINES
    journal.close()
    assert load(path)[0] == {SA6: REQID}


async def test_nothing_is_installed_that_cannot_be_noted(path: Path) -> None:
    memory, journal = MemoryKernel(), Journal(path)
    kernel = JournaledKernel(memory, journal)
    await add(kernel, sa_of())
    await add(kernel, sa_of(Spi(2)))
    for spare in (0, 10):
        with disk_full_after(size_of(path) + spare):
            with pytest.raises(KernelRefused, match="nothing is installed while the journal") as caught:
                await add(kernel, sa_of(Spi(3)))
            assert caught.value.errno in (errno.EFBIG, errno.ENOSPC)
            with pytest.raises(KernelRefused):
                await kernel.put_policy(policy_of())
            await kernel.delete_sa(SaId(PEER, Spi(2)))  # a removal is not hindered
    await add(kernel, sa_of(Spi(4)))
    journal.close()
    assert set(memory.sas) == {SA, SaId(PEER, Spi(4))} == set(load(path)[0]) - {SaId(PEER, Spi(2))}


async def test_the_journal_never_says_less_than_the_kernel(path: Path) -> None:
    memory, journal = MemoryKernel(), Journal(path)
    kernel = JournaledKernel(memory, journal)
    await add(kernel, sa_of())
    await kernel.put_policy(policy_of())
    with pytest.raises(KernelRefused):
        await add(kernel, sa_of())  # it stands already, and stays noted
    memory.fail("put_policy", errno.EINVAL)
    with pytest.raises(KernelRefused):
        await kernel.put_policy(policy_of())
    assert (set(journal.sas), set(journal.policies)) == ({SA}, {policy_of().id})

    fresh_sa, fresh_policy = sa_of(Spi(5)), policy_of("10.7.0.0/16")
    for code, noted in ((errno.EINVAL, False), (errno.EPERM, False), (errno.ETIMEDOUT, True)):
        memory.fail("add_sa", code)
        memory.fail("put_policy", code)
        with pytest.raises(Exception, match="cannot install"):
            await add(kernel, fresh_sa)
        with pytest.raises(Exception, match="cannot install"):
            await kernel.put_policy(fresh_policy)
        assert ((fresh_sa.id in journal.sas), (fresh_policy.id in journal.policies)) == (noted, noted)

    memory.fail("delete_sa", errno.EINVAL)
    memory.fail("delete_policy", errno.EINVAL)
    with pytest.raises(KernelRefused):
        await kernel.delete_sa(SA)
    with pytest.raises(KernelRefused):
        await kernel.delete_policy(policy_of().id, REQID)
    assert SA in journal.sas
    assert policy_of().id in journal.policies
    await kernel.delete_policy(policy_of().id, REQID + 1)
    assert policy_of().id in journal.policies
    await kernel.delete_policy(policy_of().id, REQID)
    await kernel.delete_sa(SA)
    assert SA not in journal.sas
    assert policy_of().id not in journal.policies
    journal.close()


async def test_everything_else_is_passed_on(path: Path) -> None:
    memory, journal = MemoryKernel(), Journal(path)
    kernel = JournaledKernel(memory, journal)
    spi = await kernel.reserve_spi(PEER, HERE, REQID)
    assert list(memory.larval) == [SaId(HERE, spi)]
    assert journal.sas == {}
    assert [found.id for found in await kernel.dump_sas()] == [SaId(HERE, spi)]
    assert await kernel.dump_policies() == []
    assert await kernel.counters(SA) is None
    await kernel.probe(AES_SHA256)
    told: list[object] = []
    kernel.on_event(told.append)
    await add(kernel, sa_of())
    memory.carry(SA, octets=100)
    journal.close()
    assert told == []
