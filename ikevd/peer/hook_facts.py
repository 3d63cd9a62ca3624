"""Facts of updown programs; all kinds of facts: `ikevd.peer.facts`."""

from __future__ import annotations

from ikevd.errors import Finding
from ikevd.frozen import frozen
from ikevd.host.hooks import HookCall


@frozen
class HookEnded:
    """A run of the updown program of a child has ended."""

    child: str
    call: HookCall
    up: bool
    """Was it run because the child had come up?"""
    failure: Finding | None
    """None: it did what it should."""
