"""A man in the middle of Alice and Bob who holds the keys of one of them: he opens their messages of phase 2, changes
payloads by structure, proves HASH again and encrypts anew, with the IV that the receiver expects."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from ikevd.crypto import keys
from ikevd.crypto.ciphers import CbcCipher, IvChain
from ikevd.errors import Malformed
from ikevd.exchanges import phase2
from ikevd.sa.model import IsakmpSa
from ikevd.wire.message import GENERIC_OCTETS, HEADER_OCTETS, Header, Message, encode_chain
from ikevd.wire.payloads import HashPayload, NoncePayload
from ikevd.wire.registry import ExchangeType, PayloadType
from tests.fuzz.mutate import mutated_chain
from tests.gateways import Gateway

MAX_REMEMBERED = 200
MAX_EXCHANGES = 500
OTHER = {"alice": "bob", "bob": "alice"}


@dataclass
class Exchange:
    """What was seen of one message ID, and what each side believes."""

    said: dict[str, bytes] = field(default_factory=dict)
    """The last block of what a side said last."""
    told: dict[str, list[bytes]] = field(default_factory=lambda: {"alice": [], "bob": []})
    """The last blocks of all that a side was given."""
    messages: int = 0
    nonces: dict[str, list[bytes]] = field(default_factory=lambda: {"alice": [], "bob": []})
    """Ni and Nr as a side knows them."""


class Middle:
    """`tamper` of the network between the two."""

    def __init__(self, alice: Gateway, bob: Gateway, dice: random.Random) -> None:
        self._sides = {"alice": alice, "bob": bob}
        self._dice = dice
        self._exchanges: dict[tuple[bytes, int], Exchange] = {}
        self.remembered: list[tuple[str, bytes]] = []
        """(receiver, datagram), for replays."""
        self.active = True
        self.seen = self.opened = self.forged = 0

    def __call__(self, sender: str, datagram: bytes) -> list[bytes]:
        """What arrives of a datagram of the pair; others pass."""
        side = self._side_of(sender, datagram)
        if not self.active or side is None:
            return [datagram]
        self.seen += 1
        if len(self.remembered) < MAX_REMEMBERED or self._dice.random() < 0.1:
            self.remembered = [*self.remembered[-MAX_REMEMBERED:], (OTHER[side], datagram)]
        chance = self._dice.random()
        if chance < 0.05:
            return []
        if chance < 0.10:
            return [datagram, datagram]
        if chance < 0.17:
            return [self._flipped(datagram), datagram]
        if chance < 0.25:
            return [datagram + self._dice.randbytes(self._dice.choice((1, 16, 300))), datagram]
        forged = self._forged(side, datagram)
        if forged is None or chance < 0.4:
            return [datagram]
        self.forged += 1
        return [forged, datagram] if chance < 0.7 else [forged]

    def _side_of(self, sender: str, datagram: bytes) -> str | None:
        """Alice or Bob, if the cookies are of a negotiation between them."""
        return sender if self._sa("alice", datagram[:16]) else None

    def _sa(self, side: str, pair: bytes) -> IsakmpSa | None:
        sessions = self._sides[side].engine.sessions()
        found = (live.sa for session in sessions for live in session.live)
        return next((sa for sa in found if sa.cookies.initiator + sa.cookies.responder == pair), None)

    def _flipped(self, datagram: bytes) -> bytes:
        at = self._dice.randrange(len(datagram))
        return datagram[:at] + bytes([datagram[at] ^ (1 << self._dice.randrange(8))]) + datagram[at + 1 :]

    def _forged(self, side: str, datagram: bytes) -> bytes | None:
        """The same message with other payloads, proven and encrypted for its receiver; None if it cannot be opened."""
        try:
            header = Header.decode_untrusted(datagram)
        except Malformed:
            return None
        pair = datagram[:16]
        ours, theirs = self._sa(side, pair), self._sa(OTHER[side], pair)
        if ours is None or theirs is None or not header.encrypted or not header.message_id:
            return None
        exchange = self._exchanges.setdefault((pair, header.message_id), Exchange())
        if len(self._exchanges) > MAX_EXCHANGES:
            del self._exchanges[next(iter(self._exchanges))]
        message = self._opened(ours, side, exchange, header, datagram)
        if message is None:
            return None
        self.opened += 1
        exchange.messages += 1
        exchange.said[side] = datagram[-16:]
        nonces = [payload.body for payload in message.all(NoncePayload)]
        exchange.nonces[side] += nonces
        forged, forged_nonces = self._changed(theirs, OTHER[side], exchange, header, message)
        exchange.nonces[OTHER[side]] += forged_nonces
        exchange.told[OTHER[side]] += [datagram[-16:], forged[-16:]]
        return forged

    def _opened(self, sa: IsakmpSa, side: str, exchange: Exchange, header: Header, datagram: bytes) -> Message | None:
        body = datagram[HEADER_OCTETS : header.length]
        cipher = CbcCipher(sa.suite.cipher, sa.cipher_key)
        told = [IvChain(cipher, block[-cipher.block_size :]) for block in exchange.told[side]]
        for chain in (*reversed(told), *phase2.chains(sa, header.message_id)):
            try:
                message = Message.decode_untrusted(header, chain.propose(body).plaintext)
            except Malformed:
                continue
            if message.payloads and isinstance(message.payloads[0], HashPayload):
                return message
        return None

    def _changed(
        self, sa: IsakmpSa, receiver: str, exchange: Exchange, header: Header, message: Message
    ) -> tuple[bytes, list[bytes]]:
        """For the receiver, whose ISAKMP SA is `sa`; and the nonces that are in it now."""
        rest = message.payloads[1:]
        first = int(rest[0].TYPE) if rest else 0
        first, chain = mutated_chain(first, encode_chain(rest), self._dice, self._mutate)
        proof = self._proof(sa, receiver, exchange, header, chain)
        generic = bytes([first, 0]) + (GENERIC_OCTETS + len(proof)).to_bytes(2, "big")
        clear = generic + proof + chain
        cipher = CbcCipher(sa.suite.cipher, sa.cipher_key)
        block = exchange.said.get(receiver)
        iv = block[-cipher.block_size :] if block else phase2.chains(sa, header.message_id)[0].iv
        sealed = IvChain(cipher, iv).encrypt(clear + bytes(-len(clear) % cipher.block_size))
        head = Header(
            header.initiator, header.responder, PayloadType.HASH, header.exchange, header.flags, header.message_id
        )
        return head.encode(len(sealed)) + sealed, _nonces(header, clear)

    def _proof(self, sa: IsakmpSa, receiver: str, exchange: Exchange, header: Header, chain: bytes) -> bytes:
        """HASH(1), (2) or (3) over what the receiver knows."""
        number = exchange.messages if header.exchange == ExchangeType.QUICK_MODE else 1
        known, mid = exchange.nonces[receiver], header.message_id
        if number == 2 and known:
            return keys.hash_2(sa.keys.under_skeyid_a(), mid, known[0], chain)
        if number == 3 and len(known) > 1 and self._dice.random() < 0.8:
            return keys.hash_3(sa.keys.under_skeyid_a(), mid, known[0], known[1])
        return keys.hash_1(sa.keys.under_skeyid_a(), mid, chain)

    def _mutate(self, octets: bytes, most: int) -> bytes:
        changed = bytearray(octets)
        for _ in range(self._dice.randrange(1, 4)):
            at = self._dice.randrange(len(changed))
            match self._dice.randrange(4):
                case 0:
                    changed[at] ^= 1 << self._dice.randrange(8)
                case 1:
                    changed[at] = self._dice.choice((0, 1, 3, 0x7F, 0x80, 0xFF))
                case 2:
                    changed[at:at] = self._dice.randbytes(self._dice.randrange(1, 9))
                case _:
                    del changed[at : at + self._dice.randrange(1, 5)]
            if not changed:
                changed = bytearray(b"\0")
        return bytes(changed[:most])


def _nonces(header: Header, clear: bytes) -> list[bytes]:
    try:
        return [payload.body for payload in Message.decode_untrusted(header, clear).all(NoncePayload)]
    except Malformed:
        return []
