"""What we say in an exchange: seals it, and says it again."""

from __future__ import annotations

from ikevd.addresses import Path
from ikevd.conversation.effects import Effect, Raised, Remember, Spoken, Transmit
from ikevd.conversation.inputs import Input, InputKind, digest
from ikevd.conversation.resend import Outgoing
from ikevd.conversation.seal import seal
from ikevd.crypto.ciphers import IvChain
from ikevd.exchanges.link import HostAnswer, Situation, T_co
from ikevd.facts import Sent
from ikevd.sa.model import Spi
from ikevd.wire.message import encode_chain, first_type, names
from ikevd.wire.payloads import Payload
from ikevd.wire.registry import ExchangeType

MAX_REMINDERS = 10
"""Copies of our last message that a peer causes with messages of a later exchange."""


class Outbox:
    """Of one exchange."""

    __slots__ = ("_kind", "_reminders", "_situation", "last", "said")

    def __init__(self, kind: ExchangeType, situation: Situation, *, remembers: bool) -> None:
        self._kind = kind
        self._situation = situation
        self._reminders = 0
        self.last: Outgoing | None = None
        """The message that was said last."""
        self.said: bytes | None = b"" if remembers else None
        """Digest of all that was said, without what was said again by timer; None: nobody asks."""

    def seal(self, label: str, payloads: tuple[Payload, ...]) -> Outgoing:
        """A message, ready to leave; under protection the IV moves on."""
        body = encode_chain(payloads)
        copies = seal(self._situation, self._kind, first_type(payloads), body)
        self.last = Outgoing(label, names(payloads), copies, body if self._situation.chains else b"")
        return self.last

    def say(self, message: Outgoing, number: int, *, answered: bool) -> list[Spoken]:
        """For the `number`th time: under every end that the peer may have; but the first word to a peer that has not
        `answered` anything at first under the likeliest alone."""
        path, alone = self._situation.target, number == 1 and not answered
        effects: list[Spoken] = []
        for octets in message.copies[:1] if alone else message.copies:
            effects.append(Sent(message.label, message.payloads, octets, path, number, message.chain))
            effects.append(Transmit(octets, path))
        return effects

    def remind(self) -> list[Spoken]:
        """The last message once more, so that the peer repeats its own; not for ever."""
        if self.last is None or self._reminders >= MAX_REMINDERS:
            return []
        self._reminders += 1
        return self.say(self.last, 1 + self._reminders, answered=True)

    def behind(
        self,
        effects: list[Effect[T_co]],
        kind: InputKind,
        at: float = 0.0,
        octets: bytes = b"",
        path: Path | None = None,
        answer: HostAnswer = None,
    ) -> list[Effect[T_co]]:
        """What an input has led to, behind that input, where somebody keeps it."""
        if self.said is None or (effects and isinstance(effects[-1], Raised)):
            return effects
        said = (effect.octets for effect in effects if isinstance(effect, Transmit))
        self.said = digest(self.said, *dict.fromkeys(said))  # how often each is said is no part of it
        spi = answer if isinstance(answer, Spi) else None
        return [Remember(Input(kind, at, octets, path, spi, answer is True), self.said), *effects]

    def fork(self, chain: IvChain) -> None:
        """What is said goes out from there, too."""
        self._situation.forks += (chain,)
        if self.last is not None:
            self.last.seal_also(chain)
