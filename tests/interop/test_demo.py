"""The demo tells the truth: it succeeds, and it fails when a key is broken in one gateway's kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def demo(*options: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = [str(ROOT / "demo" / "run"), *options]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=110, check=False, env=os.environ | {"PATH": path}
    )


def test_it_shows_the_exchange_and_succeeds() -> None:
    done = demo()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The ping crossed, encrypted." in done.stdout
    for label in ("MM1", "MM2", "MM3", "MM4", "MM5", "MM6", "QM1", "QM2", "QM3"):
        assert done.stdout.count(label) >= 3, "once as it happened, and once in each daemon's record"


def test_it_fails_when_no_ping_arrives() -> None:
    done = demo("--break-link")
    assert done.returncode == 1
    assert "FAILED: 0 of 5 pings were answered" in done.stdout
