"""One exchange at work: sends what its conversation wants sent and keeps its evidence. What its owner must decide comes
back as outcomes; nobody is called."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ikevd.addresses import Path
from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import AskHost, CameTwice, Effect, Heeded, Raised, Remember, Returned, Transmit
from ikevd.crypto.ciphers import IvChain
from ikevd.errors import Finding, IkeError, InternalError
from ikevd.exchanges.link import HostAnswer
from ikevd.facts import Established, Failed, Heard, Note, Sent
from ikevd.findings import Undelivered, Unreachable
from ikevd.negotiation.ledger import Kept
from ikevd.negotiation.ports import Ports
from ikevd.observe import history
from ikevd.observe.words import say_error
from ikevd.peer.isakmp_state import LastFlight
from ikevd.wire.registry import NotifyType

Outcome = Heard | CameTwice | AskHost | Heeded | Returned | Raised
"""`Heard`: a message of the peer was accepted."""


class Running:
    """A conversation and its record."""

    __slots__ = ("_held", "_holds", "_kept", "_last", "_ports", "_undelivered", "conversation", "record")

    def __init__(
        self,
        conversation: Conversation,
        record: history.Record,
        ports: Ports,
        kept: Kept | None = None,
        *,
        holds: bool = False,
        last: bytes = b"",
    ) -> None:
        """`kept`: where it is stored; None: it ends with this process. `holds`: its last message leaves only when its
        result is stored, by `release`. `last`: what an earlier process had heard last."""
        self.conversation = conversation
        self.record = record
        self._kept = kept
        self._holds = holds
        self._held: tuple[Transmit, ...] = ()
        self._last = last
        self._ports = ports
        self._undelivered: str | None = None

    def start(self) -> list[Outcome]:
        """Run up to the first wait."""
        return self.apply(self.conversation.start(self._ports.now()))

    def heard(self, octets: bytes, path: Path) -> list[Outcome]:
        """A datagram for this exchange."""
        if self._holds and not self.conversation.ended:
            self._last = octets
        return self.apply(self.conversation.heard(octets, path, self._ports.now()))

    def tick(self) -> list[Outcome]:
        """Its deadline may have come."""
        return self.apply(self.conversation.tick(self._ports.now()))

    def resume(self, result: HostAnswer) -> list[Outcome]:
        """The host did what was asked."""
        return self.apply(self.conversation.resume(result, self._ports.now()))

    def refuse(self, error: IkeError) -> list[Outcome]:
        """The host could not do what was asked."""
        return self.apply(self.conversation.refuse(error, self._ports.now()))

    def fail(self, cause: IkeError) -> list[Outcome]:
        """End it from outside."""
        return self.apply(self.conversation.fail(cause, self._ports.now()))

    def beside(self, octets: bytes, path: Path) -> list[Outcome]:
        """An encrypted Informational with a message ID of its own, while phase 1 is under way: a word on it, or else a
        message of a later exchange, whose sender does not know that we still wait for its last message."""
        effects = self.conversation.beside(octets, path, self._ports.now())
        if effects is None:
            effects = self.conversation.remind(path)
            if not effects:
                self.count("drop: phase 1 is not complete")
        return self.apply(effects)

    def hint(self, notify: NotifyType) -> None:
        """A notification in the clear."""
        self.apply(self.conversation.hint(notify))

    def unreachable(self, path: Path, found: Unreachable) -> None:
        """The network says that a message along `path` did not arrive. Of a path that the exchange has left, as port
        500 after the float, that explains nothing any more."""
        now = self.conversation.path
        if (path.local.address, path.remote) == (now.local.address, now.remote):
            self.apply(self.conversation.unreachable(found))

    def confirm(self) -> None:
        """The peer has shown, authenticated, that it is where we are."""
        self.apply(self.conversation.confirm())

    def fork(self, chain: IvChain) -> None:
        """The peer may hold another last block of phase 1: what it has not answered is said from there, too."""
        self.apply(self.conversation.fork(chain))

    def count(self, name: str) -> None:
        """A datagram that came to nothing."""
        self._ports.counters.count(name)

    def established(self, finding: Finding) -> None:
        """It ended well, with this."""
        self.record.add(Established(finding))

    @property
    def began(self) -> float:
        """When its first message was sent or came, however late its record was opened."""
        return self.conversation.began

    @property
    def last_flight(self) -> LastFlight | None:
        """What is held, and what it answers."""
        said = tuple(message.octets for message in self._held)
        return LastFlight(LastFlight.digest(self._last), said) if said and not self.conversation.initiator else None

    def release(self) -> None:
        """Its result is stored: its last message may leave."""
        held, self._held, self._last = self._held, (), b""
        for message in held:
            self._transmit(message.octets, message.path)

    def unkeep(self) -> None:
        """It has failed: no new process tells it again."""
        if self._kept is not None:
            self._kept.forget()
            self._kept = None

    def forget(self) -> None:
        """Nobody will ask for it any more."""
        self.close()
        if self._kept is not None:
            self._kept.forget()

    def close(self) -> None:
        """Leave it as it is, without a word."""
        self.conversation.close()
        self.record.pack()

    def leave(self) -> None:
        """Its ISAKMP SA is gone, or this process is: what is stored of it is not this exchange's business any more."""
        self.close()
        if self._kept is not None:
            self._kept.let_go()

    def let_go(self) -> None:
        """It ended long ago: keep only what later evidence is added to."""
        self.conversation.let_go()
        self.record.pack()

    def apply(self, effects: Sequence[Effect]) -> list[Outcome]:
        """Carry out effects in their order; gives those that are for the owner."""
        outcomes: list[Outcome] = []
        holds = self._holds and bool(effects) and type(effects[-1]) is Returned  # the end stands last
        self.record.cookies = self.conversation.cookies
        for effect in effects:  # not by a `match`: "What costs" in docs/performance.md
            if type(effect) is Sent or type(effect) is Note:
                self.record.add(effect)
            elif type(effect) is Heard:
                self.record.add(effect)
                outcomes.append(effect)
            elif type(effect) is Transmit:
                if holds:
                    self._held += (effect,)
                else:
                    self._transmit(effect.octets, effect.path)
            elif type(effect) is Remember:
                if self._kept is not None and not holds:  # else the result says it, once that is stored
                    self._kept.remember(effect)
            elif type(effect) is Returned:
                self.record.finish()
                outcomes.append(effect)
            elif type(effect) is AskHost:
                outcomes.append(effect)
            elif type(effect) is Raised:
                self._failed(effect.error)
                outcomes.append(effect)
            elif type(effect) is CameTwice or type(effect) is Heeded:
                outcomes.append(effect)
            else:
                self.record.add(effect)
        return outcomes

    def _failed(self, error: IkeError) -> None:
        # An internal error without a cause is of a bug that was met, and told, elsewhere.
        if isinstance(error, InternalError) and error.__cause__ is not None:
            context = {"message": say_error(error), "exception": error.__cause__}
            asyncio.get_running_loop().call_exception_handler(context)
        self.record.add(Failed(error.finding, type(error).__name__))
        self.record.pack()

    def _transmit(self, octets: bytes, path: Path) -> None:
        """What could not leave stands in the record of the exchange that it belongs to, once for each reason."""
        reason = self._ports.transmit(octets, path)
        if reason is None or reason == self._undelivered:
            return
        self._undelivered = reason
        if self.conversation.ended:
            self.record.add(Note(Undelivered(reason)))
        else:
            self.apply(self.conversation.unreachable(Undelivered(reason)))
