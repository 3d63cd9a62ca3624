"""Tests marked `xfrm_interface` need what User Mode Linux lacks: there they are skipped, in the second guest never."""

import os
import subprocess

import pytest

LACKING = "this kernel has no XFRM interfaces (the second guest has: make second-guest)"


def has_xfrm_interfaces() -> bool:
    """Tried on a network namespace that ends with the command."""
    command = ["unshare", "-n", "ip", "link", "add", "trial", "type", "xfrm", "dev", "lo", "if_id", "1"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """In the second guest a kernel without them is a failure of the test: that guest is there for nothing else."""
    if not item.get_closest_marker("xfrm_interface") or os.environ.get("RIG_KERNEL") == "qemu":
        return
    if not has_xfrm_interfaces():
        pytest.skip(LACKING)
