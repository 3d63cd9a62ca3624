"""What is heard while an exchange waits and proves nothing: kept, named when the wait ends in vain, never obeyed."""

from __future__ import annotations

from ikevd.conversation.resend import Waiting
from ikevd.facts import Fact, Hint, Note
from ikevd.findings import NoAnswerYet, Silence, Undelivered, Unreachable
from ikevd.wire.registry import NotifyType

MAX_HINTS = 4
"""Of each sort, of one exchange."""


class Meanwhile:
    """Of one exchange."""

    __slots__ = ("_first_port", "_hints", "_unreachable")

    def __init__(self, first_port: int) -> None:
        """`first_port`: the peer's UDP port where it answered before or, with message 1, is asked."""
        self._first_port = first_port
        self._hints: tuple[NotifyType, ...] = ()
        self._unreachable: tuple[Unreachable | Undelivered, ...] = ()

    def hint(self, notify: NotifyType) -> Fact | None:
        """A notification in the clear; None if nothing is new in it."""
        if notify in self._hints or len(self._hints) >= MAX_HINTS:
            return None
        self._hints += (notify,)
        return Hint(notify)

    def unreachable(self, found: Unreachable | Undelivered) -> Fact | None:
        """A message did not arrive, or could not leave; None if nothing is new in it."""
        if found in self._unreachable or len(self._unreachable) >= MAX_HINTS:
            return None
        self._unreachable += (found,)
        return Note(found)

    def no_answer_yet(self, awaited: str, waiting: Waiting, port: int) -> Fact | None:
        """After the first pause that went by. `port`: the peer's, now."""
        if waiting.lapses != 1 or waiting.message is None:
            return None
        return Note(NoAnswerYet(awaited, waiting.message.label, port, self._first_port))

    def silence(self, awaited: str, waiting: Waiting, port: int, now: float, *, otherwise: bool) -> Silence:
        """Why the wait ended in vain."""
        return Silence(
            awaited,
            waiting.message.label if waiting.message else None,
            waiting.copies,
            round(now - waiting.started),
            port,
            self._first_port,
            waiting.last_refusal.finding if waiting.last_refusal else None,
            tuple(str(hint) for hint in self._hints),
            self._unreachable,
            otherwise,
        )
