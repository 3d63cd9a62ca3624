"""CBC ciphers and the chain of IVs that an exchange encrypts along (RFC 2409 appendix B)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field

from cryptography.hazmat.decrepit.ciphers.algorithms import CAST5, Blowfish, Camellia, TripleDES
from cryptography.hazmat.primitives import ciphers as library
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from ikevd.crypto.secret import Secret
from ikevd.errors import Malformed
from ikevd.frozen import frozen
from ikevd.wire.registry import Cipher


@frozen
class _Row:
    algorithm: Callable[[bytes], library.CipherAlgorithm]
    block_size: int
    key_lengths: Mapping[int, int]
    """Key Length attribute in bits (0: none is sent) to octets of key."""


def _des(key: bytes) -> library.CipherAlgorithm:
    """DES is 3DES with one key three times; the library has no DES of its own."""
    return TripleDES(key * 3)


def _variable(bits: Iterable[int]) -> Mapping[int, int]:
    return {count: count // 8 for count in bits}


_CIPHERS = {
    Cipher.AES_CBC: _Row(AES, 16, _variable((128, 192, 256))),  # RFC 3602
    Cipher.CAMELLIA_CBC: _Row(Camellia, 16, _variable((128, 192, 256))),  # RFC 4312
    Cipher.TRIPLE_DES_CBC: _Row(TripleDES, 8, {0: 24}),  # RFC 2451, as are CAST and Blowfish
    Cipher.CAST_CBC: _Row(CAST5, 8, _variable(range(40, 136, 8))),
    Cipher.BLOWFISH_CBC: _Row(Blowfish, 8, _variable(range(40, 456, 8))),
    Cipher.DES_CBC: _Row(_des, 8, {0: 8}),  # RFC 2405
}


def key_lengths(cipher: Cipher) -> Sequence[int]:
    """The Key Length attributes that the cipher can have, in bits; 0 means that none is sent."""
    return tuple(_row(cipher).key_lengths)


def key_length(cipher: Cipher, key_bits: int) -> int:
    """Octets of key; `key_bits` is the Key Length attribute, 0 where there is none (RFC 3602 section 5.3)."""
    length = _row(cipher).key_lengths.get(key_bits)
    if length is None:
        raise ValueError(f"cipher {cipher} has no key of {key_bits} bits")
    return length


class CbcCipher:
    """One block cipher under one key."""

    __slots__ = ("_algorithm", "block_size")

    def __init__(self, cipher: Cipher, key: Secret) -> None:
        row = _row(cipher)
        if len(key) not in row.key_lengths.values():
            raise ValueError(f"cipher {cipher} has no key of {len(key)} octets")
        self._algorithm = row.algorithm(key.reveal())
        self.block_size = row.block_size

    def encrypt(self, iv: bytes, plaintext: bytes) -> bytes:
        """The ciphertext of whole blocks; padding is the caller's."""
        if not self._whole_blocks(plaintext):
            raise ValueError(f"plaintext has {len(plaintext)} octets, not whole blocks of {self.block_size}")
        context = library.Cipher(self._algorithm, CBC(iv)).encryptor()
        return context.update(plaintext) + context.finalize()

    def decrypt(self, iv: bytes, ciphertext: bytes) -> bytes:
        """The plaintext with its padding. Raises Malformed unless there are whole blocks, at least one."""
        if not self._whole_blocks(ciphertext):
            raise Malformed(f"ciphertext has {len(ciphertext)} octets, not whole blocks of {self.block_size}")
        context = library.Cipher(self._algorithm, CBC(iv)).decryptor()
        return context.update(ciphertext) + context.finalize()

    def _whole_blocks(self, data: bytes) -> bool:
        return len(data) > 0 and len(data) % self.block_size == 0


@frozen
class Proposed:
    """What a ciphertext would decrypt to, and the IV that would follow if it is accepted."""

    plaintext: bytes = field(repr=False)
    next_iv: bytes


class IvChain:
    """The IVs of one exchange: each message begins from the last ciphertext block of the one before."""

    __slots__ = ("_cipher", "iv", "origin")

    def __init__(self, cipher: CbcCipher, iv: bytes, origin: bytes = b"") -> None:
        """`origin`: for the exchanges under an ISAKMP SA, the last block of phase 1 that the first IV was made of."""
        if len(iv) != cipher.block_size:
            raise ValueError(f"IV has {len(iv)} octets, not {cipher.block_size}")
        self._cipher = cipher
        self.iv = iv
        self.origin = origin

    def at(self, iv: bytes) -> IvChain:
        """Another chain under the same key, which goes on from `iv`."""
        return IvChain(self._cipher, iv, self.origin)

    def padded(self, plaintext: bytes) -> bytes:
        """Whole blocks: zeros fill the last one."""
        return plaintext + bytes(-len(plaintext) % self._cipher.block_size)

    def encrypt(self, plaintext: bytes) -> bytes:
        """The ciphertext of our next message, already padded; advances the IV."""
        ciphertext = self._cipher.encrypt(self.iv, plaintext)
        self.iv = ciphertext[-self._cipher.block_size :]
        return ciphertext

    def propose(self, ciphertext: bytes) -> Proposed:
        """Decrypt what may be the peer's next message; changes nothing, so that a forgery does no harm."""
        plaintext = self._cipher.decrypt(self.iv, ciphertext)
        return Proposed(plaintext, ciphertext[-self._cipher.block_size :])

    def commit(self, proposed: Proposed) -> None:
        """The message was accepted: go on from its last block."""
        self.iv = proposed.next_iv


def _row(cipher: Cipher) -> _Row:
    row = _CIPHERS.get(cipher)
    if row is None:
        raise ValueError(f"cipher {cipher} is not supported")
    return row
