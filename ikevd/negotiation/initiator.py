"""Our side of phase 1 as initiator: at most one attempt at a time for each session."""

from __future__ import annotations

import asyncio
from typing import Any

from ikevd.addresses import Endpoint, Path
from ikevd.conversation.core import Conversation
from ikevd.conversation.timing import LINGER, Timing
from ikevd.errors import Abandoned, IkeError
from ikevd.exchanges import aggressive_mode, main_mode
from ikevd.exchanges.link import Link, Situation
from ikevd.findings import Unreachable
from ikevd.negotiation.farewell import say_farewell
from ikevd.negotiation.phase1 import Phase1Attempt
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.router import Router
from ikevd.negotiation.runner import OnEnd, Runner
from ikevd.policy.model import Connection
from ikevd.sa.model import Cookies
from ikevd.wire.registry import ExchangeType


class Initiator:
    """Begins phase 1 and reports its end."""

    def __init__(self, connection: Connection, router: Router, ports: Ports, on_end: OnEnd) -> None:
        self._connection = connection
        self._router = router
        self._ports = ports
        self._on_end = on_end
        self._attempt: Phase1Attempt | None = None

    @property
    def negotiating(self) -> bool:
        """Is an attempt under way?"""
        return self._attempt is not None

    def start(self) -> None:
        """Begin, unless an attempt is under way; raises `IkeError` where none can be made."""
        if self._attempt is not None:
            return
        path = self._path()
        cookie = self._router.mint()
        situation = Situation(Cookies(cookie), 0, path, nat_port=self._ports.nat_port)
        mode = aggressive_mode if self._connection.aggressive else main_mode
        kind = ExchangeType.AGGRESSIVE if self._connection.aggressive else ExchangeType.MAIN_MODE
        exchange = mode.initiate(Link(situation), self._connection, self._ports.entropy)
        core = Conversation(exchange, kind, situation, Timing(self._connection.resend), initiator=True)
        record = self._ports.history.open(
            kind,
            core.cookies,
            0,
            path.remote,
            initiator=True,
            connection=self._connection.name,
        )
        runner = Runner(core, record, self._ports, on_end=self._ended)
        self._attempt = Phase1Attempt(cookie, runner)
        self._router.register(cookie, self._attempt)
        runner.start()

    def abort(self, cause: IkeError) -> None:
        """End the attempt under way."""
        if self._attempt is not None:
            self._attempt.runner.fail(cause)

    def note_unreachable(self, path: Path, found: Unreachable) -> None:
        """An ICMP error for a datagram that took that path: forgeable, so it is evidence only."""
        if self._attempt is not None:
            self._attempt.runner.unreachable(path, found)

    def close(self) -> None:
        """Forget the attempt without a word."""
        if self._attempt is not None:
            self._attempt.runner.close()

    def _path(self) -> Path:
        remote = self._connection.remote
        if remote is None:
            raise Abandoned("the connection has `remote: any`: only the peer can initiate it")
        local = self._connection.local or self._ports.source_for(remote)
        return Path(Endpoint(local, self._ports.port), Endpoint(remote, self._ports.port))

    def _ended(self, runner: Runner, outcome: Any) -> None:
        if self._attempt is not None and isinstance(outcome, IkeError):
            self._router.forget(self._attempt.cookie)
            say_farewell(runner, outcome, self._ports)
        self._attempt = None
        asyncio.get_running_loop().call_later(LINGER, runner.let_go)
        self._on_end(runner, outcome)
