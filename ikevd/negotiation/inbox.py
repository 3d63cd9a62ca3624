"""What happens to a session, handled one after the other."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Generic, TypeVar

from ikevd.negotiation.reports import report

H = TypeVar("H")

KernelWork = Coroutine[Any, Any, None]


class Inbox(ABC, Generic[H]):
    """Gives each happening to `handle`, and waits while the kernel is at work for one."""

    def __init__(self, owner: str) -> None:
        """`owner`: whose it is, in words."""
        self._owner = owner
        self._waiting: deque[H] = deque()
        self._busy = False
        self._at_kernel: asyncio.Task[None] | None = None

    @abstractmethod
    def handle(self, happening: H) -> KernelWork | None:
        """What the kernel must do for it, if anything."""

    @abstractmethod
    def instead(self, happening: H, bug: Exception) -> Sequence[H]:
        """What is handled in place of one that a bug has kept from being handled, so that nobody waits for it."""

    def post(self, *happenings: H) -> None:
        """Handle these, after what waits already."""
        self._waiting.extend(happenings)
        if not self._busy:
            self._pump()

    def put_first(self, happenings: Iterable[H]) -> None:
        """Of what is being handled: these follow, before all that waits, the last one first."""
        self._waiting.extendleft(happenings)

    @property
    def waiting(self) -> Iterable[H]:
        """What is not handled yet, oldest first."""
        return self._waiting

    @property
    def empty(self) -> bool:
        """Does nothing wait? Something may be being handled."""
        return not self._waiting

    @property
    def is_settled(self) -> bool:
        """Is the kernel at work for nothing?"""
        return self._at_kernel is None

    async def settled(self) -> None:
        """Wait until all that is in the inbox is done."""
        while self._at_kernel is not None:
            await asyncio.wait((self._at_kernel,))

    def _pump(self) -> None:
        self._busy = True
        while self._waiting:
            happening = self._waiting.popleft()
            try:
                kernel_work = self.handle(happening)
            except Exception as bug:  # one fact is lost, and no other
                self._lose(happening, bug)
                continue
            if kernel_work is not None:
                self._at_kernel = asyncio.get_running_loop().create_task(self._await_kernel(happening, kernel_work))
                return
        self._busy = False

    async def _await_kernel(self, happening: H, kernel_work: KernelWork) -> None:
        try:
            await kernel_work
        except Exception as bug:
            self._lose(happening, bug)
        finally:  # whoever waits in `settled` waits for no task that was cancelled
            self._at_kernel = None
        self._pump()

    def _lose(self, happening: H, bug: Exception) -> None:
        self._report_bug(f"{type(happening).__name__} was not learnt", bug)
        try:
            self._waiting.extendleft(reversed(self.instead(happening, bug)))
        except Exception as another:
            self._report_bug("what it was of may be left", another)

    def _report_bug(self, what: str, bug: Exception) -> None:
        """`what` it led to, in words."""
        report(f"in the session of {self._owner}: {what}", bug)
