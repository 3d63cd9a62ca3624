"""An updown program has no capability that it was not given, whatever the daemon has."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ikevd.hook_findings import HookNotRun
from tests.hooks.calls import ran, script

NET_ADMIN = f"{1 << 12:016x}"
NOBODY = 65534
SETS = ("CapInh", "CapPrm", "CapEff", "CapAmb")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to give")


def seen(folder: Path) -> dict[str, str]:
    """The sets of the program, as hexadecimal digits."""
    lines = (folder / "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def of_this_process() -> list[str]:
    lines = Path("/proc/self/status").read_text().splitlines()
    return [line for line in lines if line.startswith((*SETS, "NoNewPrivs"))]


def shows(folder: Path) -> Path:
    return script(folder, f"cat /proc/self/status > {folder}/status")


async def test_the_program_of_a_daemon_that_is_root_has_none(tmp_path: Path) -> None:
    assert await ran(shows(tmp_path)) is None
    found = seen(tmp_path)
    assert {found[name] for name in SETS} == {f"{0:016x}"}
    assert found["NoNewPrivs"] == "1"


async def test_it_has_those_that_are_named_and_no_other(tmp_path: Path) -> None:
    assert await ran(shows(tmp_path), capabilities=("net_admin",)) is None
    found = seen(tmp_path)
    assert {found[name] for name in SETS} == {NET_ADMIN}


async def test_the_daemon_keeps_its_own(tmp_path: Path) -> None:
    before = of_this_process()
    await ran(shows(tmp_path))
    assert of_this_process() == before


AMBIENT = """\
import asyncio, ctypes, sys
from pathlib import Path
from tests.hooks.calls import ran
async def main() -> None:
    assert "CapAmb:\\t0000000000001000" in Path("/proc/self/status").read_text()
    print(await ran(Path(sys.argv[1]), capabilities=tuple(sys.argv[2:])))
asyncio.run(main())
"""
"""A process with an ambient capability, as the unit's, that runs a program."""


def of_the_units_user(folder: Path, *capabilities: str) -> subprocess.CompletedProcess[str]:
    """As systemd begins it: not root, with CAP_NET_ADMIN in its ambient set."""
    for path in (folder, folder / "updown"):
        os.chown(path, NOBODY, NOBODY)
    command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all,+net_admin"]
    command += ["--ambient-caps=+net_admin", sys.executable, "-c", AMBIENT, str(folder / "updown"), *capabilities]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])


def reachable(folder: Path) -> Path:
    """By others, too, down to the folder itself."""
    for path in (folder, *folder.parents):
        if path.stat().st_mode & 0o005 != 0o005:
            path.chmod(path.stat().st_mode | 0o055)
    return folder


@pytest.mark.parametrize(("capabilities", "ambient"), [((), f"{0:016x}"), (("net_admin",), NET_ADMIN)])
def test_the_ambient_capabilities_of_the_unit_are_not_the_programs(
    tmp_path: Path, capabilities: tuple[str, ...], ambient: str
) -> None:
    shows(reachable(tmp_path))
    done = of_the_units_user(tmp_path, *capabilities)
    assert done.stdout.strip() == "None", done.stderr
    found = seen(tmp_path)
    assert {found[name] for name in SETS} == {ambient}


def test_what_the_daemon_has_not_it_cannot_give(tmp_path: Path) -> None:
    shows(reachable(tmp_path))
    done = of_the_units_user(tmp_path, "sys_admin")
    assert HookNotRun.__name__ in done.stdout, done.stderr
    assert "ikevd has no capability sys_admin to give" in done.stdout
    assert not (tmp_path / "status").exists()


async def test_programs_with_different_capabilities_run_side_by_side(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("none", "one")]
    for folder in folders:
        folder.mkdir()
    given: list[tuple[str, ...]] = [(), ("net_admin",)]
    await asyncio.gather(*(ran(shows(f), capabilities=names) for f, names in zip(folders, given, strict=True)))
    assert [seen(folder)["CapEff"] for folder in folders] == [f"{0:016x}", NET_ADMIN]
