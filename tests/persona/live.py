"""The router as a peer of whole engines, in virtual time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from ikevd.addresses import Address, Endpoint, Path
from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import Effect, Raised, Returned, Transmit
from ikevd.conversation.timing import Timing
from ikevd.exchanges.link import Exchange, Host, Link, Situation
from ikevd.policy.connection import Resend
from ikevd.sa.model import NO_COOKIE, Cookies
from ikevd.wire.message import Header, Message
from ikevd.wire.payloads import Opaque
from ikevd.wire.registry import ExchangeType
from tests.gateways import World
from tests.persona import phase1, phase2
from tests.persona.octets import DELETE, ESP, ISAKMP, NOTIFY, R_U_THERE, R_U_THERE_ACK, bodies, delete, payload
from tests.persona.router import Router, RouterPair, RouterSa

IOS_RESENDS = Timing(Resend(interval=10.0, factor=1.0, sends=6))
"""What ike-scan measures of IOS 12.1 and later."""
OnEnd = Callable[[Any], None]
Key = tuple[bytes, int]


class LiveRouter:
    """Answers and begins negotiations; what came of them stands in `sas`, `pairs` and `told`."""

    def __init__(self, world: World, address: Address, router: Router) -> None:
        self.router = router
        self.sas: list[RouterSa] = []
        self.pairs: list[RouterPair] = []
        self.told: list[Message] = []
        self._world = world
        self._address = address
        self._numbers = itertools.count(1)
        self._conversations: dict[Key, Conversation] = {}
        self._on_end: dict[Key, tuple[OnEnd, OnEnd]] = {}
        world.others[address] = self.datagram

    @property
    def sa(self) -> RouterSa:
        """The newest ISAKMP SA."""
        return self.sas[-1]

    # -- what it begins --------------------------------------------------------------------------------------------

    async def call(self, remote: Address, port: int = 500) -> RouterSa:
        """Phase 1; from port 4500 after a redirection by a load balancer."""
        path = Path(Endpoint(self._address, port), Endpoint(remote, port))
        cookies = Cookies(self.router.random(f"cookie {next(self._numbers)}", 8))
        kind = ExchangeType.AGGRESSIVE if self.router.group_name else ExchangeType.MAIN_MODE
        begin = phase1.initiate_aggressive_mode if self.router.group_name else phase1.initiate_main_mode
        situation = Situation(cookies, 0, path)
        sa: RouterSa = await self._begin(kind, situation, begin(Link(situation), self.router))
        self.sas.append(sa)
        return sa

    async def quick_mode(self) -> RouterPair:
        """Under the newest ISAKMP SA."""
        situation = self._under_sa(0x0F2B0000 + next(self._numbers), self.sa)
        exchange = phase2.initiate_quick_mode(Link(situation), Host(), self.sa)
        pair: RouterPair = await self._begin(ExchangeType.QUICK_MODE, situation, exchange)
        self.pairs.append(pair)
        return pair

    async def tell(self, *payloads: Opaque, kind: ExchangeType = ExchangeType.INFORMATIONAL) -> None:
        """One protected message that nothing answers."""
        situation = self._under_sa(0x1F0F0000 + next(self._numbers), self.sa)
        await self._begin(kind, situation, phase2.tell(Link(situation), self.sa, *payloads))

    async def clear(self) -> None:
        """`clear crypto session`: a Delete for each pair, one for the ISAKMP SA, and nothing is left."""
        for pair in self.pairs:
            await self.tell(payload(DELETE, delete(ESP, pair.spis[0])))
        await self.tell(payload(DELETE, delete(ISAKMP, b"".join(self.sa.cookies))))
        self._conversations.clear()
        self.sas.clear()
        self.pairs.clear()

    def _begin(self, kind: ExchangeType, situation: Situation, exchange: Exchange) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        core = Conversation(exchange, kind, situation, IOS_RESENDS, initiator=True)
        self._keep(core, future.set_result, future.set_exception)
        self._apply(core, core.start(self._now()))
        return future

    # -- what comes in ---------------------------------------------------------------------------------------------

    def datagram(self, octets: bytes, path: Path) -> None:
        """Everything that arrives."""
        header = Header.decode_untrusted(octets)
        core = self._conversations.get((header.initiator, header.message_id))
        if core is None:
            core = self._answering(header, path)
        if core is not None:
            self._apply(core, core.heard(octets, path, self._now()))

    def _answering(self, header: Header, path: Path) -> Conversation | None:
        sa = next((sa for sa in self.sas if sa.cookies == (header.initiator, header.responder)), None)
        minted = self.router.random(f"cookie {next(self._numbers)}", 8)
        if header.responder == NO_COOKIE:
            situation = Situation(Cookies(header.initiator), 0, path)
            aggressive = header.exchange == ExchangeType.AGGRESSIVE
            respond = phase1.respond_aggressive_mode if aggressive else phase1.respond_main_mode
            exchange: Exchange = respond(Link(situation), self.router)
            on_end: OnEnd = self.sas.append
        elif sa is None or not header.encrypted:
            return None
        elif header.exchange == ExchangeType.QUICK_MODE:
            situation = self._under_sa(header.message_id, sa)
            exchange, on_end = phase2.respond_quick_mode(Link(situation), Host(), sa), self.pairs.append
        else:
            situation = self._under_sa(header.message_id, sa)
            exchange, on_end = phase2.hear(Link(situation), sa), self._told
        core = Conversation(exchange, header.exchange, situation, IOS_RESENDS, initiator=False, minted=minted)
        self._keep(core, on_end)
        self._apply(core, core.start(self._now()))
        return core

    def _told(self, message: Message) -> None:
        """R-U-THERE is answered with what it brought."""
        self.told.append(message)
        for asked in bodies(message, NOTIFY):
            if asked[6:8] == R_U_THERE.to_bytes(2, "big"):
                answer = payload(NOTIFY, asked[:6] + R_U_THERE_ACK.to_bytes(2, "big") + asked[8:])
                self._answering_dpd = asyncio.ensure_future(self.tell(answer))

    def heard(self, number: int) -> list[bytes]:
        """Bodies of one payload type in all Informational messages that came."""
        return [body for message in self.told for body in bodies(message, number)]

    # -- driving ---------------------------------------------------------------------------------------------------

    def _under_sa(self, message_id: int, sa: RouterSa) -> Situation:
        return Situation(Cookies(*sa.cookies), message_id, sa.path, (sa.chain(message_id),))

    def _keep(self, core: Conversation, on_end: OnEnd, on_error: OnEnd = lambda error: None) -> None:
        key = core.cookies.initiator, core.message_id
        self._conversations[key], self._on_end[key] = core, (on_end, on_error)

    def _apply(self, core: Conversation, effects: list[Effect]) -> None:
        on_end, on_error = self._on_end[core.cookies.initiator, core.message_id]
        for effect in effects:
            match effect:
                case Transmit(octets, path):
                    self._world.carry(octets, path)
                case Returned(result):
                    on_end(result)
                case Raised(error):
                    on_error(error)
        if core.deadline is not None:
            asyncio.get_running_loop().call_at(core.deadline, self._tick, core)

    def _tick(self, core: Conversation) -> None:
        self._apply(core, core.tick(self._now()))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
