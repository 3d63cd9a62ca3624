"""The systemd units, as systemd itself judges them, and by what they must say. None is started here."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ikevd.cli.paths import BLOCKS
from ikevd.cli.run import FAILED, UNUSABLE

FOLDER = Path(__file__).resolve().parents[2] / "systemd"
UNIT, BOOT, SHUTDOWN = (FOLDER / f"{name}.service" for name in ("ikevd", "ikevd-boot", "ikevd-shutdown"))
INSTALLED = "/usr/bin/ikevd"
RAW = FOLDER / "ikevd-unknown-esp.conf"
HOOKS = FOLDER / "ikevd-hooks.conf"
TENTHS_OF_EXPOSURE, TENTHS_WITH_RAW_SOCKETS, TENTHS_WITH_SYSCTLS = 18, 20, 21
"""`systemd-analyze security` counts to 10.0 (unsafe); below 1.8 is asked here."""
LATER_KEY = "Unknown key 'FileDescriptorStorePreserve' in section [Service], ignoring."
"""Of systemd 254, which 252 warns of and passes over."""
BINDING = ("Requires", "Requisite", "BindsTo", "PartOf", "Upholds")


@pytest.fixture(params=[UNIT, BOOT, SHUTDOWN], ids=lambda path: path.stem)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit with a program that exists in place of the installed one, which verify would miss."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze not found (package systemd)")
    path: Path = request.param
    copy = tmp_path / path.name
    copy.write_text(path.read_text().replace(INSTALLED, sys.executable))
    return copy


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "--no-pager", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def wrong(unit: Path) -> list[str]:
    """What `systemd-analyze verify` says of it."""
    lines = analyze("verify", "--man=no", unit).stderr.splitlines()
    return [line for line in lines if not line.endswith(LATER_KEY)]


def setting(name: str, unit: Path = UNIT) -> list[str]:
    return [line.partition("=")[2] for line in unit.read_text().splitlines() if line.startswith(f"{name}=")]


def words(name: str, unit: Path) -> set[str]:
    return {word for line in setting(name, unit) for word in line.split()}


def test_systemd_finds_nothing_wrong(unit: Path) -> None:
    assert wrong(unit) == []


def test_systemd_finds_a_mistake_if_there_is_one(unit: Path) -> None:
    unit.write_text(unit.read_text() + "\n[Service]\nRestartPreventExit=2\n")
    assert "RestartPreventExit" in "".join(wrong(unit))


def test_the_service_is_little_exposed(unit: Path) -> None:
    ran = analyze("security", "--offline=true", f"--threshold={TENTHS_OF_EXPOSURE}", unit)
    assert ran.returncode == 0, ran.stdout


# -- ikevd.service


def test_it_holds_no_other_capabilities_than_it_needs() -> None:
    needed = ["CAP_NET_ADMIN CAP_NET_BIND_SERVICE"]
    assert setting("AmbientCapabilities") == setting("CapabilityBoundingSet") == needed


@pytest.mark.parametrize("unit", [UNIT], indirect=True, ids=["ikevd"])
def test_the_drop_in_for_unknown_esp_adds_one_capability_and_one_family_of_sockets(unit: Path) -> None:
    assert setting("AmbientCapabilities", RAW) == setting("CapabilityBoundingSet", RAW) == ["CAP_NET_RAW"]
    assert setting("RestrictAddressFamilies", RAW) == ["AF_PACKET"]
    unit.write_text(unit.read_text() + RAW.read_text())
    assert wrong(unit) == []
    ran = analyze("security", "--offline=true", f"--threshold={TENTHS_WITH_RAW_SOCKETS}", unit)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("unit", [UNIT], indirect=True, ids=["ikevd"])
def test_the_drop_in_for_updown_programs_gives_a_folder_and_sysctls_and_no_capability(unit: Path) -> None:
    assert setting("AmbientCapabilities", HOOKS) == setting("CapabilityBoundingSet", HOOKS) == []
    assert setting("StateDirectory", HOOKS) == ["ikevd-hooks"]
    assert (setting("ProtectKernelTunables", HOOKS), setting("ProcSubset", HOOKS)) == (["no"], ["all"])
    unit.write_text(unit.read_text() + HOOKS.read_text())
    assert wrong(unit) == []
    ran = analyze("security", "--offline=true", f"--threshold={TENTHS_WITH_SYSCTLS}", unit)
    assert ran.returncode == 0, ran.stdout


def test_the_last_updown_programs_are_not_ended_together_with_ikevd() -> None:
    assert setting("KillMode") == ["mixed"]


def test_what_is_known_of_tunnels_outlives_the_daemon() -> None:
    assert (setting("RuntimeDirectory"), setting("RuntimeDirectoryPreserve")) == (["ikevd"], ["yes"])


def test_the_sockets_outlive_the_daemon() -> None:
    assert int(*setting("FileDescriptorStoreMax")) >= 64
    assert setting("FileDescriptorStorePreserve") == ["yes"]
    assert setting("NotifyAccess") == ["main"]


def test_keys_do_not_reach_the_disk() -> None:
    assert (setting("LimitCORE"), setting("MemorySwapMax")) == (["0"], ["0"])


def test_it_knows_the_start_of_the_machine_though_the_kernels_file_is_hidden() -> None:
    assert setting("ProcSubset") == ["pid"]
    assert setting("Environment") == ["IKEVD_BOOT_ID=%b"]


def test_only_a_configuration_that_cannot_be_used_is_not_tried_again() -> None:
    assert setting("Restart") == ["on-failure"]
    assert setting("RestartPreventExitStatus") == [str(UNUSABLE)]
    assert FAILED != UNUSABLE


def test_the_other_units_are_enabled_and_disabled_with_it() -> None:
    assert words("Also", UNIT) == {BOOT.name, SHUTDOWN.name}
    assert all(setting("WantedBy", unit) for unit in (UNIT, BOOT, SHUTDOWN))


def test_a_restart_of_the_daemon_starts_and_stops_no_other_unit() -> None:
    bound = [name for unit in (UNIT, BOOT, SHUTDOWN) for name in BINDING if setting(name, unit)]
    assert bound == []


# -- ikevd-boot.service


def test_the_blocks_stand_before_there_is_a_network() -> None:
    assert words("Before", BOOT) >= {"network-pre.target", UNIT.name}
    assert words("Wants", BOOT) == {"network-pre.target"}
    assert (setting("DefaultDependencies", BOOT), setting("Type", BOOT)) == (["no"], ["oneshot"])


def test_the_blocks_of_a_first_start_are_not_missed() -> None:
    assert setting("ConditionPathExists", BOOT) == [str(BLOCKS)]
    assert setting("RequiresMountsFor", BOOT) == [str(BLOCKS.parent)]
    assert setting("ExecStart", BOOT) == [f"{INSTALLED} blocks {BLOCKS}"]


def test_the_blocks_need_no_other_capability_than_that_of_policies() -> None:
    assert setting("AmbientCapabilities", BOOT) == setting("CapabilityBoundingSet", BOOT) == ["CAP_NET_ADMIN"]


# -- ikevd-shutdown.service


def test_at_shutdown_the_peers_are_told_while_ikevd_and_the_network_are_there() -> None:
    assert words("After", SHUTDOWN) == {UNIT.name, "network-online.target"}
    assert setting("RemainAfterExit", SHUTDOWN) == ["yes"]
    assert setting("DefaultDependencies", SHUTDOWN) == []


def test_what_tells_the_peers_ends_in_time_and_fails_without_harm() -> None:
    (command,) = setting("ExecStop", SHUTDOWN)
    told = re.fullmatch(rf"-{INSTALLED} down --all --timeout (\d+)", command)
    assert told
    assert int(told[1]) < int(*setting("TimeoutStopSec", SHUTDOWN))


def test_who_tells_the_peers_is_the_user_whom_the_control_socket_knows() -> None:
    assert setting("User") == setting("User", SHUTDOWN) == setting("User", BOOT)


def test_a_reload_is_waited_for_and_fails_with_what_is_wrong_with_the_file() -> None:
    assert setting("ExecReload") == [f"{INSTALLED} reload"]
    assert setting("Type") == ["notify"], "notify-reload is no word of systemd before 253"
