"""What the rules of a peer's life ask the kernel about the traffic of its children."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ikevd.errors import IkeError
from ikevd.frozen import replace
from ikevd.host.sas import Counters, SaId
from ikevd.negotiation.arrivals import Arrivals
from ikevd.negotiation.kernel_side import KernelSide
from ikevd.negotiation.paced import paced
from ikevd.negotiation.ports import Ports
from ikevd.peer import flaps, rekey
from ikevd.peer.child_state import ChildState, PairState
from ikevd.peer.effects import AskBalance, AskPackets, AskTraffic, AskUse, Question
from ikevd.peer.facts import Fact
from ikevd.peer.message_facts import Informed
from ikevd.peer.path_facts import Balance
from ikevd.peer.state import PeerState
from ikevd.peer.volume_facts import Carried, Counted, Used
from ikevd.sa.model import Cookies, Spi


class Questions:
    """Of one session."""

    __slots__ = ("_arrivals", "_kernel", "_packets", "_ports")

    def __init__(self, kernel: KernelSide, ports: Ports, arrivals: Arrivals) -> None:
        self._kernel = kernel
        self._ports = ports
        self._arrivals = arrivals
        self._packets: dict[str, dict[SaId, int]] | None = None
        """Counted at the last question, by child."""

    async def answer(self, state: PeerState, question: Question) -> Fact:
        """What the kernel says."""
        match question:
            case AskTraffic(under, if_left):
                left = if_left and await self._has_left(state)
                came = await self._arrivals.newest(state) if left or not if_left else None
                return Carried(under, came, left)
            case AskPackets(child):
                return Counted(child, await self._moved(child, state.children.get(child, ChildState())))
            case AskUse(child):
                return await self._used(child, rekey.newest(state.children.get(child, ChildState())))
            case AskBalance(under):
                return await self._balance(state, under)

    async def _used(self, name: str, pair: PairState | None) -> Used:
        """Who is refused an answer takes it that it was."""
        if pair is None:
            return Used(name, Spi(0), used=False)
        found = list[Counters | None]()
        try:
            for sa in _sas_of(pair):
                found.append(await self._ports.kernel.counters(sa))
        except IkeError as refusal:
            self._kernel.report([refusal])
            return Used(name, pair.sa.inbound, used=True)
        return Used(name, pair.sa.inbound, used=any(counters is not None and counters.packets for counters in found))

    async def with_used_up(self, fact: Informed, pairs: Iterable[PairState]) -> Informed:
        """The same fact, which ends these `pairs`, and those of them that have carried a volume by now."""
        found = list[Spi]()
        try:
            for pair in pairs:
                counted = [await self._ports.kernel.counters(sa) for sa in _sas_of(pair)]
                if any(counters and flaps.has_used_up(pair.sa, counters.octets) for counters in counted):
                    found.append(pair.sa.inbound)
        except IkeError as refusal:
            self._kernel.report([refusal])
        return replace(fact, used_up=tuple(found))

    async def _moved(self, name: str, child: ChildState) -> bool:
        """Did packets come or go since this was last asked? Who is refused an answer takes it that they did."""
        before, now = (self._packets or {}).get(name, {}), dict[SaId, int]()
        try:
            for sa in _sas(child):
                counters = await self._ports.kernel.counters(sa)
                now[sa] = counters.packets if counters else 0
        except IkeError as refusal:
            self._kernel.report([refusal])
            return True
        self._packets = {**(self._packets or {}), name: now}
        return any(packets > before.get(sa, 0) for sa, packets in now.items())

    async def _has_left(self, state: PeerState) -> bool:
        """Any packet, through the pairs that stand? Who is refused an answer takes it that some did."""
        try:
            async for pair in paced(pair for child in state.children.values() for pair in child.standing):
                counters = await self._ports.kernel.counters(SaId(pair.sa.remote, pair.sa.outbound))
                if counters is not None and counters.packets:
                    return True
        except IkeError as refusal:
            self._kernel.report([refusal])
            return True
        return False

    async def _balance(self, state: PeerState, under: Cookies | None) -> Balance:
        """Who is refused an answer takes it that packets came, but not that a trial has succeeded."""
        came, sent = 0, dict[str, int]()
        pairs = ((name, pair) for name, child in state.children.items() for pair in child.standing)
        try:
            async for name, pair in paced((name, pair) for name, pair in pairs if under in (None, pair.under)):
                inbound, outbound = [await self._ports.kernel.counters(sa) for sa in _sas_of(pair)]
                came += inbound.packets if inbound else 0
                sent[name] = sent.get(name, 0) + (outbound.packets if outbound else 0)
        except IkeError as refusal:
            self._kernel.report([refusal])
            came = 0 if under is not None else 1
        busiest = sorted((name for name, packets in sent.items() if packets), key=lambda name: -sent[name])
        return Balance(under, sum(sent.values()), came, tuple(busiest))


def _sas(child: ChildState) -> Iterator[SaId]:
    for pair in child.standing:
        yield from _sas_of(pair)


def _sas_of(pair: PairState) -> Iterator[SaId]:
    yield SaId(pair.sa.local, pair.sa.inbound)
    yield SaId(pair.sa.remote, pair.sa.outbound)
