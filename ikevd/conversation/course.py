"""How far an exchange has come: its coroutine, the number of its messages, its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic

from ikevd.conversation.effects import Raised, Returned
from ikevd.conversation.labels import label
from ikevd.errors import IkeError, InternalError
from ikevd.exchanges.link import Exchange, HostAnswer, Request, T_co
from ikevd.sa.model import IsakmpSa
from ikevd.wire.registry import ExchangeType

Serve = Callable[[Request, float], bool]
"""Carries out a request now; False if the exchange must wait for its outcome."""


class Course(Generic[T_co]):
    """Of one exchange."""

    __slots__ = ("_exchange", "began", "ended", "ended_at", "kind", "messages", "unconfirmed")

    def __init__(self, exchange: Exchange[T_co], kind: ExchangeType) -> None:
        self._exchange: Exchange[T_co] | None = exchange
        self.kind = kind
        self.began = 0.0
        """When it was started."""
        self.messages = 0
        """Accepted and sent so far, each once."""
        self.unconfirmed: IsakmpSa | None = None
        """The SA that the peer may hold although the exchange failed."""
        self.ended = False
        self.ended_at: float | None = None
        """None as well where it was closed on the way."""

    @property
    def awaited(self) -> str:
        """The label of the message that comes next, in either direction."""
        return label(self.kind, self.messages + 1)

    def go_on(
        self, serve: Serve, now: float, answer: HostAnswer, error: IkeError | None
    ) -> Returned[T_co] | Raised | None:
        """Hand over `answer`, or raise `error` inside; on to the next wait (None) or to the end."""
        end: Returned[T_co] | Raised
        assert self._exchange is not None
        try:
            while True:
                request = self._exchange.throw(error) if error else self._exchange.send(answer)
                answer = error = None
                if not serve(request, now):
                    return None
        except StopIteration as done:
            end = Returned(done.value)
        except IkeError as failure:
            end = Raised(failure)
        except Exception as bug:
            internal = InternalError(f"a fault of ikevd itself ended this negotiation: {type(bug).__name__}")
            internal.__cause__ = bug
            end = Raised(internal)
        self.ended, self._exchange = True, None
        self.ended_at = now
        return end

    def close(self) -> None:
        """Forget it without a word."""
        self.ended = True
        if self._exchange is not None:
            self._exchange.close()
