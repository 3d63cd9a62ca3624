"""Words that nothing proves, from the addresses of configured peers: INVALID-COOKIE and INVALID-SPI, heard and said.

They are read apart from every exchange. Whoever forges them makes us ask the real peer whether it lives, and no more.
"""

from __future__ import annotations

from collections.abc import Iterator

from ikevd.addresses import Address, Endpoint, Path
from ikevd.errors import IkeError, Malformed
from ikevd.negotiation.matching import ByAddress
from ikevd.negotiation.peers import Peers
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.router import Router
from ikevd.negotiation.session import Session
from ikevd.negotiation.shares import Shares, Tally
from ikevd.peer import hints, notices
from ikevd.peer.message_facts import Hinted, StrayEsp
from ikevd.sa.model import NO_COOKIE, Cookies, Spi
from ikevd.wire.message import HEADER_OCTETS, Header, Message, encode_chain
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import ExchangeType, Flags, NotifyType, PayloadType, Protocol

INFORMATIONAL, INVALID_COOKIE, INVALID_SPI = (
    ExchangeType.INFORMATIONAL,
    NotifyType.INVALID_COOKIE,
    NotifyType.INVALID_SPI,
)
PHASE_1 = (ExchangeType.MAIN_MODE, ExchangeType.AGGRESSIVE)
SPI_OCTETS = 4
TOLD_EVERY = 60.0
"""Seconds. That a peer sends ESP that nobody knows is on record so often, with how much it was."""


class Strays:
    """Datagrams that are nobody's, or that belong to an ISAKMP SA but come in the clear."""

    def __init__(self, peers: Peers, router: Router, ports: Ports) -> None:
        self._peers = peers
        self._router = router
        self._ports = ports
        self._read = Shares(rate=10, burst=20, clock=ports.now)
        self._answers = Shares(rate=5, burst=10, clock=ports.now)
        self._stray = Tally(TOLD_EVERY, ports.now)

    def in_the_clear(self, session: Session, header: Header, octets: bytes) -> None:
        """It bears a cookie of ours."""
        notifications = self._notifications(header, octets, session.connection.remote)
        if any(notify.type == INVALID_COOKIE for notify in notifications):
            session.post(Hinted(INVALID_COOKIE, Cookies(header.initiator, header.responder)))

    def nobodys(self, octets: bytes, path: Path, by_address: ByAddress) -> None:
        """It bears no cookie of ours. Only of peers with an address of their own more is read than the header."""
        connections = by_address.exactly(path.remote.address)
        if not connections:
            return
        try:
            header = Header.decode_untrusted(octets)
        except Malformed:
            return
        if header.major != 1:
            return
        if header.encrypted:
            self._answer(header, path)
            return
        sessions = [session for connection in connections for session in self._peers.of(connection.name)]
        for spi in self._lost_spis(header, octets, path.remote.address):
            for session in sessions:
                if hints.holder(session.state, spi) is not None:
                    session.post(Hinted(INVALID_SPI))

    def esp(self, source: Address, destination: Address, spi: Spi, by_address: ByAddress) -> None:
        """ESP under an SPI that nobody has. To a peer without ISAKMP SA it is said in the clear, if it has an address
        of its own; to others nothing."""
        whose = source if by_address.exactly(source) else None
        if not self._is_ours(destination, source) or not self._answers.allows(whose):
            return
        times = self._stray.count(whose)
        named = [session for one in by_address.exactly(source) for session in self._peers.of(one.name)]
        sessions = named or [session for session in self._peers if _is_at(session, source)]
        for session in sessions:
            session.post(StrayEsp(spi, times))
        if named and not any(hints.serves(session.state, self._ports.now()) for session in named):
            ends = Endpoint(destination, self._ports.port), Endpoint(source, self._ports.port)
            self._ports.transmit(_in_the_clear(self._router.mint(), NO_COOKIE, notices.invalid_spi(spi)), Path(*ends))

    def known_spis(self) -> list[Spi]:
        """Those that we receive ESP on, or will."""
        states = [session.state for session in self._peers]
        pairs = (pair.sa.inbound for state in states for child in state.children.values() for pair in child.pairs)
        modes = (mode.spi for state in states for mode in state.quick_modes.values() if mode.spi is not None)
        return [spi for spi in (*pairs, *modes) if spi.protocol == Protocol.ESP]

    def _is_ours(self, destination: Address, source: Address) -> bool:
        try:
            return self._ports.source_for(source) == destination
        except IkeError:
            return False

    def _lost_spis(self, header: Header, octets: bytes, whose: Address) -> Iterator[Spi]:
        for notify in self._notifications(header, octets, whose):
            named = notify.spi if len(notify.spi) == SPI_OCTETS else notify.data
            if notify.type == INVALID_SPI and len(named) == SPI_OCTETS:
                yield Spi.of(notify.protocol, named)

    def _notifications(self, header: Header, octets: bytes, whose: Address | None) -> tuple[NotifyPayload, ...]:
        """Those of an Informational message in the clear; of any other message, and of too many, none. `whose`: the
        configured address, None where the peer has none."""
        if header.encrypted or header.exchange != INFORMATIONAL or not self._read.allows(whose):
            return ()
        try:
            return Message.decode_untrusted(header, octets[HEADER_OCTETS : header.length]).all(NotifyPayload)[:1]
        except Malformed:
            return ()

    def _answer(self, header: Header, path: Path) -> None:
        """An ISAKMP SA that the peer has and we have not: it is told so, unless ours was retired lately. Of a phase 1
        that is under way there nothing is said: strongSwan ends it for any error, and its children with it."""
        cookies = (header.initiator, header.responder)
        if header.exchange in PHASE_1 or NO_COOKIE in cookies or any(map(self._router.was_ours, cookies)):
            return
        if not self._answers.allows(path.remote.address):
            return
        self._ports.transmit(invalid_cookie(*cookies), path)
        self._ports.counters.count("INVALID-COOKIE said to a configured address")


def invalid_cookie(initiator: bytes, responder: bytes) -> bytes:
    """An Informational message in the clear, under the cookies that it is about."""
    return _in_the_clear(initiator, responder, NotifyPayload(Protocol.ISAKMP, INVALID_COOKIE, initiator + responder))


def _in_the_clear(initiator: bytes, responder: bytes, word: NotifyPayload) -> bytes:
    body = encode_chain([word])
    header = Header(initiator, responder, PayloadType.N, INFORMATIONAL, Flags.NONE, 0)
    return header.encode(len(body)) + body


def _is_at(session: Session, address: Address) -> bool:
    """Is it a peer from anywhere that is there now?"""
    known = session.state.isakmp.values() if session.connection.remote is None else ()
    return any(one.path.remote.address == address for one in known)
