"""Findings about updown programs: how one failed, which harms no tunnel."""

from __future__ import annotations

from ikevd.errors import Finding
from ikevd.frozen import frozen


@frozen
class HookFailed(Finding):
    """Of one run."""

    program: str
    child: str
    up: bool
    """Had the child come up? Else it had gone down."""
    stderr: tuple[str, ...] = ()
    """The last lines that it wrote there."""


@frozen
class HookExited(HookFailed):
    """It ended with another exit code than 0."""

    code: int = 1


@frozen
class HookKilled(HookFailed):
    """A signal ended it."""

    signal: str = "SIGKILL"


@frozen
class HookTimedOut(HookFailed):
    """It did not end in time, and was ended."""

    seconds: float = 0.0


@frozen
class HookNotRun(HookFailed):
    """It was not even begun, or ended at once since nothing could watch it."""

    reason: str = ""
