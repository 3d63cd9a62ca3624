"""The port to the updown programs of this machine."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from ikevd.errors import Finding
from ikevd.frozen import frozen
from ikevd.policy.identity import Identity
from ikevd.policy.marks import Mark
from ikevd.policy.updown import Updown
from ikevd.sa.model import IpsecSa


@frozen
class HookCall:
    """What a program is told of a child; the same when that comes up and when it goes down."""

    updown: Updown
    connection: str
    number: int
    """Of the ISAKMP SA under which it came up; below 2^31."""
    local_id: Identity
    remote_id: Identity
    sa: IpsecSa
    """The pair with which it came up."""
    if_id: int = 0
    """As in the child."""
    mark_in: Mark | None = None
    """Of the policies for what comes."""
    mark_out: Mark | None = None
    """Of the policies for what leaves."""
    interface: str | None = None
    """Of the connection, to which its traffic is routed."""


class Programs(Protocol):
    """Runs them."""

    async def run(self, key: Hashable, call: HookCall, up: bool) -> Finding | None:
        """Once all that was begun under the same key has ended. `up`: the child came up; else it went down. Why it
        failed; None: it did not, or its run was spared, since what was to undo it came before its turn."""

    async def rest(self) -> None:
        """From here on none is begun; wait a moment for those that run. For the others `run` never returns."""


class NoPrograms:
    """Where none is run."""

    async def run(self, key: Hashable, call: HookCall, up: bool) -> Finding | None:
        """At once."""
        return None

    async def rest(self) -> None:
        """None runs."""
