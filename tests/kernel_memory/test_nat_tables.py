"""Rules of NAT as the real programs print them, in a network namespace of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

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
