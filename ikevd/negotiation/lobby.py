"""Responder's phase 1 until the peer is authenticated: cheap, bounded, and short-lived."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any

from ikevd.addresses import Address, Path
from ikevd.conversation.core import Conversation
from ikevd.conversation.timing import LARVAL, LINGER, Timing
from ikevd.errors import Abandoned, IkeError, InvalidKey, NoProposalChosen
from ikevd.exchanges import aggressive_mode, main_mode
from ikevd.exchanges.link import Link, Situation
from ikevd.exchanges.phase1 import Candidates
from ikevd.facts import Failed
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

Key = tuple[Address, bytes]
"""Source address and initiator cookie."""
MADE_WAY = Abandoned("it made way for a newer negotiation")


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
        kinds = product((True, False), repeat=2)
        self._evictions = {kind: RateLimit(rate=20, burst=20, clock=ports.now) for kind in kinds}
        """For configured addresses and, apart, for all others, who can use up nothing of theirs; where the source is
        full and, apart, where there is no place at all."""
        self._present: dict[Key, Phase1Attempt] = {}

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
        """Why nothing may begin. Where places are wanting an older attempt makes way, but rarely enough that a flood
        moves little."""
        refusal = self.half_open.refusal(address)
        known = self.half_open.is_static(address)
        crowded = self.half_open.full_source(address) is not None
        if refusal is None or not self._evictions[known, crowded].allows():
            return refusal
        if key := self._to_make_way(address):
            self._forget(key, MADE_WAY)
            self._ports.counters.count("half-open negotiation made way for a newer one")
        return self.half_open.refusal(address)

    def _to_make_way(self, address: Address) -> Key | None:
        """Who forges addresses of peers must lock none of them out, and who holds places must not keep them: one of the
        same source, else for a configured address any; for others one of theirs that echoed our cookie and stopped."""
        attempts = [key for key, attempt in self._present.items() if not attempt.runner.conversation.ended]
        if full := self.half_open.full_source(address):
            source, most = full
            return self._oldest([key for key in attempts if self.half_open.belongs(key[0], source)], most)
        room = self.half_open.room(address)
        if not self.half_open.is_static(address):
            strangers = [key for key in attempts if not self.half_open.is_static(key[0])]
            return self._oldest([key for key in strangers if not self._present[key].runner.is_larval], room)
        own = [key for key in attempts if key[0] == address]
        return self._oldest(own, room) or self._oldest(attempts, room)

    def _oldest(self, keys: Sequence[Key], room: int) -> Key | None:
        """One that never echoed our cookie; those that did are safe while they hold no more than half of the room."""
        echoed = [key for key in keys if not self._present[key].runner.is_larval]
        if len(echoed) > max(1, room // 2):
            return echoed[0]
        return next((key for key in keys if self._present[key].runner.is_larval), None)

    def _forget(self, key: Key, cause: Abandoned) -> None:
        """Without a word to the peer, who may be anybody."""
        attempt = self._present.pop(key)
        if not attempt.runner.conversation.ended:
            attempt.runner.record.add(Failed(cause.finding, type(cause).__name__))
            self.half_open.leave(key[0])
            self._router.forget(attempt.cookie)
        attempt.runner.close()

    def close(self) -> None:
        """Forget everything without a word."""
        for key in tuple(self._present):
            self._forget(key, Abandoned("ikevd stops"))

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

    def _let_go(self, key: Key, runner: Runner) -> None:
        self._present.pop(key, None)
        runner.let_go()

    def _ended(self, key: Key, runner: Runner, outcome: Any) -> None:
        if isinstance(outcome, InvalidKey):  # message 1 of Aggressive Mode cost a key pair: its place stays taken
            asyncio.get_running_loop().call_later(LARVAL, self.half_open.leave, key[0])
        else:
            self.half_open.leave(key[0])
        if not isinstance(outcome, IkeError):
            asyncio.get_running_loop().call_later(LINGER, self._let_go, key, runner)
            runner.record.belongs_to(outcome.connection)
            self._on_established(outcome, runner)
            return
        self._router.forget(self._present.pop(key).cookie)
        say_farewell(runner, outcome, self._ports)
        if isinstance(outcome, NoProposalChosen) and self._refusals.allows():
            refusal = clear_notification(key[1], NotifyType.NO_PROPOSAL_CHOSEN)
            self._ports.transmit(refusal, runner.conversation.path)
        runner.close()
