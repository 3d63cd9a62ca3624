"""One `up` or `down` while somebody waits for it: facts as they happen, then the outcome, within a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self

from ikevd.control.interface import Progress
from ikevd.errors import IkeError
from ikevd.observe import log
from ikevd.observe.views import View
from ikevd.observe.words import say_error

MAX_WAITING = 1000
"""Lines that wait for a slow reader; later ones are left out, the outcome never."""
MAX_WAITING_OCTETS = 4 << 20
"""Of the messages in them, in hex: what a peer sends is as long as the peer likes."""


class Command:
    """Carries out one command; iterating gives its lines. Leaving it ends the waiting, not the negotiation."""

    def __init__(self, action: Callable[[Progress], Awaitable[None]], timeout: float) -> None:
        self._action = action
        self._timeout = timeout
        self._lines: asyncio.Queue[View] = asyncio.Queue()
        self._octets = 0
        self._evidence = Evidence()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def __aiter__(self) -> AsyncIterator[View]:
        while True:
            line = await self._lines.get()
            self._octets -= _octets(line)
            yield line
            if line["event"] == "end":
                return

    async def _run(self) -> None:
        self._lines.put_nowait({"event": "end", **await self._outcome()})

    async def _outcome(self) -> View:
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                await self._action(self._happened)
        except IkeError as error:
            return _failure(say_error(error), error)
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                last = f"not done within {self._timeout:g} s: {self._evidence}"
                return _failure(f"{last}; the daemon goes on (see ikevd status)", error)
            log.internal_error("a command through the control socket", error)
            return _failure("internal error of ikevd; its log holds the details", error)
        return {"ok": True, "cause": None}

    def _happened(self, fact: View) -> None:
        self._evidence.add(fact)
        if self._lines.qsize() < MAX_WAITING and self._octets + _octets(fact) <= MAX_WAITING_OCTETS:
            self._octets += _octets(fact)
            self._lines.put_nowait({"event": "fact", **fact})


def _octets(line: View) -> int:
    return len(line.get("wire", ""))


def _failure(cause: str, error: Exception) -> View:
    return {"ok": False, "cause": cause, "error": type(error).__name__}


class Evidence:
    """What was seen last, in words: why it may be that nothing came of it yet."""

    def __init__(self) -> None:
        self._last = "no message was sent"
        self._more = ""

    def add(self, fact: View) -> None:
        """A fact of the negotiations that are waited for."""
        match fact["fact"]:
            case "sent" if fact["label"] != "INFO":
                times = f"{fact['copy']} times" if fact["copy"] > 1 else "once"
                self._last = f"{fact['label']} sent {times}, no answer"
            case "heard" if fact["label"] != "INFO":
                self._last, self._more = f"{fact['label']} was heard", ""
            case "failed":
                self._last, self._more = fact["reason"], ""
            case "hint":
                self._more = f"; the peer says, unauthenticated: {fact['notify']}"
            case "dropped":
                self._more = f"; awaiting {fact['label']}, dropped: {fact['reason']}"
            case "note" if fact["finding"]["kind"] == "no_answer_yet":
                meaning = fact["text"].partition(": ")[2]
                self._more = f"; {meaning}" if meaning else ""
            case "note":
                self._more = f"; {fact['text']}"

    def __str__(self) -> str:
        return self._last + self._more
