"""What every exchange under an ISAKMP SA shares: its IV chains and HASH(1) to HASH(3) (RFC 2409 section 5.5).

This is the one verification path: no payload of phase 2 is looked at before its HASH holds (CVE-2019-10155).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ikevd.crypto import keys
from ikevd.crypto.ciphers import CbcCipher, IvChain
from ikevd.crypto.keys import Phase1Keys
from ikevd.crypto.primitives import equal
from ikevd.crypto.secret import Secret
from ikevd.errors import InvalidHash, Malformed
from ikevd.policy.suites import IkeSuite
from ikevd.refusals import HashNotFirst, OtherHash
from ikevd.sa.model import IsakmpSa
from ikevd.wire.message import HEADER_OCTETS, Header, Message, encode_chain, split_untrusted
from ikevd.wire.payloads import HashPayload, Payload
from ikevd.wire.registry import PayloadType


def chains(sa: IsakmpSa, message_id: int) -> tuple[IvChain, ...]:
    """One for each block that the peer may hold to be the last of phase 1."""
    return chains_from(sa, sa.last_blocks, message_id)


def chains_from(sa: Keyed, blocks: Sequence[bytes], message_id: int) -> tuple[IvChain, ...]:
    """One for each of these blocks. IV = hash(last phase 1 block | M-ID): RFC 2409 appendix B."""
    cipher, hash = CbcCipher(sa.suite.cipher, sa.cipher_key), sa.suite.hash
    ivs = [keys.phase2_iv(hash, block, message_id, cipher.block_size) for block in blocks]
    return tuple([IvChain(cipher, iv, origin=block) for iv, block in zip(ivs, blocks, strict=True)])


def chain(sa: Keyed, block: bytes, message_id: int) -> IvChain:
    """That of one block."""
    return chains_from(sa, (block,), message_id)[0]


class Keyed(Protocol):
    """What messages are encrypted and authenticated with: an ISAKMP SA, or a phase 1 that is about to become one."""

    @property
    def keys(self) -> Phase1Keys:
        """SKEYID_d and SKEYID_a."""

    @property
    def suite(self) -> IkeSuite:
        """Cipher and hash."""

    @property
    def cipher_key(self) -> Secret:
        """The cipher's, made of SKEYID_e."""


class Hashes:
    """HASH(1) to HASH(3) of one exchange, whose key is prepared once."""

    __slots__ = ("_message_id", "_under_skeyid_a")

    def __init__(self, sa: Keyed, message_id: int) -> None:
        self._under_skeyid_a = sa.keys.under_skeyid_a()
        self._message_id = message_id

    def with_1(self, *payloads: Payload) -> tuple[Payload, ...]:
        """HASH(1) = prf(SKEYID_a, M-ID | the rest of the message), then the payloads."""
        return HashPayload(self._hash_1(encode_chain(payloads))), *payloads

    def with_2(self, ni_b: bytes, *payloads: Payload) -> tuple[Payload, ...]:
        """HASH(2) = prf(SKEYID_a, M-ID | Ni_b | the rest of the message), then the payloads."""
        return HashPayload(self._hash_2(ni_b, encode_chain(payloads))), *payloads

    def third(self, ni_b: bytes, nr_b: bytes) -> HashPayload:
        """HASH(3) = prf(SKEYID_a, 0 | M-ID | Ni_b | Nr_b)."""
        return HashPayload(self._hash_3(ni_b, nr_b))

    def accept_1(self, message: Message) -> Message:
        """The message, its HASH(1) verified."""
        return _verified("HASH(1)", self._hash_1(message.after_first), message)

    def accept_2(self, ni_b: bytes, message: Message) -> Message:
        """The message, its HASH(2) verified."""
        return _verified("HASH(2)", self._hash_2(ni_b, message.after_first), message)

    def accept_3(self, ni_b: bytes, nr_b: bytes, message: Message) -> Message:
        """The message, its HASH(3) verified."""
        return _verified("HASH(3)", self._hash_3(ni_b, nr_b), message)

    def _hash_1(self, rest: bytes) -> bytes:
        return keys.hash_1(self._under_skeyid_a, self._message_id, rest)

    def _hash_2(self, ni_b: bytes, rest: bytes) -> bytes:
        return keys.hash_2(self._under_skeyid_a, self._message_id, ni_b, rest)

    def _hash_3(self, ni_b: bytes, nr_b: bytes) -> bytes:
        return keys.hash_3(self._under_skeyid_a, self._message_id, ni_b, nr_b)


def proves_itself(sa: IsakmpSa, header: Header, octets: bytes) -> bool:
    """Does HASH(1) hold in a message whose payloads could not be read? `octets`: the whole datagram."""
    for chain in chains(sa, header.message_id):
        try:
            clear = chain.propose(octets[HEADER_OCTETS : header.length]).plaintext
            proof, rest = split_untrusted(header.next_payload, clear)
        except Malformed:
            continue
        proven = equal(proof, keys.hash_1(sa.keys.under_skeyid_a(), header.message_id, rest))
        if proven and header.next_payload == PayloadType.HASH:
            return True
    return False


def _verified(name: str, expected: bytes, message: Message) -> Message:
    first = message.payloads[0] if message.payloads else None
    if not isinstance(first, HashPayload):
        raise Malformed(HashNotFirst(name))
    if not equal(first.body, expected):
        raise InvalidHash(OtherHash(name))
    return message
