"""One established ISAKMP SA at work: every exchange under it has its own message id, IV chain, timer and fate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ikevd.addresses import Path
from ikevd.conversation.core import Conversation
from ikevd.conversation.timing import Timing
from ikevd.errors import Abandoned, IkeError, Malformed, PeerRefused, UnexpectedMessage
from ikevd.exchanges import informational, phase2, quick_mode
from ikevd.exchanges.link import Exchange, Host, Link, Situation
from ikevd.facts import Dropped
from ikevd.findings import PeerRefuses, Unreachable
from ikevd.negotiation.ends import Ends
from ikevd.negotiation.hints import hear_hints
from ikevd.negotiation.install import KernelHost
from ikevd.negotiation.message_ids import MessageIds
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.runner import OnEnd, Runner, no_host
from ikevd.policy.model import Child
from ikevd.sa.model import IpsecSa, IsakmpSa, Spi
from ikevd.wire.message import Header
from ikevd.wire.payloads import Payload
from ikevd.wire.registry import ExchangeType, NotifyType

MAX_AT_ONCE = 200
"""Exchanges under one ISAKMP SA that the peer began and that are under way."""
MAX_KEPT = 1000
"""Exchanges of one ISAKMP SA that may still be asked for an answer; beyond it the oldest that ended is forgotten."""


@dataclass(frozen=True, slots=True)
class QuickModeEnd:
    """How one Quick Mode ended. `child` is None where we were the responder."""

    child: Child | None
    outcome: IpsecSa | IkeError
    host: KernelHost
    runner: Runner


@dataclass(frozen=True, slots=True)
class QuickModeFlight:
    """A Quick Mode of ours under way."""

    live: LiveIsakmpSa
    child: Child
    host: KernelHost
    runner: Runner

    def refuse(self, notify: NotifyType) -> None:
        """The peer refuses it."""
        asked = quick_mode.asked(self.live.sa, self.child)
        self.runner.fail(PeerRefused(PeerRefuses(str(notify), asked), notify))


class LiveIsakmpSa:
    """Hands each datagram to its exchange and begins new ones. Knows nothing of children's lives."""

    def __init__(
        self,
        sa: IsakmpSa,
        phase1: Runner,
        children: Sequence[Child],
        timing: Timing,
        ports: Ports,
        *,
        on_quick_mode: Callable[[LiveIsakmpSa, QuickModeEnd], None],
        on_informational: Callable[[LiveIsakmpSa, tuple[Payload, ...]], None],
        on_worn: Callable[[LiveIsakmpSa], None],
    ) -> None:
        """`on_worn` is called when the message IDs are used up."""
        self._ends = Ends(sa)
        self.phase1 = phase1
        self.path = sa.path
        self.born = self.last_heard = ports.now()
        self.doubted = False
        """A Quick Mode stayed unanswered and nothing else was heard since: not for new ones."""
        self.unnamed_refusals: list[NotifyType] = []
        """Refusals that could not be told from one another while several Quick Modes were in flight."""
        self.early_deletes: list[Spi] = []
        """SPIs that the peer deleted and that may be those of a Quick Mode in flight: kept until none is."""
        self.expiry: asyncio.TimerHandle | None = None
        """At the end of its lifetime."""
        self.retired = False
        """Deleted by either side: only farewells leave and are heard, in whatever order they come."""
        self._children = children
        self._timing = timing
        self._ports = ports
        self._on_quick_mode = on_quick_mode
        self._on_informational = on_informational
        self._owner = f"{sa.connection} ({sa.remote_id})"
        self._on_worn = on_worn
        self._runners: dict[int, Runner] = {}
        self._hosts: dict[int, KernelHost] = {}
        self._used = MessageIds()
        self._theirs = 0
        """Exchanges that the peer began and that are under way."""

    @property
    def sa(self) -> IsakmpSa:
        """The ISAKMP SA."""
        return self._ends.sa

    @sa.setter
    def sa(self, sa: IsakmpSa) -> None:
        self._ends.sa = sa

    @property
    def cookie(self) -> bytes:
        """The cookie that we minted."""
        return self.sa.cookies.initiator if self.sa.initiator else self.sa.cookies.responder

    @property
    def expires(self) -> float:
        """When its hard lifetime ends, on the event loop's clock."""
        return self.born + self.sa.lifetime.seconds

    # -- receiving --------------------------------------------------------------------------------------------------

    def heard(self, header: Header, octets: bytes, path: Path) -> None:
        """A datagram that names our cookie."""
        if header.message_id == 0 or not header.encrypted:
            self._phase1_heard(header, octets, path)
        elif runner := self._runners.get(header.message_id):
            runner.heard(octets, path)
        elif header.message_id in self._used:
            self._ports.counters.count("drop: message ID already used")
        elif self.retired and header.exchange != ExchangeType.INFORMATIONAL:
            self._ports.counters.count("drop: the ISAKMP SA has been deleted")
        elif self._crowded():
            self._ports.counters.count("drop: too many exchanges under one ISAKMP SA")
        else:
            self._begin(header, octets, path)

    def unreachable(self, message_id: int, path: Path, found: Unreachable) -> None:
        """A message of ours did not arrive."""
        if runner := self._runners.get(message_id):
            runner.unreachable(path, found)

    def _phase1_heard(self, header: Header, octets: bytes, path: Path) -> None:
        if header.exchange == ExchangeType.INFORMATIONAL:
            hear_hints(self._under_way or [self.phase1], header, octets)
        else:
            self.phase1.heard(octets, path)
            self._learn_ends()

    def _learn_ends(self) -> None:
        """What we began and the peer has not answered is said from each of the new ones, too."""
        for block in self._ends.learn(self.phase1.conversation.other_ends):
            for message_id, runner in self._runners.items():
                if runner.conversation.initiator:
                    runner.conversation.fork(phase2.chain(self.sa, block, message_id))

    def _begin(self, header: Header, octets: bytes, path: Path) -> None:
        """A first message from the peer: no state of it stays unless its HASH(1) holds."""
        situation, link = self._situation(header.message_id)
        host = KernelHost(self._ports.installer, self._owner)
        match header.exchange:
            case ExchangeType.QUICK_MODE:
                entropy = self._ports.entropy
                exchange: Exchange = quick_mode.respond(link, Host(), self.sa, self._children, entropy)
                on_end: OnEnd = partial(self._quick_mode_ended, None, host)
            case ExchangeType.INFORMATIONAL:
                exchange = informational.hear(link, self.sa)
                on_end = self._told
            case _:
                kind = header.exchange if header.exchange.known else "unknown exchange type"
                self._ports.counters.count(f"drop: {kind} is not supported")
                return
        core = Conversation(exchange, header.exchange, situation, self._timing, initiator=False)
        effects = [*core.start(self._ports.now()), *core.heard(octets, path, self._ports.now())]
        if not core.has_spoken:
            self._reject(core, header, octets, effects)
            return
        self._run(core, header.exchange, on_end, host).apply(effects)

    def _reject(self, core: Conversation, header: Header, octets: bytes, effects: Sequence[object]) -> None:
        core.close()
        for effect in effects:
            fact = getattr(effect, "fact", None)
            if isinstance(fact, Dropped):
                self._ports.counters.count(f"drop: {header.exchange} that {self._fault(fact, header, octets)}")
                self.phase1.record.add(fact)

    def _fault(self, dropped: Dropped, header: Header, octets: bytes) -> str:
        if dropped.error == UnexpectedMessage.__name__:
            return "does not belong here"
        if dropped.error == Malformed.__name__ and phase2.proves_itself(self.sa, header, octets):
            return "is authentic, but malformed"
        return "is not authentic"

    # -- sending ----------------------------------------------------------------------------------------------------

    def quick_mode(self, child: Child) -> QuickModeFlight:
        """Begin a Quick Mode for `child`."""
        situation, link = self._situation(self._fresh_id())
        host = KernelHost(self._ports.installer, self._owner)
        exchange = quick_mode.initiate(link, Host(), self.sa, child, self._ports.entropy)
        core = Conversation(exchange, ExchangeType.QUICK_MODE, situation, self._timing, initiator=True)
        on_end = partial(self._quick_mode_ended, child, host)
        runner = self._run(core, ExchangeType.QUICK_MODE, on_end, host, child)
        runner.start()
        return QuickModeFlight(self, child, host, runner)

    def tell(self, *payloads: Payload) -> None:
        """An Informational message, sent a few times since nothing answers it."""
        situation, link = self._situation(self._fresh_id())
        exchange = informational.tell(link, self.sa, *payloads)
        core = Conversation(exchange, ExchangeType.INFORMATIONAL, situation, self._timing, initiator=True)
        self._run(core, ExchangeType.INFORMATIONAL, lambda runner, outcome: None).start()

    # -- ending -----------------------------------------------------------------------------------------------------

    def retire(self, cause: IkeError) -> None:
        """No new exchange; those in flight end with `cause`."""
        self.retired = True
        for runner in tuple(self._runners.values()):
            runner.fail(cause)

    def fail_child(self, child: str, cause: IkeError) -> None:
        """End the Quick Modes of the peer that have opened an SA of `child`."""
        for message_id, host in tuple(self._hosts.items()):
            if host.child == child and message_id in self._runners:
                self._runners[message_id].fail(cause)

    def close(self) -> None:
        """Forget everything: timers, exchanges, phase 1."""
        self.retired = True
        if self.expiry is not None:
            self.expiry.cancel()
        for runner in (*self._runners.values(), self.phase1):
            runner.fail(Abandoned("the ISAKMP SA is gone"))
            runner.close()
        self._runners.clear()

    @property
    def busy(self) -> bool:
        """Is a Quick Mode under way?"""
        return any(not runner.conversation.ended for runner in self._runners.values())

    @property
    def _under_way(self) -> list[Runner]:
        """Quick Modes: an Informational exchange ends as soon as it is told or heard."""
        return [runner for runner in self._runners.values() if not runner.conversation.ended]

    # -- within -----------------------------------------------------------------------------------------------------

    def _situation(self, message_id: int) -> tuple[Situation, Link]:
        (chains, forks), nat_port = self._ends.chains(message_id), self._ports.nat_port
        situation = Situation(self.sa.cookies, message_id, self.path, chains, forks, nat_port=nat_port, nat=self.sa.nat)
        if self.sa.exchange == ExchangeType.AGGRESSIVE and self.sa.initiator and self.last_heard == self.born:
            situation.answered_at = self._ports.port  # our message 3, which nothing answers, may be the first elsewhere
        return situation, Link(situation)

    def _fresh_id(self) -> int:
        while True:
            message_id = int.from_bytes(self._ports.entropy.octets(4), "big")
            if message_id and message_id not in self._used:
                return message_id

    def _run(
        self,
        core: Conversation,
        kind: ExchangeType,
        on_end: OnEnd,
        host: KernelHost | None = None,
        child: Child | None = None,
    ) -> Runner:
        self._used.add(core.message_id)
        self._theirs += not core.initiator
        record = self._ports.history.open(
            kind,
            self.sa.cookies,
            core.message_id,
            self.path.remote,
            initiator=core.initiator,
            connection=self.sa.connection,
            child=child.name if child else None,
        )
        serve_host = host.serve if host else no_host
        runner = Runner(
            core,
            record,
            self._ports,
            on_end=partial(self._ended, on_end),
            on_heard=partial(self._authentic, core),
            serve_host=serve_host,
        )
        self._runners[core.message_id] = runner
        if host and not core.initiator:
            self._hosts[core.message_id] = host
        if len(self._runners) > MAX_KEPT:
            self._forget_oldest()
        if self._used.full:
            asyncio.get_running_loop().call_soon(self._on_worn, self)
        return runner

    def _crowded(self) -> bool:
        return self._theirs >= MAX_AT_ONCE or self._used.full

    def _forget_oldest(self) -> None:
        ended = next((mid for mid, runner in self._runners.items() if runner.conversation.ended), None)
        if ended is not None:
            self._forget(ended)

    def _ended(self, on_end: OnEnd, runner: Runner, outcome: Any) -> None:
        """An exchange that ended may have to be repeated for a while; else its message ID is enough."""
        message_id, conversation = runner.conversation.message_id, runner.conversation
        self._theirs -= not conversation.initiator
        self._hosts.pop(message_id, None)
        if conversation.wanted_for:
            asyncio.get_running_loop().call_later(conversation.wanted_for, self._forget, message_id)
        else:
            self._forget(message_id)
        on_end(runner, outcome)

    def _forget(self, message_id: int) -> None:
        if runner := self._runners.pop(message_id, None):
            runner.close()
        if not self._runners:  # a dict that was emptied is three times as large as an empty one
            self._runners.clear()
            self._hosts.clear()

    def _quick_mode_ended(self, child: Child | None, host: KernelHost, runner: Runner, outcome: Any) -> None:
        self._on_quick_mode(self, QuickModeEnd(child, outcome, host, runner))

    def _told(self, runner: Runner, outcome: Any) -> None:
        """An Informational exchange that failed has nobody waiting for it; its record holds the cause."""
        if not isinstance(outcome, IkeError):
            self._on_informational(self, outcome)

    def _authentic(self, core: Conversation, path: Path) -> None:
        """The path belongs to the ISAKMP SA and moves only on an accepted message, where that moved its exchange."""
        self.path = path
        self._ends.prove(core.origin)
        if self.last_heard == self.born:
            self.phase1.confirm()
        self.last_heard = self._ports.now()
        self.doubted = False
