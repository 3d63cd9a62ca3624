"""Which datagram belongs to whom: by the cookie that *we* minted, never by address alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ikevd.addresses import Path
from ikevd.errors import Malformed
from ikevd.findings import Unreachable
from ikevd.frozen import frozen
from ikevd.host.entropy import Entropy
from ikevd.negotiation.limits import RateLimit
from ikevd.negotiation.running import Running
from ikevd.observe.counters import Counters
from ikevd.policy.connection import Connection
from ikevd.sa.model import COOKIE_OCTETS, NO_COOKIE, IsakmpSa
from ikevd.wire.buffer import Reader
from ikevd.wire.message import Header, encode_chain
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import ExchangeType, Flags, NotifyType, PayloadType
from ikevd.wire.registry import Protocol as SecurityProtocol

MAX_FIRST = 8192
"""Octets of a first message, which is kept for its repetitions: ten times the longest that is seen."""
RETIRED_LATELY = 300.0
"""Seconds for which nobody is told that a cookie of ours is unknown."""
MAX_RETIRED = 4096
IKEV2_INITIATOR, IKEV2_RESPONSE = 0x08, 0x20
"""Header flags of RFC 7296 section 3.1."""


@frozen
class Authenticated:
    """A phase 1 that the peer began has ended well: its ISAKMP SA goes to the peer's session."""

    sa: IsakmpSa
    running: Running
    connection: Connection
    """As the file had it when the peer began."""


class Handler(Protocol):
    """Whoever owns one of our cookies."""

    def heard(self, header: Header, octets: bytes, path: Path) -> Authenticated | None:
        """A datagram that names the cookie."""

    def unreachable(self, message_id: int, path: Path, found: Unreachable) -> None:
        """A message of ours under the cookie did not arrive, says an ICMP error."""


class Router:
    """Cheap before costly: header, cookie, look-up; whatever fits nothing is counted and dropped."""

    def __init__(
        self,
        entropy: Entropy,
        counters: Counters,
        transmit: Callable[[bytes, Path], str | None],
        clock: Callable[[], float],
        trouble: Callable[[str], None],
    ) -> None:
        """`trouble` is told, in words, of peers that speak IKEv2."""
        self._entropy = entropy
        self._counters = counters
        self._transmit = transmit
        self._trouble = trouble
        self._answers_to_ikev2 = RateLimit(rate=5, burst=10, clock=clock)
        self._clock = clock
        self._ours: dict[bytes, Handler] = {}
        self._retired: dict[bytes, float] = {}
        """Cookies of ours whose ISAKMP SA has ended, oldest first, and when."""

    def mint(self) -> bytes:
        """A cookie that nobody holds yet; never zero."""
        while True:
            cookie = self._entropy.octets(COOKIE_OCTETS)
            if cookie != NO_COOKIE and cookie not in self._ours:
                return cookie

    def register(self, cookie: bytes, handler: Handler) -> None:
        """From here on `handler` gets what names `cookie`."""
        self._ours[cookie] = handler

    def forget(self, cookie: bytes) -> None:
        """Nobody holds `cookie` any more."""
        self._ours.pop(cookie, None)

    def retire(self, cookie: bytes) -> None:
        """The ISAKMP SA under `cookie` has ended; the peer may not know that yet."""
        self.forget(cookie)
        self._retired[cookie] = self._clock()
        if len(self._retired) > MAX_RETIRED:
            del self._retired[next(iter(self._retired))]

    def was_ours(self, cookie: bytes) -> bool:
        """Until a few minutes ago, or is it still?"""
        since = self._retired.get(cookie)
        return cookie in self._ours or (since is not None and self._clock() < since + RETIRED_LATELY)

    def find(self, octets: bytes, path: Path) -> tuple[Header, Handler | None] | None:
        """Whose a datagram is, or no handler for the first message of a phase 1; None where it was dropped. Raises
        nothing on any input."""
        try:
            header = Header.decode_untrusted(octets)
        except Malformed:
            self._counters.count("drop: malformed header")
            return None
        if header.major != 1:
            self._other_version(header, path)
        elif handler := self._ours.get(header.responder) or self._ours.get(header.initiator):
            return header, handler
        elif header.responder == NO_COOKIE and not header.encrypted and header.message_id == 0:
            return (header, None) if self._is_first(header, octets) else None
        else:
            self._counters.count("drop: unknown cookies")
        return None

    def unreachable(self, quoted: bytes, path: Path, found: Unreachable) -> bool:
        """An ICMP error quotes the beginning of a datagram of ours, which tells whose it is. False where it quotes less
        than that: RFC 792 wants no more than the UDP header."""
        reader = Reader(quoted, "quoted datagram")
        try:
            initiator, responder, _, message_id = reader.take(8), reader.take(8), reader.u32(), reader.u32()
        except Malformed:
            return False
        if handler := self._ours.get(responder) or self._ours.get(initiator):
            handler.unreachable(message_id, path, found)
        return True

    def _is_first(self, header: Header, octets: bytes) -> bool:
        if header.initiator == NO_COOKIE:
            self._counters.count("drop: initiator cookie is zero")
        elif len(octets) > MAX_FIRST:
            self._counters.count("drop: first message is too long")
        elif header.exchange not in (ExchangeType.MAIN_MODE, ExchangeType.AGGRESSIVE):
            kind = header.exchange if header.exchange.known else "of an unknown exchange type"
            self._counters.count(f"drop: first message is {kind}")  # few names, whatever strangers send
        else:
            return True
        return False

    def _other_version(self, header: Header, path: Path) -> None:
        """An IKEv2 initial request is told INVALID-MAJOR-VERSION; replies and notifications never are."""
        request = (
            header.major == 2
            and header.exchange == ExchangeType.IKE_SA_INIT
            and header.responder == NO_COOKIE
            and header.message_id == 0
            and header.flags & IKEV2_INITIATOR
            and not header.flags & IKEV2_RESPONSE
        )
        self._counters.count("IKEv2 request" if request else "drop: version is not 1.0")
        if request and self._answers_to_ikev2.allows():
            refusal = NotifyType.INVALID_MAJOR_VERSION
            self._transmit(clear_notification(header.initiator, refusal), path)
            self._trouble(f"{path.remote} speaks IKEv2; this daemon speaks IKEv1 only and has told it so")


def clear_notification(initiator_cookie: bytes, kind: NotifyType) -> bytes:
    """An Informational message in the clear; the responder cookie stays zero, since no error path mints one
    (CVE-2023-30570)."""
    body = encode_chain([NotifyPayload(SecurityProtocol.ISAKMP, kind)])
    header = Header(initiator_cookie, NO_COOKIE, PayloadType.N, ExchangeType.INFORMATIONAL, Flags.NONE, 0)
    return header.encode(len(body)) + body
