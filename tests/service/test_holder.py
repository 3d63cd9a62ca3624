"""The process that holds the sockets, without a daemon: what it gives out, to whom, and when it ends."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ikevd.service.former_holder import FormerHolder, find_holder
from ikevd.service.holder import ANEW, AT_MOST, STEADY, HolderProcess, Pauses
from ikevd.service.holder_process import NAME
from tests.eventually import eventually_async
from tests.service.daemon import end_holder, runs, sockets_of

pytestmark = pytest.mark.long  # starts processes

LONG = 3600.0
Start = Callable[..., HolderProcess]


@pytest.fixture
def trouble() -> list[str]:
    return []


@pytest.fixture
async def start(tmp_path: Path, trouble: list[str]) -> AsyncIterator[Start]:
    """Starts our end of a holder."""
    started: list[HolderProcess] = []

    def begin(former: FormerHolder | None = None) -> HolderProcess:
        started.append(HolderProcess(tmp_path, former, trouble.append))
        return started[-1]

    yield begin
    for holder in started:
        holder.close()
    end_holder(tmp_path)


def udp() -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    return bound


def inode(of: socket.socket) -> str:
    return str(os.fstat(of.fileno()).st_ino)


def told_of(pid: int, file: str) -> str:
    return Path(f"/proc/{pid}/{file}").read_text()


async def standing(holder: HolderProcess) -> int:
    pid = await eventually_async(lambda: holder.pid)
    assert pid is not None
    return pid


async def test_its_door_is_for_its_owner_alone(start: Start, tmp_path: Path) -> None:
    with udp() as kept:
        holder = start()
        holder.keep({"ike": kept})
        await standing(holder)
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [NAME]


async def test_it_has_no_environment_and_its_own_name(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSK", "a key that stands in the environment")
    with udp() as kept:
        holder = start()
        holder.keep({"ike": kept})
        pid = await standing(holder)
    assert told_of(pid, "environ") == ""
    assert told_of(pid, "comm") == "ikevd-holder\n"


async def test_the_next_one_gets_what_it_holds_with_the_names(start: Start, tmp_path: Path, trouble: list[str]) -> None:
    with udp() as one, udp() as two:
        holder = start()
        holder.outlast(LONG)
        holder.keep({"one": one, "two": two})
        pid = await standing(holder)
        holder.close()
        former = find_holder(tmp_path, trouble.append)
        assert former is not None
        assert (former.pid, former.understands) == (pid, True)
        assert {held.name: inode(held.socket) for held in former.held} == {"one": inode(one), "two": inode(two)}
        for held in former.held:
            held.socket.close()
        former.end()
    await eventually_async(lambda: not runs(pid))


async def test_what_is_not_to_be_kept_is_closed_when_keep_returns(start: Start, tmp_path: Path) -> None:
    with udp() as one, udp() as two:
        holder = start()
        holder.keep({"one": one, "two": two})
        pid = await standing(holder)
        holder.keep({"two": two})
        assert inode(one) not in sockets_of(pid)
        assert inode(two) in sockets_of(pid)


async def test_another_socket_of_the_same_name_takes_the_place_of_the_first(start: Start) -> None:
    with udp() as one, udp() as two:
        holder = start()
        holder.keep({"ike": one})
        pid = await standing(holder)
        holder.keep({"ike": two})
        await eventually_async(lambda: inode(two) in sockets_of(pid))
        assert inode(one) not in sockets_of(pid)


async def test_it_ends_a_while_after_the_last_daemon_has_gone(start: Start, tmp_path: Path) -> None:
    with udp() as kept:
        holder = start()
        holder.outlast(0.1)
        holder.keep({"ike": kept})
        pid = await standing(holder)
        holder.close()
    await eventually_async(lambda: not runs(pid))
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize(
    "lost", [Path.unlink, lambda door: door.rename(door.with_name("other"))], ids=["gone", "moved"]
)
async def test_it_ends_where_no_other_daemon_could_find_it(
    start: Start, tmp_path: Path, lost: Callable[[Path], object]
) -> None:
    """As where the runtime folder was removed."""
    with udp() as kept:
        holder = start()
        holder.outlast(LONG)
        holder.keep({"ike": kept})
        pid = await standing(holder)
        lost(tmp_path / NAME)
        assert runs(pid)
        holder.close()
    await eventually_async(lambda: not runs(pid))


async def test_it_ends_at_once_when_it_is_released(start: Start) -> None:
    with udp() as kept:
        holder = start()
        holder.outlast(LONG)
        holder.keep({"ike": kept})
        pid = await standing(holder)
        holder.release()
    await eventually_async(lambda: not runs(pid))


async def test_one_that_dies_gets_a_successor_that_holds_the_same(start: Start, trouble: list[str]) -> None:
    with udp() as kept:
        holder = start()
        holder.keep({"ike": kept})
        first = await standing(holder)
        os.kill(first, signal.SIGKILL)
        await eventually_async(lambda: holder.problem == "their holder ended; another one is started")
        assert holder.pid is None
        second = await standing(holder)
        await eventually_async(lambda: inode(kept) in sockets_of(second))
    assert trouble == ["the UDP sockets would not outlive ikevd: their holder ended; another one is started in 0.5 s"]


async def test_a_folder_whose_name_is_longer_than_the_address_of_a_socket_may_be(
    tmp_path: Path, trouble: list[str]
) -> None:
    folder = tmp_path / ("a" * 100) / ("b" * 100)
    folder.mkdir(parents=True)
    with udp() as kept:
        holder = HolderProcess(folder, None, trouble.append)
        holder.outlast(LONG)
        holder.keep({"ike": kept})
        pid = await standing(holder)
        holder.close()
    end_holder(folder)
    await eventually_async(lambda: not runs(pid))


def test_no_holder_is_no_trouble(tmp_path: Path, trouble: list[str]) -> None:
    assert find_holder(tmp_path, trouble.append) is None
    assert find_holder(tmp_path / "nowhere", trouble.append) is None
    assert not trouble


def test_what_answers_in_another_language_is_told(tmp_path: Path, trouble: list[str]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.bind(str(tmp_path / NAME))
        stranger.listen()
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(find_holder, tmp_path, trouble.append)
            asking, _ = stranger.accept()
            with asking:
                asking.send(b"good day")
                assert found.result() is None
    assert trouble == [
        f"the holder of the UDP sockets at {tmp_path / NAME} cannot be asked: it answers in another language"
    ]


def test_the_pauses_grow_while_none_lives_long() -> None:
    pauses = Pauses()
    assert [pauses.next(float(now)) for now in range(9)] == [ANEW, 1, 2, 4, 8, 16, 32, AT_MOST, AT_MOST]
    pauses.stands(100.0)
    assert pauses.next(100.0 + STEADY) == ANEW
