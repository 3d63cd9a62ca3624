"""Calls of updown programs for tests, and programs that are really run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ikevd.errors import Finding
from ikevd.hooks.program import run
from ikevd.host.hooks import HookCall
from ikevd.policy.updown import Updown
from tests.builders import fqdn
from tests.peer.records import ipsec

SHELL = "/bin/sh"


def call(**changes: object) -> HookCall:
    """Alice's child `lan` to Bob; `changes` are of its pair."""
    return HookCall(Updown("/etc/ikevd/updown"), "bob", 7, fqdn("alice.example"), fqdn("bob.example"), ipsec(**changes))  # type: ignore[arg-type]


def script(folder: Path, text: str, mode: int = 0o755) -> Path:
    """A program of this shell text."""
    path = folder / "updown"
    path.write_text(f"#!{SHELL}\n{text}\n")
    path.chmod(mode)
    return path


async def ran(path: Path, environ: Mapping[str, str] | None = None, **changes: object) -> Finding | None:
    """What came of one run for `lan`, which came up."""
    updown = replace(Updown(str(path)), **changes)  # type: ignore[arg-type]
    return await run(updown, environ or {"PATH": "/usr/bin:/bin"}, "lan", up=True)
