"""The updown programs of config/hooks, really run in a network namespace of their own, without packets."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.conftest import ROOT

EXAMPLES = ROOT / "config" / "hooks"
UNPACKED = ROOT / ".rig" / "pkgs" / "usr"
ENVIRON = {
    "PATH": f"/usr/sbin:/usr/bin:/sbin:/bin:{UNPACKED}/sbin",
    "LD_LIBRARY_PATH": f"{UNPACKED}/lib/x86_64-linux-gnu",
}

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a network namespace"),
    pytest.mark.skipif(not shutil.which("nft", path=ENVIRON["PATH"]), reason="no nft here"),
]


def in_namespace(script: str, *arguments: str) -> str:
    """What a shell script prints that runs in a new network namespace, and must end well."""
    command = ["unshare", "--net", "sh", "-euc", script, "sh", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRON, timeout=60, cwd=EXAMPLES)
    assert done.returncode == 0, done.stderr
    return done.stdout


def kernel_has_nftables() -> bool:
    command = ["unshare", "--net", "nft", "add table inet x"]
    ran = subprocess.run(command, capture_output=True, text=True, env=ENVIRON, timeout=60)
    assert ran.returncode == 0 or "Operation not supported" in ran.stderr, ran.stderr
    return ran.returncode == 0


def test_nft_takes_the_rules() -> None:
    if not kernel_has_nftables():
        pytest.skip("this kernel has no nftables for both IPv4 and IPv6")
    in_namespace("nft --check --file vpn.nft; nft --file vpn.nft")


@pytest.mark.parametrize(("suffix", "network"), [("", "10.2.0.0/24"), ("-v6", "2001:db8:2::/64")])
def test_a_network_stands_in_its_set_while_the_tunnel_is_up(suffix: str, network: str) -> None:
    if not kernel_has_nftables():
        pytest.skip("this kernel has no nftables for both IPv4 and IPv6")
    told = f"PLUTO_PEER_CLIENT={network}"
    up, down = (f"{told} PLUTO_VERB={verb}-client{suffix} ./updown-nft" for verb in ("up", "down"))
    shown = in_namespace(f"nft -f vpn.nft; {up}; {up}; nft list ruleset; echo ---; {down}; nft list ruleset")
    before, _, after = shown.partition("---")
    assert network in before
    assert network not in after


def test_a_route_stands_while_the_tunnel_is_up() -> None:
    ready = "ip link add wan type veth peer name far; ip address add 10.1.0.1/24 dev wan; ip link set wan up"
    told = "PLUTO_PEER_CLIENT=10.2.0.0/24 PLUTO_INTERFACE=wan"
    up, down = (f"{told} PLUTO_VERB={verb}-client ./updown-route 10.1.0.1" for verb in ("up", "down"))
    shown = in_namespace(f"{ready}; {up}; {up}; ip route; echo ---; {down}; {down}; ip route")
    before, _, after = shown.partition("---")
    assert "10.2.0.0/24 dev wan proto 201" in before
    assert "src 10.1.0.1" in before
    assert "10.2.0.0/24" not in after
