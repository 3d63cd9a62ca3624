"""A responder of Main Mode that stops at message 5, and what it can say then."""

from __future__ import annotations

from functools import partial

from ikevd.crypto import keys
from ikevd.crypto.ciphers import CbcCipher, IvChain
from ikevd.exchanges import main_mode, phase2
from ikevd.exchanges.link import Link
from ikevd.exchanges.phase1 import (
    Candidates,
    Keying,
    accept_identity,
    accept_key_exchange,
    accept_offer,
    remote_identity,
)
from ikevd.policy.connection import Connection
from ikevd.wire.message import Header, encode_chain, first_type
from ikevd.wire.payloads import KePayload, NoncePayload, NotifyPayload, Payload
from ikevd.wire.registry import ExchangeType, Flags, NotifyType, Protocol
from tests.builders import ALICE_TO_BOB, SeededEntropy, connection, key_pair
from tests.duet import Duet

NR = bytes(range(32))
MESSAGE_ID = 0x0BADCAFE


async def until_message_5(link: Link, view: Connection) -> Keying:
    """Its chain ends in the last block of message 5."""
    offer = await link.receive(accept_offer)
    choice, _ = Candidates((view,)).choose(offer)
    await link.answer(choice.answer)
    pair = key_pair(choice.suite.group)
    peer = await link.receive(partial(accept_key_exchange, pair))
    await link.answer(KePayload(pair.public), NoncePayload(NR))
    public, nonces = (peer.public, pair.public), (peer.nonce, NR)
    keying = Keying.derive(view.psk, choice.suite, link.cookies, offer.body, public, nonces, peer.g_xy)
    await link.protect(keying.chain)
    await link.receive(lambda message: accept_identity((keying,), link.chain, True, message))
    return keying


class Stopped:
    """Our initiator awaits message 6; `keying` is the responder's."""

    def __init__(self, alice: Connection | None = None) -> None:
        self.alice = alice or connection()
        self.duet = Duet(
            ExchangeType.MAIN_MODE,
            lambda link, _: main_mode.initiate(link, self.alice, SeededEntropy(1)),
            lambda link, _: until_message_5(link, self.alice),
        ).run(until=0.5)
        self.keying: Keying = self.duet.responder.result

    def say(self, octets: bytes) -> bool:
        """Beside the exchange, to the initiator: did it take notice?"""
        initiator = self.duet.initiator
        effects = initiator.conversation.beside(octets, ALICE_TO_BOB, self.duet.now)
        self.duet.apply(initiator, effects or [])
        return effects is not None

    def answer(self, octets: bytes) -> None:
        """Within the exchange."""
        initiator = self.duet.initiator
        self.duet.apply(initiator, initiator.conversation.heard(octets, ALICE_TO_BOB, self.duet.now))

    def message_6(self) -> bytes:
        idir = remote_identity(self.alice, ALICE_TO_BOB).to_payload()
        return self._sealed(self.keying.chain, ExchangeType.MAIN_MODE, 0, idir, self.keying.hash_r(idir))

    def informational(self, block: bytes, *payloads: Payload, message_id: int = MESSAGE_ID) -> bytes:
        """IV = hash(block | M-ID), HASH(1) in front."""
        proven = phase2.Hashes(self.keying, message_id).with_1(*payloads)
        suite, cipher = self.keying.suite, CbcCipher(self.keying.suite.cipher, self.keying.cipher_key)
        chain = IvChain(cipher, keys.phase2_iv(suite.hash, block, message_id, cipher.block_size))
        return self._sealed(chain, ExchangeType.INFORMATIONAL, message_id, *proven)

    def refusal(self, notify: NotifyType, block: bytes | None = None) -> bytes:
        """As strongSwan has it, with the last block of message 5 unless another is given."""
        return self.informational(self.keying.chain.iv if block is None else block, notified(notify))

    def _sealed(self, chain: IvChain, kind: ExchangeType, message_id: int, *payloads: Payload) -> bytes:
        body = encode_chain(payloads)
        pair = self.keying.cookies
        first = first_type(payloads)
        header = Header(pair.initiator, pair.responder, first, kind, Flags.ENCRYPTION, message_id)
        encrypted = chain.encrypt(body + bytes(-len(body) % len(chain.iv)))
        return header.encode(len(encrypted)) + encrypted


def notified(notify: NotifyType) -> NotifyPayload:
    return NotifyPayload(Protocol.ISAKMP, notify)
