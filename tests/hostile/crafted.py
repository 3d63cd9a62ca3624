"""Wrong messages for every stage at which a conversation waits, made by somebody who knows the keys."""

from __future__ import annotations

from dataclasses import replace

from ikevd.conversation.effects import AskHost, Effect, Raised, Transmit
from ikevd.errors import IkeError, InternalError
from ikevd.exchanges.link import ReserveSpi
from ikevd.facts import Dropped, Fact, Heard
from ikevd.wire.message import encode_chain, first_type
from ikevd.wire.payloads import Payload
from ikevd.wire.registry import ExchangeType, PayloadType
from tests.fuzz.stage import Stage, drive

PHASE_1 = (ExchangeType.MAIN_MODE, ExchangeType.AGGRESSIVE)


def facts_in(effects: list[Effect]) -> list[Fact]:
    return [effect for effect in effects if isinstance(effect, Fact)]


def crafted(stage: Stage, *payloads: Payload) -> bytes:
    """A datagram with these payloads in place of the genuine ones; proven and encrypted as the stage wants it."""
    return crafted_octets(stage, first_type(payloads), encode_chain(payloads))


def crafted_octets(stage: Stage, first: PayloadType, chain: bytes, *, prove: bool = True) -> bytes:
    """The same from octets, right or wrong."""
    if prove:
        first, chain = stage.proven(first, chain)
    body = stage.seal(chain) if stage.chain else chain
    return replace(stage.header(), next_payload=first).encode(len(body)) + body


def genuine_and(stage: Stage, extra: Payload) -> bytes:
    """The genuine message with one more payload at its end, which the HASH of phase 2 covers."""
    if stage.prove is None or stage.exchange not in PHASE_1:
        return crafted(stage, *stage.genuine, extra)
    first, chain = stage.proven(first_type(stage.genuine), encode_chain(stage.genuine))
    last = len(encode_chain(stage.genuine))  # the HASH stands behind them and covers nothing else
    more = encode_chain([extra])
    return crafted_octets(stage, first, chain[:last] + bytes([extra.TYPE]) + chain[last + 1 :] + more, prove=False)


def refused(stage: Stage, datagram: bytes) -> Dropped:
    """The datagram is dropped, answered by nothing, changes nothing; the genuine message is accepted afterwards."""
    situation = replace(stage.situation)
    deadline = stage.conversation.deadline
    effects = stage.conversation.heard(datagram, stage.path, 0.0)
    (dropped,) = facts_in(effects)
    assert isinstance(dropped, Dropped), dropped
    assert len(effects) == 1, "nothing is answered"
    assert stage.situation == situation
    assert stage.conversation.deadline == deadline
    genuine = stage.conversation.heard(stage.genuine_datagram(), stage.path, 0.0)
    assert isinstance(facts_in(genuine)[0], Heard), facts_in(genuine)[0]
    return dropped


def ended(stage: Stage, datagram: bytes) -> IkeError:
    """The datagram is authentic and wrong: the exchange ends, nothing is opened and nothing sent by it."""
    effects = list(drive(stage.conversation, stage.conversation.heard(datagram, stage.path, 0.0)))
    assert isinstance(facts_in(effects)[0], Heard), facts_in(effects)[0]
    assert not [effect for effect in effects if isinstance(effect, Transmit)]
    assert not [effect for effect in effects if isinstance(effect, AskHost) and not isinstance(effect.call, ReserveSpi)]
    (raised,) = [effect for effect in effects if isinstance(effect, Raised)]
    assert not isinstance(raised.error, InternalError), raised.error.__cause__
    return raised.error
