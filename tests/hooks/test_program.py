"""Programs that are really run: what they find, and what is found out when one fails."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ikevd.errors import Finding
from ikevd.hook_findings import HookExited, HookKilled, HookNotRun, HookTimedOut
from ikevd.hooks import program
from tests.eventually import eventually_async
from tests.hooks.calls import SHELL, ran, script


async def test_a_program_is_told_by_its_arguments_and_its_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_DAEMON", "1")
    path = script(tmp_path, f'env > {tmp_path}/env; printf "%s|" "$@" > {tmp_path}/arguments')
    assert await ran(path, {"PATH": "/usr/bin:/bin", "PLUTO_VERB": "up-host"}, arguments=("a b", "$(id)", "")) is None
    environ = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert environ.items() >= {"PATH": "/usr/bin:/bin", "PLUTO_VERB": "up-host"}.items()
    assert environ.keys() <= {"PATH", "PLUTO_VERB", "PWD", "OLDPWD", "SHLVL", "_"}, "the shell's own besides"
    assert (tmp_path / "arguments").read_text() == "a b|$(id)||"


async def test_a_program_has_none_of_the_daemons_descriptors_and_a_process_group_of_its_own(tmp_path: Path) -> None:
    ours = os.memfd_create("of-the-daemon")
    os.set_inheritable(ours, True)
    text = f"ls -l /proc/self/fd > {tmp_path}/fds; cut -d' ' -f5,6 /proc/$$/stat > {tmp_path}/group"
    assert await ran(script(tmp_path, text)) is None
    os.close(ours)
    assert "of-the-daemon" not in (tmp_path / "fds").read_text()
    assert str(os.getpgrp()) not in (tmp_path / "group").read_text().split()


async def test_an_exit_code_is_told_with_the_last_lines_of_standard_error(tmp_path: Path) -> None:
    path = script(tmp_path, "for n in 1 2 3 4 5 6 7; do echo line $n >&2; done; echo not this; exit 3")
    assert await ran(path) == HookExited(str(path), "lan", True, tuple(f"line {n}" for n in range(3, 8)), code=3)


async def test_of_endless_words_the_last_two_kilobytes_are_kept_and_none_that_moves_a_cursor(tmp_path: Path) -> None:
    path = script(tmp_path, "head -c 1000000 /dev/zero | tr '\\0' x >&2; printf '\\033[2Jend' >&2; exit 1")
    found = await ran(path)
    assert isinstance(found, HookExited)
    assert (len("".join(found.stderr)) < 2100, "".join(found.stderr)[-9:]) == (True, "x1b[2Jend")


async def test_a_program_that_writes_and_ends_well_has_not_failed(tmp_path: Path) -> None:
    assert await ran(script(tmp_path, "echo done >&2; exit 0")) is None


@pytest.mark.parametrize(("number", "name"), [(11, "SIGSEGV"), (40, "40")])
async def test_a_signal_is_told_by_its_name_if_it_has_one(tmp_path: Path, number: int, name: str) -> None:
    path = script(tmp_path, f"kill -{number} $$")
    assert await ran(path) == HookKilled(str(path), "lan", True, signal=name)


async def test_a_program_that_does_not_end_is_ended_with_all_that_it_has_begun(tmp_path: Path) -> None:
    path = script(tmp_path, f"echo waiting >&2; sleep 1000 & echo $! > {tmp_path}/pid; wait")
    found = await ran(path, timeout=1.5)
    assert found == HookTimedOut(str(path), "lan", True, ("waiting",), seconds=1.5)
    child = int((tmp_path / "pid").read_text())
    await eventually_async(lambda: not _runs(child))


async def test_a_program_that_does_not_listen_to_sigterm_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "GRACE", 0.3)
    path = script(tmp_path, "trap '' TERM; while :; do sleep 0.1; done")
    assert isinstance(await ran(path, timeout=0.5), HookTimedOut)


async def test_a_program_has_ended_though_what_it_left_behind_keeps_its_standard_error(tmp_path: Path) -> None:
    path = script(tmp_path, f"sleep 30 & echo $! > {tmp_path}/pid")
    assert await ran(path, timeout=20.0) is None
    os.kill(int((tmp_path / "pid").read_text()), 9)


async def test_a_program_that_cannot_be_watched_is_ended_since_no_time_would_bound_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = list[int]()

    def no_descriptor_left(pid: int) -> int:
        begun.append(pid)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pidfd_open", no_descriptor_left)
    path = script(tmp_path, "exec sleep 1000")
    assert await ran(path) == HookNotRun(str(path), "lan", True, reason="Too many open files")
    assert [pid for pid in begun if _runs(pid)] == []


async def test_what_is_cancelled_is_ended(tmp_path: Path) -> None:
    path = script(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 1000")
    task = asyncio.ensure_future(ran(path))
    await eventually_async(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _runs(int((tmp_path / "pid").read_text()))


def _missing(folder: Path) -> tuple[Path, str]:
    return folder / "none", "No such file or directory"


def _not_executable(folder: Path) -> tuple[Path, str]:
    return script(folder, "exit 0", mode=0o644), "is not executable; run: chmod 755"


def _everybodys(folder: Path) -> tuple[Path, str]:
    return script(folder, "exit 0", mode=0o777), "is open to everybody, who could change it"


def _a_folder(folder: Path) -> tuple[Path, str]:
    return folder, "is no file"


def _no_program(folder: Path) -> tuple[Path, str]:
    path = folder / "text"
    path.write_text("nothing to run")
    path.chmod(0o755)
    return path, "Exec format error"


@pytest.mark.parametrize("made", [_missing, _not_executable, _everybodys, _a_folder, _no_program])
async def test_what_must_not_or_cannot_be_run_is_told_with_the_reason(
    tmp_path: Path, made: Callable[[Path], tuple[Path, str]]
) -> None:
    path, reason = made(tmp_path)
    found: Finding | None = await ran(path)
    assert isinstance(found, HookNotRun)
    assert reason in found.reason


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
async def test_a_program_of_somebody_else_is_not_run(tmp_path: Path) -> None:
    path = script(tmp_path, f"touch {tmp_path}/ran")
    os.chown(path, 12345, 12345)
    found = await ran(path)
    assert isinstance(found, HookNotRun)
    assert "belongs to user 12345" in found.reason
    assert not (tmp_path / "ran").exists()


async def test_no_shell_reads_the_path(tmp_path: Path) -> None:
    path = tmp_path / "a $(exit 1) ; exit 1"
    path.write_text(f"#!{SHELL}\nexit 0\n")
    path.chmod(0o755)
    assert await ran(path) is None


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
