"""The systemd unit, as systemd itself judges it. The unit is not started here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ikevd.cli.run import FAILED, UNUSABLE
from ikevd.kernel.place import BOOT_ID_VARIABLE

UNIT = Path(__file__).resolve().parents[2] / "systemd" / "ikevd.service"
INSTALLED = "/usr/bin/ikevd"
TENTHS_OF_EXPOSURE = 20
"""`systemd-analyze security` counts to 10.0 (unsafe); below 2.0 is asked here."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists in place of the installed one, which verify would miss."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze not found (package systemd)")
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(INSTALLED, sys.executable))
    return copy


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "--no-pager", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def setting(name: str) -> list[str]:
    return [line.partition("=")[2] for line in UNIT.read_text().splitlines() if line.startswith(f"{name}=")]


def test_systemd_finds_nothing_wrong(unit: Path) -> None:
    ran = analyze("verify", "--man=no", unit)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_systemd_finds_a_mistake_if_there_is_one(unit: Path) -> None:
    unit.write_text(unit.read_text() + "\n[Service]\nRestartPreventExit=2\n")
    assert "RestartPreventExit" in analyze("verify", "--man=no", unit).stderr


def test_the_service_is_little_exposed(unit: Path) -> None:
    ran = analyze("security", "--offline=true", f"--threshold={TENTHS_OF_EXPOSURE}", unit)
    assert ran.returncode == 0, ran.stdout


def test_it_holds_no_other_capabilities_than_it_needs() -> None:
    needed = ["CAP_NET_ADMIN CAP_NET_BIND_SERVICE"]
    assert setting("AmbientCapabilities") == setting("CapabilityBoundingSet") == needed


def test_the_journal_outlives_the_daemon() -> None:
    assert (setting("RuntimeDirectory"), setting("RuntimeDirectoryPreserve")) == (["ikevd"], ["yes"])


def test_the_daemon_is_told_the_boot_that_its_sandbox_hides() -> None:
    assert setting("ProcSubset") == ["pid"]
    assert setting("Environment") == [f"{BOOT_ID_VARIABLE}=%b"]


def test_only_a_configuration_that_cannot_be_used_is_not_tried_again() -> None:
    assert setting("Restart") == ["on-failure"]
    assert setting("RestartPreventExitStatus") == [str(UNUSABLE)]
    assert FAILED != UNUSABLE
