"""Modules of the guest's kernel, taken away for a while: nothing loads a module by itself there."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.eventually import eventually


@contextmanager
def without(module: str) -> Iterator[None]:
    """A kernel that lacks the module. SAs of a network namespace that was closed just now hold it for a moment."""
    remove = ["modprobe", "-r", module]
    eventually(lambda: subprocess.run(remove, check=False, capture_output=True).returncode == 0)
    try:
        yield
    finally:
        subprocess.run(["modprobe", module], check=True)
