"""Informational messages beside a phase 1 under way: those of the peer are read on copies of the IV chains, and one of
ours may leave."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from ikevd.addresses import Path
from ikevd.conversation.effects import Spoken, Transmit
from ikevd.conversation.resend import Outgoing
from ikevd.conversation.seal import seal
from ikevd.errors import IkeError, Malformed, Refused
from ikevd.exchanges.link import Beside, Complaint, Situation
from ikevd.facts import Fact, Heard, Note, Sent
from ikevd.findings import AnsweredOtherwise
from ikevd.frozen import frozen, replace
from ikevd.wire.message import HEADER_OCTETS, Header, Message, encode_chain, first_type, names
from ikevd.wire.registry import ExchangeType

MAX_TRIALS = 4
"""Decryptions of one negotiation: whoever knows its cookies can send many of these."""
A_WHILE = 0.5
"""Seconds; a peer sends its message again after one or more."""
LABEL = "INFO"


@frozen
class Word:
    """What such a message came to."""

    facts: tuple[Fact, ...]
    refusal: IkeError | None = None
    """What the exchange shall end with."""


class Besides:
    """Of one negotiation."""

    __slots__ = ("_complained", "_trials", "_unread", "otherwise")

    def __init__(self) -> None:
        self._trials = 0
        self._complained = False
        self._unread: tuple[bytes, float] | None = None
        self.otherwise = False
        """Did one come that no chain opens?"""

    def read(self, asked: Beside, situation: Situation, datagram: bytes, path: Path) -> Word | None:
        """What the datagram says; None if it is no such message or enough were tried. Raises nothing."""
        header = _header(datagram, situation)
        if header is None or path.remote.address != situation.path.remote.address:
            return None
        for chain in asked.chains(header.message_id):
            if self._trials >= MAX_TRIALS:
                return None
            self._trials += 1
            try:
                opened = chain.propose(datagram[HEADER_OCTETS : header.length]).plaintext
                message = Message.decode_untrusted(header, opened)
                refusal = asked.accept(message)
            except (Malformed, Refused):
                continue
            return Word((Heard(LABEL, names(message.payloads), datagram, path, message.chain),), refusal)
        facts = () if self.otherwise else (Note(AnsweredOtherwise()),)
        self.otherwise = True
        return Word(facts)

    def complain(
        self, of: Callable[[], Complaint], datagram: bytes, situation: Situation, path: Path, now: float
    ) -> list[Spoken]:
        """Tell the peer, once, that its message cannot be read."""
        if not self._is_worth_it(datagram, now):
            return []
        word = _sealed(of(), situation)
        sent = Sent(word.label, word.payloads, word.copies[0], path, 1, word.chain)
        return [sent, Transmit(word.copies[0], path)]

    def _is_worth_it(self, datagram: bytes, now: float) -> bool:
        """Is it a message that could not be read a while ago either? Only once: a message that was altered on the way
        must not be complained of, since the genuine one comes right behind it."""
        digest = blake2b(datagram, digest_size=16).digest()
        if self._unread is None or self._unread[0] != digest:
            self._unread = digest, now
            return False
        if self._complained or now - self._unread[1] < A_WHILE:
            return False
        self._complained = True
        return True


def _header(datagram: bytes, situation: Situation) -> Header | None:
    """The header of an encrypted Informational under the cookies of the negotiation, with a message ID of its own."""
    try:
        header = Header.decode_untrusted(datagram)
    except Malformed:
        return None
    named = (header.initiator, header.responder) == (situation.cookies.initiator, situation.cookies.responder)
    fits = header.exchange == ExchangeType.INFORMATIONAL and header.encrypted and header.message_id
    return header if named and fits and header.version == 0x10 else None


def _sealed(complaint: Complaint, situation: Situation) -> Outgoing:
    """Our own, ready to leave."""
    body = encode_chain(complaint.payloads)
    beside = replace(situation, message_id=complaint.message_id, chains=(complaint.chain,), forks=())
    copies = seal(beside, ExchangeType.INFORMATIONAL, first_type(complaint.payloads), body)
    return Outgoing(LABEL, names(complaint.payloads), copies, body)
