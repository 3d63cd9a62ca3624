"""Modules of the guest's kernel, taken away for a while: nothing loads a module by itself there."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(module: str) -> Iterator[None]:
    """A kernel that lacks the module. SAs of a network namespace that was closed just now hold it for a moment."""
    for _ in range(20):
        if subprocess.run(["modprobe", "-r", module], check=False, capture_output=True).returncode == 0:
            break
        time.sleep(0.25)
    else:
        subprocess.run(["modprobe", "-r", module], check=True)
    try:
        yield
    finally:
        subprocess.run(["modprobe", module], check=True)
