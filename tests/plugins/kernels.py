"""Tests marked `xfrm_interface` or `nftables` need what User Mode Linux lacks: there they are skipped, in the second
guest never."""

import os
import subprocess

import pytest

LACKING = "this kernel has no {} (the second guest has: make second-guest)"
NEEDS = {
    "xfrm_interface": ("XFRM interfaces", "ip link add trial type xfrm dev lo if_id 1"),
    "nftables": ("nftables", "nft add table inet trial"),
}
"""Of each mark what it needs, in words, and a command that tries for it."""


def has(command: str) -> bool:
    """Tried on a network namespace that ends with the command."""
    return subprocess.run(["unshare", "-n", *command.split()], check=False, capture_output=True).returncode == 0


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """In the second guest a kernel without them is a failure of the test: that guest is there for nothing else."""
    if os.environ.get("RIG_KERNEL") == "qemu":
        return
    for mark, (what, command) in NEEDS.items():
        if item.get_closest_marker(mark) and not has(command):
            pytest.skip(LACKING.format(what))
