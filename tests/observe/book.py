"""A log in memory, and the history that it listens to."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

from ikevd.addresses import Endpoint
from ikevd.observe import log
from ikevd.observe.history import History, Record
from ikevd.policy.settings import LogFormat
from ikevd.sa.model import Cookies
from ikevd.wire.registry import ExchangeType
from tests.builders import BOB

ONE, TWO = Cookies(b"1" * 8, b"a" * 8), Cookies(b"2" * 8, b"b" * 8)


@dataclass
class Book:
    """A log in memory with the history that it listens to."""

    stream: io.StringIO
    history: History
    now: float = 1_700_000_000.0

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def negotiation(
        self,
        cookies: Cookies = ONE,
        *,
        message_id: int = 0,
        connection: str | None = "berlin",
        source: int = 0,
        initiator: bool = False,
    ) -> Record:
        kind = ExchangeType.QUICK_MODE if message_id else ExchangeType.MAIN_MODE
        peer = Endpoint(type(BOB)(int(BOB) + source), 500)
        return self.history.open(kind, cookies, message_id, peer, initiator=initiator, connection=connection)


def listening(
    which: log.Filter | None = None,
    level: str = "debug",
    style: LogFormat = LogFormat.JSON,
    stream: io.StringIO | None = None,
) -> Book:
    stream = stream or io.StringIO()
    log.configure(style, level, stream)
    book = Book(stream, History(lambda: book.now))
    book.history.listen(log.FactLog(which or log.Filter()))
    return book
