"""Repetitions: what was told answers the message last accepted, whenever it was told.

Every message of the exchange is remembered, not only the last one: under loss the peer may repeat any. It is known by
its payloads alone. The octets behind them are covered by no HASH, so a copy may differ there, and it may have come
first. The last block of an encrypted message is the IV of its answer: a copy with another end is answered once more,
from that end, and the peer's next message may follow either answer. Of what the peer sent a digest is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from math import inf

from ikevd.conversation.resend import Outgoing
from ikevd.crypto.ciphers import IvChain
from ikevd.frozen import frozen
from ikevd.wire.message import HEADER_OCTETS, MAX_PADDING, Header, Message
from ikevd.wire.registry import Flags

MAX_ANSWERS, PERIOD = 30, 10.0
"""So many repetitions are answered in so many seconds: more than a peer under loss sends, and too few to be a weapon
against whose address is forged."""
MAX_FORKS = 8
"""Copies of one message with other ends that are answered, each from its own."""
FOR_THE_SHORTEST = 2
"""Beyond those, for copies with less than a block behind their payloads: most peers send no other."""
FLAGS = 19
"""Where they stand in the header."""
BUT_COMMIT = ~int(Flags.COMMIT)


@dataclass(slots=True)
class Accepted:
    """One message of the peer that was accepted, as far as its copies have it in common, and what was told after it."""

    label: str
    size: int
    """Octets of its payloads."""
    digest: bytes
    """Of its header, but for the length and the commit bit, and of the payloads in the clear."""
    before: IvChain | None
    """Where the chain stood; None for a message in the clear."""
    first_block: bytes
    ends: tuple[bytes, ...]
    """The last blocks of its copies; the one of the copy that was accepted stands first."""
    answers: tuple[Outgoing, ...] = ()
    """Each with a copy for each of the ends."""

    @classmethod
    def of(cls, label: str, datagram: bytes, message: Message, before: IvChain | None) -> Accepted:
        """What is kept of a datagram that held `message`."""
        body, block = _body(datagram, message.header), len(before.iv) if before else 0
        digest = _digest(datagram, message.chain)
        return cls(label, len(message.chain), digest, before, body[:block], (_end(body, block),))

    def copy(self, datagram: bytes, header: Header) -> Copy | None:
        """The datagram as a copy of this message, or None where it is none."""
        body, block = _body(datagram, header), len(self.first_block)
        trailer = len(body) - self.size
        if not 0 <= trailer <= MAX_PADDING or body[:block] != self.first_block or (block and len(body) % block):
            return None
        clear = self.before.propose(body).plaintext if self.before else body
        return Copy(self, _end(body, block), trailer) if _digest(datagram, clear[: self.size]) == self.digest else None


@frozen
class Copy:
    """A datagram with the payloads of a message that was accepted."""

    of: Accepted
    end: bytes
    trailer: int
    """Octets behind the payloads."""


class Duplicates:
    """The accepted messages of one exchange."""

    __slots__ = ("_accepted", "_answered", "_period_began")

    def __init__(self) -> None:
        self._accepted: tuple[Accepted, ...] = ()
        self._period_began = -inf
        self._answered = 0

    @property
    def heard(self) -> bool:
        """Was any message accepted?"""
        return bool(self._accepted)

    def accepted(self, message: Accepted) -> None:
        """`message` was accepted; what is told from here on answers it."""
        self._accepted += (message,)

    def told(self, answer: Outgoing) -> None:
        """Remember `answer` as told after the message last accepted."""
        if self._accepted:
            self._accepted[-1].answers += (answer,)

    def find(self, header: Header, datagram: bytes) -> Copy | None:
        """The message that `datagram` is a copy of, or None where it is new. Raises `Malformed`."""
        for message in self._accepted:
            if copy := message.copy(datagram, header):
                return copy
        return None

    def fork(self, copy: Copy) -> IvChain | None:
        """Where a copy of the message last accepted has an end that is new: seals the answers from there, too. Tells
        where the peer's next message may begin; None: there is nothing new, or more than is answered."""
        message, block = copy.of, len(copy.end)
        room = MAX_FORKS + (FOR_THE_SHORTEST if copy.trailer < block else 0)
        known = copy.end in message.ends or message is not self._accepted[-1]
        if known or message.before is None or len(message.ends) > room:
            return None
        message.ends += (copy.end,)
        chain = message.before.at(copy.end)
        for answer in message.answers:
            answer.seal_also(chain)
        return chain

    def answers(self, copy: Copy, now: float, *, first: bool = False) -> tuple[bytes, ...]:
        """What to send again for a repetition. `first`: for the first copy with its end, whose number is bounded."""
        ends = copy.of.ends
        at = ends.index(copy.end) if copy.end in ends else None
        answers = () if at is None else tuple(answer.copies[at] for answer in copy.of.answers)
        if now - self._period_began >= PERIOD:
            self._period_began, self._answered = now, 0
        if not answers or (self._answered >= MAX_ANSWERS and not first):
            return ()
        self._answered += 1
        return answers


def _body(datagram: bytes, header: Header) -> bytes:
    return datagram[HEADER_OCTETS : header.length]


def _end(body: bytes, block: int) -> bytes:
    return body[-block:] if block else b""


def _digest(datagram: bytes, clear: bytes) -> bytes:
    """Of what all copies of a message have in common: in the header cookies, types, version, flags but the commit bit,
    message ID; and the payloads in the clear."""
    flags = bytes([datagram[FLAGS] & BUT_COMMIT])
    common = b"".join((datagram[:FLAGS], flags, datagram[FLAGS + 1 : FLAGS + 5], clear))
    return blake2b(common, digest_size=16).digest()
