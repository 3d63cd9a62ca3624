"""Runs one conversation under asyncio: sends, sets its one timer, asks the host."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ikevd.addresses import Path
from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import AskHost, Effect, Raised, Record, Returned, Transmit
from ikevd.errors import Abandoned, IkeError, InternalError
from ikevd.exchanges.link import HostAnswer, HostCall
from ikevd.facts import Failed, Heard, Note
from ikevd.findings import Undelivered, Unreachable
from ikevd.negotiation.ports import Ports
from ikevd.observe import history
from ikevd.observe.words import say_error
from ikevd.wire.registry import NotifyType

ServeHost = Callable[[HostCall], Awaitable[HostAnswer]]
OnEnd = Callable[["Runner", Any], None]
"""Called once with what the exchange returned, or the `IkeError` that it raised."""


async def no_host(call: HostCall) -> HostAnswer:
    """The host of an exchange that needs none."""
    raise TypeError(f"this exchange has no host for {call}")


def _nobody(runner: Runner, outcome: Any) -> None:
    """Waits for an end that was told already."""


class Runner:
    """Owns the conversation, its timer and its record."""

    def __init__(
        self,
        conversation: Conversation,
        record: history.Record,
        ports: Ports,
        *,
        on_end: OnEnd,
        serve_host: ServeHost = no_host,
        on_heard: Callable[[Path], None] = lambda path: None,
    ) -> None:
        self.conversation = conversation
        self.record = record
        self.started = ports.now()
        self._ports = ports
        self._on_end = on_end
        self._serve_host = serve_host
        self._on_heard = on_heard
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = 0.0
        self._undelivered: str | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run up to the first wait."""
        self.apply(self.conversation.start(self._ports.now()))

    def heard(self, octets: bytes, path: Path) -> None:
        """A datagram for this exchange."""
        self.apply(self.conversation.heard(octets, path, self._ports.now()))

    def hint(self, notify: NotifyType) -> None:
        """A notification in the clear."""
        self.apply(self.conversation.hint(notify))

    def beside(self, octets: bytes, path: Path) -> bool:
        """An encrypted Informational with a message ID of its own: was it a word on this negotiation?"""
        effects = self.conversation.beside(octets, path, self._ports.now())
        self.apply(effects or ())
        return effects is not None

    def unreachable(self, path: Path, found: Unreachable) -> None:
        """The network says that a message along `path` did not arrive. Of a path that the exchange has left, as port
        500 after the float, that explains nothing any more."""
        now = self.conversation.path
        if (path.local.address, path.remote) == (now.local.address, now.remote):
            self.apply(self.conversation.unreachable(found))

    def confirm(self) -> None:
        """The peer has shown, authenticated, that it is where we are."""
        self.apply(self.conversation.confirm())

    def remind(self, path: Path) -> None:
        """A datagram of a later exchange: the peer does not know that we still wait for its last message."""
        if not (effects := self.conversation.remind(path)):
            self.count("drop: phase 1 is not complete")
        self.apply(effects)

    def count(self, name: str) -> None:
        """A datagram that came to nothing."""
        self._ports.counters.count(name)

    def fail(self, cause: IkeError) -> None:
        """End it from outside."""
        self.apply(self.conversation.fail(cause, self._ports.now()))

    def close(self) -> None:
        """Forget it without a word."""
        self.conversation.close()
        self._arm()
        self.record.pack()

    def let_go(self) -> None:
        """It ended long ago: keep only what later evidence is added to."""
        self.conversation.let_go()
        self._on_end, self._task = _nobody, None
        self._arm()
        self.record.pack()

    def _end_with(self, outcome: Any) -> None:
        self._on_end(self, outcome)
        self.record.pack()

    def apply(self, effects: Sequence[Effect]) -> None:
        """Carry out effects in their order."""
        for effect in effects:
            match effect:
                case Record(fact):
                    self.record.cookies = self.conversation.cookies
                    self.record.add(fact)
                    if isinstance(fact, Heard):
                        self._on_heard(self.conversation.path)
                case Transmit(octets, path):
                    self._transmit(octets, path)
                case AskHost(call):
                    self._task = asyncio.get_running_loop().create_task(self._ask(call))
                case Returned(result):
                    self._end_with(result)
                case Raised(error):
                    if isinstance(error, InternalError):
                        context = {"message": say_error(error), "exception": error.__cause__}
                        asyncio.get_running_loop().call_exception_handler(context)
                    self.record.add(Failed(error.finding, type(error).__name__))
                    self._end_with(error)
        self._arm()

    def _transmit(self, octets: bytes, path: Path) -> None:
        """What could not leave stands in the record of the exchange that it belongs to, once for each reason."""
        reason = self._ports.transmit(octets, path)
        if reason is None or reason == self._undelivered:
            return
        self._undelivered = reason
        if self.conversation.ended:
            self.record.add(Note(Undelivered(reason)))
        else:
            self.apply(self.conversation.unreachable(Undelivered(reason)))

    async def _ask(self, call: HostCall) -> None:
        try:
            result = await self._serve_host(call)
        except IkeError as refusal:
            self.apply(self.conversation.refuse(refusal, self._ports.now()))
        except BaseException:
            self.fail(Abandoned("an internal error of ikevd ended this negotiation"))
            raise
        else:
            self.apply(self.conversation.resume(result, self._ports.now()))

    def _arm(self) -> None:
        """A timer that comes too early is left alone: making one anew for each message costs more than the one tick."""
        deadline = self.conversation.deadline
        if self._timer is not None:
            if deadline is not None and self._armed_for <= deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._armed_for = deadline  # uvloop's handle cannot tell, where the time has come already
            self._timer = asyncio.get_running_loop().call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.apply(self.conversation.tick(self._ports.now()))
