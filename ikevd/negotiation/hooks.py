"""Updown programs that sessions have run: what came of each is learnt by the session that it was for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from ikevd.host.hooks import HookCall, Programs
from ikevd.observe.words import say
from ikevd.peer import effects
from ikevd.peer.hook_facts import HookEnded
from ikevd.peer.state import PeerKey, PeerState


class Whose(Protocol):
    """The session that a program is run for."""

    state: PeerState

    def post(self, *happenings: HookEnded) -> None:
        """It learns this."""


class Hooks:
    """Of one daemon."""

    def __init__(self, programs: Programs, trouble: Callable[[str], None]) -> None:
        """`trouble` is told of what no record of a negotiation can hold."""
        self._programs = programs
        self._trouble = trouble
        self._at_work: dict[asyncio.Task[None], Whose | None] = {}
        """For whom; None: nobody is left to learn of it."""

    def run(self, session: Whose, effect: effects.RunHook) -> None:
        """The session learns `HookEnded`."""
        self._begin(session.state.key, effect.child, effect.call, session, up=effect.up)

    def undo(self, state: PeerState) -> None:
        """Of a peer with whom nothing goes on, all that its children's programs may have done."""
        for name, child in state.children.items():
            if child.hook is not None and (child.hook.up or not child.hook.ended):
                self._begin(state.key, name, child.hook.call, None, up=False)

    def forget(self, session: Whose) -> None:
        """It learns nothing any more. What was begun goes on."""
        for task, whose in tuple(self._at_work.items()):
            if whose is session:
                task.cancel()

    async def rest(self) -> None:
        """Another process goes on: what has not ended is that one's."""
        await self._programs.rest()

    def _begin(self, key: PeerKey, child: str, call: HookCall, session: Whose | None, *, up: bool) -> None:
        work = self._run_one((key, child), child, call, session, up=up)
        task = asyncio.get_running_loop().create_task(work)
        self._at_work[task] = session
        task.add_done_callback(self._at_work.pop)

    async def _run_one(
        self, key: tuple[PeerKey, str], child: str, call: HookCall, session: Whose | None, *, up: bool
    ) -> None:
        failure = await self._programs.run(key, call, up)
        if failure is not None and (session is None or not session.state.isakmp):
            self._trouble(f"{call.connection}: {say(failure)}")
        if session is not None:
            session.post(HookEnded(child, call, up, failure))
