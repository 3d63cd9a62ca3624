"""What the peer says in an exchange: judged, taken in, and answered again where it is repeated."""

from __future__ import annotations

from ikevd.addresses import Path
from ikevd.conversation import paths
from ikevd.conversation.duplicates import Accepted, Copy, Duplicates
from ikevd.conversation.effects import CameTwice, Spoken, Transmit
from ikevd.conversation.resend import Outgoing
from ikevd.conversation.seal import Opened, check_header, open_with
from ikevd.conversation.vendors import remember_vendors
from ikevd.errors import UnexpectedMessage
from ikevd.exchanges.link import Receive, Situation
from ikevd.exchanges.moves import check_addresses
from ikevd.facts import Heard, Note, Repeated
from ikevd.findings import CommitBit
from ikevd.sa.model import NO_COOKIE, Cookies
from ikevd.wire.message import Header, Message, names
from ikevd.wire.registry import ExchangeType, Flags

COMMIT, INFORMATIONAL = int(Flags.COMMIT), ExchangeType.INFORMATIONAL
NOTHING_HEARD = Duplicates()


class Inbox:
    """Of one exchange."""

    __slots__ = ("_commit_noted", "_duplicates", "_initiator", "_kind", "_minted", "_situation", "other_ends")

    def __init__(self, kind: ExchangeType, situation: Situation, *, initiator: bool, minted: bytes) -> None:
        """`initiator`: are we it? `minted`: the responder cookie that we give out as the responder of phase 1."""
        self._kind = kind
        self._situation = situation
        self._initiator = initiator
        self._minted = minted
        self._duplicates = Duplicates()
        self._commit_noted = False
        self.other_ends: tuple[tuple[bytes, ...], ...] = ()
        """Last blocks that the peer may hold in place of ours: its own, and before it that of our answer, if any."""

    @property
    def heard(self) -> bool:
        """Was any message accepted?"""
        return self._duplicates.heard

    def told(self, answer: Outgoing) -> None:
        """`answer` was said after the message last accepted: a repetition brings it out again."""
        self._duplicates.told(answer)

    def find(self, header: Header, datagram: bytes, path: Path) -> Copy | None:
        """The message that `datagram` repeats; None where it is new. Raises `Malformed`, and `UnexpectedMessage` where
        it comes from another address."""
        check_addresses(self._situation.path, path, roams=self._situation.roams)
        return self._duplicates.find(header, datagram)

    def judge(self, header: Header, datagram: bytes, path: Path, awaited: Receive | None) -> Opened:
        """Open a new message. Raises `Malformed` or `Refused`; then nothing has changed."""
        if awaited is None:
            raise UnexpectedMessage("no message is awaited now")
        informs = awaited.or_informational and header.exchange == INFORMATIONAL
        kind = INFORMATIONAL if informs else self._kind
        check_header(header, self._situation, kind, self._initiator)
        self._situation.arriving = path
        try:
            return open_with(self._situation, header, datagram, awaited)
        finally:
            self._situation.arriving = None

    def take_in(self, name: str, datagram: bytes, opened: Opened, path: Path, *, moves: bool) -> list[Spoken]:
        """The message was accepted. `moves`: its path is the peer's from here on."""
        message, situation = opened.message, self._situation
        self._duplicates.accepted(Accepted.of(name, datagram, message, opened.before))
        if moves:
            situation.came_by(path)
        situation.clear_too = False
        if situation.cookies.responder == NO_COOKIE:
            ours_or_theirs = message.header.responder if self._initiator else self._minted
            situation.cookies = Cookies(message.header.initiator, ours_or_theirs)
        chain = message.chain if opened.before is not None else b""
        told: list[Spoken] = [Heard(name, names(message.payloads), datagram, path, chain)]
        if noted := self._commit_bit(message):
            told.append(noted)
        if announced := remember_vendors(situation, message, initiator=self._initiator):
            told.append(announced)
        return told

    def _commit_bit(self, message: Message) -> Note | None:
        """In the first message that has it. What follows from it the exchange knows."""
        if self._commit_noted or not int(message.header.flags) & COMMIT:
            return None
        self._commit_noted = True
        return Note(CommitBit())

    def fork(self, copy: Copy, *, ended: bool) -> bool:
        """Does the copy fork the IV chain? `ended`: the exchange has come to its end."""
        fork = self._duplicates.fork(copy)
        if fork is None:
            return False
        self._situation.forks += (fork,)
        if ended:
            self.other_ends += ((fork.iv, copy.end) if fork.iv != copy.end else (copy.end,),)
        return True

    def answer(self, copy: Copy, path: Path, now: float, *, first: bool) -> list[Spoken]:
        """Answer a repetition. `first`: it is the first with its end."""
        answers = self._duplicates.answers(copy, now, first=first)
        target = paths.for_repetition(self._situation, path)
        told: list[Spoken] = [Repeated(copy.of.label, bool(answers))]
        if self._situation.away is not None and path.remote.address == self._situation.path.remote.address:
            self._situation.away = None
            told.append(CameTwice())
        return [*told, *(Transmit(answer, target) for answer in answers)]

    def forget(self) -> None:
        """Repetitions are not known as such any more."""
        self._duplicates = NOTHING_HEARD
