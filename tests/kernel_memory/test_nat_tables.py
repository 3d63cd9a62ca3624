"""Rules of NAT as the real programs print them, in a network namespace of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ikevd.kernel import nat_tables
from tests.conftest import ROOT

UNPACKED = ROOT / ".rig" / "pkgs" / "usr"
PATH = f"/usr/sbin:/usr/bin:/sbin:/bin:{UNPACKED}/sbin"
ENVIRON = {"PATH": PATH, "LD_LIBRARY_PATH": f"{UNPACKED}/lib/x86_64-linux-gnu"}
EXEMPTION = ROOT / "config" / "examples" / "nat-exemption" / "nat.nft"
ASK = """\
import sys
from ikevd.kernel import nat_tables
for table in nat_tables.nft_tables(sys.stdin.read()):
    for rules in table.chains.values():
        for rule in rules:
            print(rule.verdict.name, rule.source and [*map(str, rule.source.networks)], rule.protected, rule.sure)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a network namespace")
@pytest.mark.skipif(not shutil.which("nft", path=PATH), reason="no nft here")
def test_the_example_of_an_exemption_is_understood_as_nft_lists_it() -> None:
    script = f'nft -f {EXEMPTION} && nft -j list ruleset | LD_LIBRARY_PATH= exec "$@"'
    command = ["unshare", "--net", "sh", "-euc", script, "sh", sys.executable, "-c", ASK]
    ran = subprocess.run(command, capture_output=True, text=True, env=ENVIRON, timeout=60, cwd=ROOT)
    if "Operation not supported" in ran.stderr:
        pytest.skip("this kernel has no nftables")
    assert ran.stdout.splitlines() == ["ACCEPT None True True", "TRANSLATE ['10.1.0.0/24'] None True"], ran.stderr


# -- iptables of the old kind, which makes the table that it is asked for ---------------------------------------------


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """`bin` has the programs; each writes its name into `asked`. `net` is its /proc/net."""
    for folder in ("bin", "net"):
        (tmp_path / folder).mkdir()
    for kind in ("legacy", "nft"):
        program = tmp_path / "bin" / f"xtables-{kind}-multi"
        program.write_text(f'#!/bin/sh\necho "$(basename "$0")" >> {tmp_path}/asked\n')
        program.chmod(0o755)
    return tmp_path


def asked(machine: Path, **programs: str) -> list[str]:
    """Which of the programs were run; a program is a link to that of its kind."""
    for name, kind in programs.items():
        (machine / "bin" / name.replace("_", "-")).symlink_to(f"xtables-{kind}-multi")
    nat_tables.read(str(machine / "bin"), machine / "net")
    found = machine / "asked"
    return found.read_text().split() if found.exists() else []


OLD = {"iptables_save": "legacy", "iptables_legacy_save": "legacy", "ip6tables_save": "legacy"}


@pytest.mark.parametrize("names", [None, "", "filter\nmangle\n"])
def test_a_machine_without_the_old_table_nat_is_not_asked_for_it_since_that_would_make_it(
    machine: Path, names: str | None
) -> None:
    if names is not None:
        (machine / "net" / "ip_tables_names").write_text(names)
    assert asked(machine, **OLD) == []


def test_where_the_old_table_nat_is_there_it_is_asked_for_by_ip_version(machine: Path) -> None:
    (machine / "net" / "ip_tables_names").write_text("filter\nnat\n")
    assert asked(machine, **OLD) == ["iptables-save", "iptables-legacy-save"]


def test_iptables_over_nftables_makes_no_table_and_is_always_asked(machine: Path) -> None:
    assert asked(machine, iptables_save="nft", ip6tables_save="nft") == ["iptables-save", "ip6tables-save"]
