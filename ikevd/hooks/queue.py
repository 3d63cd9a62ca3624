"""Who is run when: each child's programs one after the other, a few of different children at one time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable

from ikevd.errors import Finding
from ikevd.hook_findings import HookNotRun
from ikevd.host.hooks import HookCall
from ikevd.text import printable

AT_ONCE = 8
"""Programs that run at one time."""
PATIENCE = 3.0
"""Seconds for what runs, or is to be run, when ikevd ends."""

Run = Callable[[HookCall, bool], Awaitable[Finding | None]]


class _Waiting:
    """One run that has not begun."""

    def __init__(self, call: HookCall, up: bool) -> None:
        self.call = call
        self.up = up
        self.outcome: asyncio.Future[Finding | None] = asyncio.get_running_loop().create_future()


class HookQueue:
    """Of one daemon. No child has more than two runs that wait: a third one makes the second needless."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lines: dict[Hashable, deque[_Waiting]] = {}
        """Of children whose programs run or wait."""
        self._tasks = set[asyncio.Task[None]]()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._running = 0
        self._closed = False

    async def run(self, key: Hashable, call: HookCall, up: bool) -> Finding | None:
        """See `host.hooks.Programs`."""
        waiting = _Waiting(call, up)
        if self._closed:
            return await waiting.outcome
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = deque()
            task = asyncio.get_running_loop().create_task(self._serve(key, line))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if line and line[-1].up and not up:  # an up that has not begun needs no down
            line.pop().outcome.set_result(None)
            return None
        line.append(waiting)
        return await waiting.outcome

    @property
    def waiting(self) -> int:
        """Runs that have not begun."""
        return sum(map(len, self._lines.values()))

    async def rest(self) -> None:
        """See `host.hooks.Programs`."""
        self._closed = True
        await self._wait()

    async def close(self) -> int:
        """What is left is run within `PATIENCE`, after `rest` at no time; gives how many runs were cut short, or never
        begun."""
        if not self._closed:
            await self._wait()
        self._closed = True
        cut = self._running + self.waiting
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return cut

    async def _wait(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE)

    async def _serve(self, key: Hashable, line: deque[_Waiting]) -> None:
        """One after the other, until none waits."""
        try:
            while line and not self._closed:
                async with self._room:
                    if not line or self._closed:  # spared meanwhile
                        break
                    one = line.popleft()
                    outcome = await self._counted(one)
                if not one.outcome.done():
                    one.outcome.set_result(outcome)
        finally:
            del self._lines[key]

    async def _counted(self, one: _Waiting) -> Finding | None:
        """Whatever breaks has an outcome: who waits for it could not go on, nor could the next run of the child."""
        self._running += 1
        try:
            return await self._run(one.call, one.up)
        except Exception as error:
            reason = printable(f"{type(error).__name__}: {error}")
            return HookNotRun(one.call.updown.program, one.call.sa.child, one.up, reason=reason)
        finally:
            self._running -= 1
