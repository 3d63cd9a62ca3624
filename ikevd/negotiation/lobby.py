"""Responder's phase 1 until the peer is authenticated: cheap, bounded, and short-lived."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ikevd.addresses import Address, Path
from ikevd.conversation.core import Conversation
from ikevd.conversation.timing import LINGER, Timing
from ikevd.errors import IkeError, NoProposalChosen
from ikevd.exchanges import aggressive_mode, main_mode
from ikevd.exchanges.link import Link, Situation
from ikevd.exchanges.phase1 import Candidates
from ikevd.negotiation.farewell import say_farewell
from ikevd.negotiation.limits import HalfOpen, RateLimit
from ikevd.negotiation.matching import ByAddress
from ikevd.negotiation.phase1 import Phase1Attempt
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.router import Router, clear_notification
from ikevd.negotiation.runner import Runner
from ikevd.policy.model import Connection, Limits
from ikevd.sa.model import Cookies, IsakmpSa
from ikevd.wire.message import Header
from ikevd.wire.registry import ExchangeType, NotifyType


class Lobby:
    """Half-open negotiations by source address and initiator cookie."""

    def __init__(
        self,
        connections: Sequence[Connection],
        limits: Limits,
        router: Router,
        ports: Ports,
        *,
        on_established: Callable[[IsakmpSa, Runner], None],
        on_stranger: Callable[[Path, str], None],
    ) -> None:
        """`on_stranger` is told, in words, of peers that are turned away."""
        self._connections = ByAddress(connections)
        self._max_secrets = limits.secrets
        self._router = router
        self._ports = ports
        self._on_established = on_established
        self._on_stranger = on_stranger
        static = [connection.remote for connection in connections if connection.remote is not None]
        self.half_open = HalfOpen(limits, static)
        self._refusals = RateLimit(rate=10, burst=20, clock=ports.now)
        self._evictions = {known: RateLimit(rate=20, burst=20, clock=ports.now) for known in (True, False)}
        """For configured addresses and, apart, for all others, who can use up nothing of theirs."""
        self._present: dict[tuple[Address, bytes], Phase1Attempt] = {}

    def first_message(self, header: Header, octets: bytes, path: Path) -> None:
        """A message without responder cookie. A repetition is answered, once for each time that it comes."""
        key = path.remote.address, header.initiator
        if attempt := self._present.get(key):
            attempt.heard(header, octets, path)
            return
        connections = self._connections.find(path)
        aggressive = header.exchange == ExchangeType.AGGRESSIVE
        allowed = tuple(c for c in connections if c.aggressive) if aggressive else connections
        if not connections:
            self._ports.counters.count("drop: no connection for the address")
            self._on_stranger(path, "no connection has this address as its remote")
        elif not allowed:
            self._ports.counters.count("drop: Aggressive Mode is not allowed")
            self._on_stranger(path, f"it asks for Aggressive Mode, which {connections[0].name} does not allow")
        elif refusal := self._refusal(path.remote.address):
            self._ports.counters.count(f"drop: {refusal}")
        else:
            self._begin(header, Candidates(allowed, self._max_secrets), octets, path)

    def _refusal(self, address: Address) -> str | None:
        """Why nothing may begin. Who forges addresses of peers must lock none of them out: the oldest attempt that
        never echoed our cookie makes way, of the same address where it has any."""
        refusal = self.half_open.refusal(address)
        own, known = self.half_open.holds(address), self.half_open.is_static(address)
        if refusal is None or not (own or known) or not self._evictions[known].allows():
            return refusal
        keys = (key for key in self._present if key[0] == address or not own)
        oldest = next((key for key in keys if self._present[key].runner.is_larval), None)
        if oldest is None:
            return refusal
        attempt = self._present.pop(oldest)
        attempt.runner.close()
        self._router.forget(attempt.cookie)
        self.half_open.leave(oldest[0])
        self._ports.counters.count("half-open negotiation made way for a newer one")
        return self.half_open.refusal(address)

    def close(self) -> None:
        """Forget everything without a word."""
        for attempt in self._present.values():
            attempt.runner.close()
        self._present.clear()

    def _begin(self, header: Header, candidates: Candidates, octets: bytes, path: Path) -> None:
        key = path.remote.address, header.initiator
        first, now = candidates.connections[0], self._ports.now()
        situation = Situation(Cookies(header.initiator), 0, path, nat_port=self._ports.nat_port)
        mode = aggressive_mode if header.exchange == ExchangeType.AGGRESSIVE else main_mode
        exchange = mode.respond(Link(situation), candidates, self._ports.entropy)
        cookie, timing = self._router.mint(), Timing(first.resend)
        core = Conversation(exchange, header.exchange, situation, timing, initiator=False, minted=cookie)
        effects = [*core.start(now), *core.heard(octets, path, now)]
        if not core.has_spoken:
            core.close()
            self._ports.counters.count("drop: first message is malformed")
            return
        record = self._ports.history.open(header.exchange, core.cookies, 0, path.remote, initiator=False)
        if len(candidates.connections) == 1:
            record.connection = first.name
        runner = Runner(core, record, self._ports, on_end=partial(self._ended, key))
        self._present[key] = attempt = Phase1Attempt(cookie, runner)
        self.half_open.enter(path.remote.address)
        self._router.register(cookie, attempt)
        runner.apply(effects)

    def _ended(self, key: tuple[Address, bytes], runner: Runner, outcome: Any) -> None:
        self.half_open.leave(key[0])
        if not isinstance(outcome, IkeError):
            asyncio.get_running_loop().call_later(LINGER, self._present.pop, key, None)
            runner.record.belongs_to(outcome.connection)
            self._on_established(outcome, runner)
            return
        self._router.forget(self._present.pop(key).cookie)
        say_farewell(runner, outcome, self._ports)
        if isinstance(outcome, NoProposalChosen) and self._refusals.allows():
            refusal = clear_notification(key[1], NotifyType.NO_PROPOSAL_CHOSEN)
            self._ports.transmit(refusal, runner.conversation.path)
