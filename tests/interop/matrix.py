"""The interop matrix as a recorded run: `python -m tests.interop.matrix [--all] [REPORT]`, inside the rig.

Runs every case, shows each as it ends, and writes a report in Markdown (docs/interop.md). Exit code 1 if a case failed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.interop.node import run
from tests.interop.trial import Stages
from tests.matrix.cases import DIMENSIONS, INDEPENDENT, Case, exception, pairwise_cases, whole_matrix

GUESTS = {"uml": "User Mode Linux", "qemu": "Debian's, emulated by QEMU", "host": "this machine's own"}
"""What `tests/rig/rig run --kernel` boots, in words."""
ALGORITHMS = {"cipher": "IKE cipher", "hash": "IKE hash", "group": "group", "esp": "ESP suite"}


@dataclass(frozen=True)
class Result:
    """What became of one case."""

    case: Case
    seconds: float
    failure: str
    """Empty: packets crossed."""


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop.matrix", description=__doc__)
    parser.add_argument("--all", action="store_true", help="the whole matrix, not only the pairwise part for CI")
    parser.add_argument("report", nargs="?", type=Path, default=Path("docs/interop.md"))
    options = parser.parse_args()
    cases = whole_matrix() if options.all else pairwise_cases()
    guest = os.environ.get("RIG_KERNEL") or parser.error("it runs in a guest alone: tests/rig/rig run -- ...")
    kernel = f"Linux {platform.release()} ({GUESTS[guest]}, XFRM)"
    versions = {"ikevd": _commit(), "kernel": kernel}
    results = list(_run(cases, versions))
    command = "python -m tests.interop.matrix" + " --all" * options.all
    options.report.write_text(report(command, versions, results))
    failed = [result for result in results if result.failure]
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed; see {options.report}")
    return 1 if failed else 0


def _run(cases: Iterable[Case], versions: dict[str, str]) -> Iterator[Result]:
    with Stages() as stages, tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(cases):
            versions.setdefault(case.peer, stages.of(case).peer.version())
            try:
                result = Result(case, stages.run(case, Path(folder, str(number))), "")
            except AssertionError as error:
                result = Result(case, 0, (str(error).strip() or "an assertion failed").splitlines()[0])
            print(f"{number + 1:5} {result.seconds:6.2f} s  {case}  {result.failure}", flush=True)
            yield result


def _commit() -> str:
    return f"commit {run('git', 'rev-parse', '--short', 'HEAD').strip()}"


# -- the report ---------------------------------------------------------------------------------------------------


def report(command: str, versions: Mapping[str, str], results: list[Result]) -> str:
    """The report in Markdown."""
    failed = [result for result in results if result.failure]
    lines = [
        "# Interoperability",
        "",
        "Written by a recorded run, not by hand. Each case is a tunnel in the real kernel between ikevd (engine and",
        "XFRM adapter, in the process of the run; `ikevd run` is in tests/interop/test_site_to_site.py) and a foreign",
        "daemon: five pings cross; both ends counted them on the same two SAs with the same keys; the router between",
        "saw ESP, in UDP where that was wanted, and nothing in the clear; afterwards nothing is left in either kernel.",
        "",
        f"- date: {datetime.now(UTC):%Y-%m-%d}",
        f"- command: `{command}`",
        *(f"- {name}: {version}" for name, version in versions.items()),
        f"- cases: {len(results)}, passed {len(results) - len(failed)}, failed {len(failed)}",
        "",
        f"Every two values of two dimensions meet in at least one case{_where(command)}.",
        "",
        "## By peer, role, exchange and path",
        "",
        *_table(("our role", "exchange", "path"), results, lambda case: (case.role, case.exchange, case.path)),
    ]
    for dimension, title in ALGORITHMS.items():
        lines += ["", f"## By {title}", "", *_by_algorithm(dimension, title, results)]
    lines += ["", "## Failures", "", *([f"- {each.case}: {each.failure}" for each in failed] or ["None."])]
    lines += ["", "## Left out, and why", "", *_exceptions()]
    return "\n".join(lines) + "\n"


def _where(command: str) -> str:
    if "--all" in command:
        return " of each peer"
    return f" (except {', '.join(' and '.join(sorted(pair)) for pair in INDEPENDENT)})"


def _by_algorithm(dimension: str, title: str, results: list[Result]) -> list[str]:
    return _table((title,), results, lambda case: (str(getattr(case, dimension)),))


def _table(heads: tuple[str, ...], results: list[Result], key: Callable[[Case], tuple[str, ...]]) -> list[str]:
    """One line for each key, one column for each peer: passed of tried."""
    tried = Counter((key(result.case), result.case.peer) for result in results)
    passed = Counter((key(result.case), result.case.peer) for result in results if not result.failure)
    peers = DIMENSIONS["peer"]
    lines = [f"| {' | '.join((*heads, *peers))} |", f"|{'---|' * (len(heads) + len(peers))}"]
    for name in sorted({key(result.case) for result in results}, key=_place):
        cells = [f"{passed[name, peer]} of {tried[name, peer]}" if tried[name, peer] else "-" for peer in peers]
        lines.append(f"| {' | '.join((*name, *cells))} |")
    return lines


def _place(values: tuple[str, ...]) -> list[int]:
    """Where they stand in the table of dimensions."""
    order = [value for known in DIMENSIONS.values() for value in known]
    return [order.index(value) for value in values]


def _exceptions() -> list[str]:
    """Each reason with the values that it is about."""
    reasons: dict[str, list[str]] = {}
    for peer in DIMENSIONS["peer"]:
        for dimension in ALGORITHMS:
            for value in DIMENSIONS[dimension]:
                if reason := exception({"peer": peer, dimension: value}):
                    reasons.setdefault(reason, []).append(value)
    found = [f"- {reason}: {', '.join(dict.fromkeys(values))}" for reason, values in reasons.items()]
    pairs = {"esp": "aes128ccm16", "path": "nat-here"}, {"pfs": "pfs", "group": "ecp256"}
    return found + [f"- {exception({'peer': 'libreswan', **pair})}" for pair in pairs]


if __name__ == "__main__":
    sys.exit(main())
