"""The sentences of findings about updown programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ikevd import hook_findings as hf
from ikevd.errors import Finding


def _failed(found: hf.HookFailed, how: str) -> str:
    said = f"; it said last: {' | '.join(found.stderr)}" if found.stderr else ""
    when = f"{found.child} {'came up' if found.up else 'went down'}"
    return f"the updown program {found.program} {how} when {when}{said}"


SENTENCES: dict[type[Finding], Callable[[Any], str]] = {
    hf.HookFailed: lambda found: _failed(found, "failed"),
    hf.HookExited: lambda found: _failed(found, f"ended with exit code {found.code}"),
    hf.HookKilled: lambda found: _failed(found, f"was ended by {found.signal}"),
    hf.HookTimedOut: lambda found: _failed(found, f"had not ended after {found.seconds:g} s and was ended"),
    hf.HookNotRun: lambda found: _failed(found, f"could not be run ({found.reason})"),
}
