"""Messages to datagrams and back: the header, encryption with its padding, and the IV chain."""

from __future__ import annotations

from ikevd.crypto.ciphers import IvChain
from ikevd.errors import IkeError, Malformed, Refused, UnexpectedMessage
from ikevd.exchanges.link import Receive, Situation
from ikevd.frozen import frozen
from ikevd.refusals import OtherHeader
from ikevd.sa.model import NO_COOKIE
from ikevd.wire.message import HEADER_OCTETS, Header, Message
from ikevd.wire.registry import ExchangeType, Flags, PayloadType

ENCRYPTED, IN_THE_CLEAR = Flags.ENCRYPTION, Flags.NONE
KNOWN_FLAGS = int(Flags.ENCRYPTION | Flags.COMMIT)


def seal(situation: Situation, exchange: ExchangeType, first: PayloadType, body: bytes) -> tuple[bytes, ...]:
    """The datagram for the chain of payloads `body`; under protection it is encrypted and the IV moves on. One more for
    each fork of the chain.

    # Deviates: RFC 2409 appendix B always pads, with the count in the last octet (IOS does so). Here, as in strongSwan
    and libreswan, zeros fill the last block and no more; a receiver ignores what stands behind the last payload.
    """
    chains = situation.chains[:1] + situation.forks
    header = Header(
        situation.cookies.initiator,
        situation.cookies.responder,
        first,
        exchange,
        ENCRYPTED if chains else IN_THE_CLEAR,
        situation.message_id,
    )
    if not chains:
        return (header.encode(len(body)) + body,)
    bodies = [chain.encrypt(chain.padded(body)) for chain in chains]
    head = header.encode(len(bodies[0]))
    return tuple([head + body for body in bodies])


def check_header(header: Header, situation: Situation, exchange: ExchangeType, initiator: bool) -> None:
    """Raise `UnexpectedMessage` unless the header belongs to this exchange at this stage."""
    if header.version != 0x10:
        raise UnexpectedMessage(OtherHeader("version", f"{header.major}.{header.version & 15}", "1.0"))
    if header.exchange != exchange:
        raise UnexpectedMessage(OtherHeader("exchange type", str(header.exchange), str(exchange)))
    if header.message_id != situation.message_id:
        raise UnexpectedMessage(OtherHeader("message ID", f"{header.message_id:08x}", f"{situation.message_id:08x}"))
    if header.initiator != situation.cookies.initiator:
        raise UnexpectedMessage("another initiator cookie")
    _check_responder_cookie(header, situation, initiator)
    encrypted = header.encrypted
    if encrypted != bool(situation.chains) and not (situation.clear_too and not encrypted):
        raise UnexpectedMessage("message is in the clear" if situation.chains else "message is encrypted too early")
    if int(header.flags) & ~KNOWN_FLAGS:  # as numbers: ~ of a Flag drops unnamed bits
        raise UnexpectedMessage(OtherHeader("header flags", _hex(header.flags), f"{_hex(KNOWN_FLAGS)} at most"))


def _hex(flags: int) -> str:
    return f"0x{int(flags):02x}"


def _check_responder_cookie(header: Header, situation: Situation, initiator: bool) -> None:
    known = situation.cookies.responder
    if known == NO_COOKIE and initiator:
        if header.responder == NO_COOKIE:
            raise UnexpectedMessage("the answer holds no responder cookie")
    elif header.responder != known:
        raise UnexpectedMessage("another responder cookie")


@frozen
class Opened:
    """A message that was accepted."""

    message: Message
    before: IvChain | None
    """Where its chain stood; None in the clear."""


def open_with(situation: Situation, header: Header, datagram: bytes, request: Receive) -> Opened:
    """The message in `datagram` that `accept` accepted; commits the IV of the chain that opened it.

    Raises what `accept` raised, or `Malformed`, or in its place `request.rubbish`; then nothing has changed.
    """
    body = datagram[HEADER_OCTETS : header.length]
    if not header.encrypted:
        message = Message.decode_untrusted(header, body)
        request.judge(message)
        return Opened(message, None)
    chains, forks = situation.chains, situation.forks
    failure: IkeError | None = None
    for chain in (*chains, *forks):
        situation.chains, situation.forks = (chain,), ()
        try:
            proposed = chain.propose(body)
            message = Message.decode_untrusted(header, proposed.plaintext)
            request.judge(message)
        except Malformed as error:
            failure = failure or request.rubbish or error
            continue
        except Refused as error:  # it decrypted: that says more than the rubbish of another chain
            failure = error
            continue
        before = chain.at(chain.iv)
        chain.commit(proposed)
        return Opened(message, before)
    situation.chains, situation.forks = chains, forks
    assert failure
    raise failure
