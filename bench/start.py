"""How long a command of ours takes to start, against an empty program of the same interpreter.

Run: `.venv/bin/python -m bench.start`. The two take turns, so that a busy machine slows both.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROUNDS = 25
NOTHING = [sys.executable, "-c", "pass"]
OURS = [str(Path(sys.executable).with_name("ikevd")), "version"]


def seconds(command: list[str]) -> float:
    """Of one run, from start to end."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Print both medians and their ratio."""
    pairs = [(seconds(NOTHING), seconds(OURS)) for _ in range(ROUNDS + 2)][2:]  # the first two fill the caches
    nothing, ours = (median(column) for column in zip(*pairs, strict=True))
    print(f"python -c pass {nothing * 1000:.1f} ms, ikevd version {ours * 1000:.1f} ms: ratio {ours / nothing:.2f}")


if __name__ == "__main__":
    main()
