"""Runs one fuzz target in a process of its own and prints what libFuzzer counted.

python -m tests.fuzz.run --executions 1000000 --target parser
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TARGETS = ("parser", "heard", "certificates")
MAX_OCTETS = 1024
RSS_LIMIT_MIB = 512


@dataclass(frozen=True)
class Outcome:
    """What one run came to; `finding` is the end of libFuzzer's output, or empty where nothing was found."""

    target: str
    executions: int
    seconds: int
    edges: int
    features: int
    peak_rss_mib: int
    finding: str

    def __str__(self) -> str:
        verdict = "FINDING" if self.finding else "no finding"
        return (
            f"{self.target}: {self.executions:,} executions in {self.seconds} s, {self.edges:,} edges, "
            f"{self.features:,} features, peak RSS {self.peak_rss_mib} MiB, {verdict}"
        )


def fuzz(target: str, executions: int, seed: int, artifacts: Path) -> Outcome:
    """Run `executions` inputs through one target."""
    with tempfile.TemporaryDirectory() as corpus:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                f"tests.fuzz.fuzz_{target}",
                corpus,
                f"-runs={executions}",
                f"-seed={seed}",
                f"-max_len={MAX_OCTETS}",
                f"-rss_limit_mb={RSS_LIMIT_MIB}",
                "-timeout=10",
                "-print_final_stats=1",
                f"-artifact_prefix={artifacts}/{target}-",
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    log = done.stderr + done.stdout
    return Outcome(
        target,
        executions=_last(r"stat::number_of_executed_units: *(\d+)", log),
        seconds=_last(r"in (\d+) second", log),
        edges=_last(r"\bcov: (\d+)", log),
        features=_last(r"\bft: (\d+)", log),
        peak_rss_mib=_last(r"stat::peak_rss_mb: *(\d+)", log),
        finding="" if done.returncode == 0 else _end_of(log),
    )


def _last(pattern: str, log: str) -> int:
    found = re.findall(pattern, log)
    return int(found[-1]) if found else 0


def _end_of(log: str) -> str:
    """From the line that names the failing input, which `python -m tests.fuzz.fuzz_<target> FILE` runs again."""
    return log[max(log.rfind("artifact_prefix="), 0) :][-4000:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--target", choices=TARGETS, action="append")
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--artifacts", type=Path, default=Path("build"), help="folder for inputs that fail")
    options = parser.parse_args()
    options.artifacts.mkdir(parents=True, exist_ok=True)
    findings = 0
    for target in options.target or TARGETS:
        outcome = fuzz(target, options.executions, options.seed, options.artifacts.absolute())
        findings += bool(outcome.finding)
        print(outcome, outcome.finding, sep="\n" if outcome.finding else "", flush=True)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
