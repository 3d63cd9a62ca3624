"""A conversation that waits for one message of its peer, and how it comes there.

A stage holds the conversation under test, the clear text of the message that it awaits, and what an attacker lacks:
the chain that encrypts and the HASH that proves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ikevd.addresses import Path
from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import AskHost, Effect, Returned, Transmit
from ikevd.conversation.timing import Timing
from ikevd.crypto.ciphers import IvChain
from ikevd.errors import KernelRefused
from ikevd.exchanges import phase2
from ikevd.exchanges.link import Exchange, Host, Link, ReserveSpi, Situation
from ikevd.facts import Heard
from ikevd.sa.model import NO_COOKIE, Cookies, IsakmpSa, Spi
from ikevd.wire.message import GENERIC_OCTETS, Header, encode_chain, first_type
from ikevd.wire.payloads import (
    HashPayload,
    Payload,
)
from ikevd.wire.registry import ExchangeType, Flags, PayloadType
from tests.builders import (
    ALICE_TO_BOB,
    BOB_TO_ALICE,
)

COOKIES = Cookies(b"initiato", b"responde")
MESSAGE_ID = 0x01020304
PHASE_1 = (ExchangeType.MAIN_MODE, ExchangeType.AGGRESSIVE)

Prove = Callable[[bytes], HashPayload]
"""The HASH for the octets behind it."""


@dataclass
class Stage:
    """One conversation waiting for one message."""

    conversation: Conversation
    situation: Situation
    exchange: ExchangeType
    path: Path
    genuine: tuple[Payload, ...]
    """What the peer would send, without its HASH."""
    chain: IvChain | None = None
    prove: Prove | None = None
    iv: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.iv = self.chain.iv if self.chain else b""

    def header(self) -> Header:
        """The header of the genuine message; an empty responder cookie is filled in where one is awaited."""
        responder = self.situation.cookies.responder
        if responder == NO_COOKIE and self.conversation.initiator:
            responder = COOKIES.responder
        flags = Flags.ENCRYPTION if self.chain else Flags.NONE
        kind = first_type(self.genuine)
        return Header(COOKIES.initiator, responder, kind, self.exchange, flags, self.situation.message_id)

    def proven(self, first: PayloadType, chain: bytes) -> tuple[PayloadType, bytes]:
        """The payloads with a right HASH: in phase 2 before them, in phase 1 behind them."""
        if self.prove is None:
            return first, chain
        if self.exchange in PHASE_1:
            proof = encode_chain([self.prove(identity_in(first, chain))])
            last = last_payload(chain)
            return (
                (first, chain[:last] + bytes([PayloadType.HASH]) + chain[last + 1 :] + proof)
                if chain
                else (PayloadType.HASH, proof)
            )
        proof = encode_chain([self.prove(chain)])
        return PayloadType.HASH, bytes([first]) + proof[1:] + chain

    def seal(self, chain: bytes) -> bytes:
        """The octets as the holder of the keys encrypts them; the chain of the stage stays where it is."""
        assert self.chain
        padded = chain + bytes(-len(chain) % len(self.iv)) or bytes(len(self.iv))
        sealed = self.chain.encrypt(padded)
        self.chain.iv = self.iv
        return sealed

    def genuine_datagram(self) -> bytes:
        """What the peer would send."""
        first, chain = self.proven(first_type(self.genuine), encode_chain(self.genuine))
        body = self.seal(chain) if self.chain else chain
        return replace(self.header(), next_payload=first).encode(len(body)) + body


def payloads_at(chain: bytes) -> Iterator[int]:
    """Where each payload of a chain begins, as far as it can be read."""
    at = 0
    while at + GENERIC_OCTETS <= len(chain):
        yield at
        at += max(GENERIC_OCTETS, int.from_bytes(chain[at + 2 : at + 4], "big"))


def last_payload(chain: bytes) -> int:
    """Where the last one begins."""
    return max(payloads_at(chain), default=0)


def identity_in(first: int, chain: bytes) -> bytes:
    """The body of the first ID payload; empty where there is none."""
    kind = first
    for at in payloads_at(chain):
        length = int.from_bytes(chain[at + 2 : at + 4], "big")
        if kind == PayloadType.ID:
            return chain[at + GENERIC_OCTETS : at + length]
        kind = chain[at]
    return b""


def drive(core: Conversation, effects: Sequence[Effect], *, refuse: bool = False) -> Iterator[Effect]:
    """Every effect, with the host's calls answered at once."""
    for effect in effects:
        yield effect
        if isinstance(effect, AskHost):
            outcome = Spi(0x2000) if isinstance(effect.call, ReserveSpi) else None
            if refuse:
                more = core.refuse(KernelRefused("no memory", 12), 0.0)
            else:
                more = core.resume(outcome, 0.0)
            yield from drive(core, more, refuse=refuse)


class Peer:
    """A conversation and the datagrams that it sent."""

    def __init__(
        self,
        exchange: Callable[[Link, Host], Exchange],
        kind: ExchangeType,
        *,
        initiator: bool,
        sa: IsakmpSa | None = None,
    ) -> None:
        path = ALICE_TO_BOB if initiator else BOB_TO_ALICE
        if sa:
            self.situation = Situation(COOKIES, MESSAGE_ID, path, phase2.chains(sa, MESSAGE_ID))
        else:
            self.situation = Situation(Cookies(COOKIES.initiator), 0, path)
        self.kind = kind
        self.core = Conversation(
            exchange(Link(self.situation), Host()),
            kind,
            self.situation,
            Timing(),
            initiator=initiator,
            minted=COOKIES.responder,
        )
        self.sent: list[bytes] = []
        self.result: Any = None
        self._collect(self.core.start(0.0))

    def hear(self, datagram: bytes) -> Peer:
        """The datagram must be accepted."""
        effects = self._collect(self.core.heard(datagram, self.situation.path, 0.0))
        assert any(isinstance(effect, Heard) for effect in effects), effects
        return self

    def _collect(self, effects: list[Effect]) -> list[Effect]:
        found = list(drive(self.core, effects))
        for effect in found:
            match effect:
                case Transmit(octets):
                    self.sent.append(octets)
                case Returned(result):
                    self.result = result
        return found

    def stage(self, *genuine: Payload, chain: IvChain | None = None, prove: Prove | None = None) -> Stage:
        """This peer as the conversation under test."""
        return Stage(self.core, self.situation, self.kind, self.situation.path, genuine, chain, prove)
