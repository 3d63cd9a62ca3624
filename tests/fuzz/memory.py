"""A ceiling on what a fuzzed process may grow."""

from __future__ import annotations

import resource
from pathlib import Path

EVERY = 5_000
WARM = 50_000
CEILING = 64 * 2**20
"""Growth allowed after the first `WARM` executions: libFuzzer's own corpus, and no more."""


class Ceiling:
    """Counts executions and asserts, now and then, that the process has not grown."""

    def __init__(self) -> None:
        self._count = 0
        self._base = 0

    def check(self) -> None:
        """Call once an execution."""
        self._count += 1
        if self._count == WARM:
            self._base = _resident()
        elif self._base and self._count % EVERY == 0:
            growth = _resident() - self._base
            assert growth < CEILING, f"{growth >> 20} MiB more than after {WARM} executions"


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
