"""Add up the records of several runs of pytest: `python -m tests.summary build/record/*.json`.

Prints the time of each file, the tests that take too long, what failed, and at the end one line like pytest's. The exit
code is 1 where a test failed or a run left no record.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from textwrap import indent

from tests.plugins.record import Record

FEW_SECONDS = 5.0
"""A file that takes less gets no line."""
LONG = 20.0
"""Seconds; a test that takes more belongs to `make soak` (mark it so)."""


def main(paths: list[str]) -> int:
    records = [read(Path(path)) for path in paths]
    lost = [path for path, record in zip(paths, records, strict=True) if record is None]
    outcomes: Counter[str] = Counter()
    files: defaultdict[str, float] = defaultdict(float)
    long: dict[str, float] = {}
    for record in filter(None, records):
        outcomes.update(record["outcomes"])
        for name, seconds in record["files"].items():
            files[name] += seconds
        long |= {name: seconds for name, seconds in record["tests"].items() if seconds > LONG}
    print("seconds  file")
    for name, seconds in sorted(files.items(), key=lambda each: each[1], reverse=True):
        if seconds > FEW_SECONDS:
            print(f"{seconds:7.1f}  {name}")
    for name, seconds in long.items():
        print(f"over {LONG:g} s, a test for make soak: {name} ({seconds:.1f} s)")
    for record in filter(None, records):
        for name, said in record.get("failed", {}).items():  # one of an older commit has none
            print(f"FAILED {name}\n{indent(said, '    ')}")
    for path in lost:
        print(f"a run ended without its record: {path}")
    outcomes["error"] += len(lost)
    print(line(outcomes))
    return 1 if outcomes["failed"] or outcomes["error"] or not outcomes["passed"] else 0


def read(path: Path) -> Record | None:
    """A record; None where the run did not come to its end."""
    try:
        record: Record = json.loads(path.read_text())
        return record
    except (OSError, ValueError):
        return None


def line(outcomes: Counter[str]) -> str:
    """`7 passed, 0 failed, 1 skipped`; what broke outside a test counts as failed."""
    failed = outcomes["failed"] + outcomes["error"]
    return f"{outcomes['passed']} passed, {failed} failed, {outcomes['skipped']} skipped"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
