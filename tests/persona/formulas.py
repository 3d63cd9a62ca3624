"""The formulas of RFC 2409 and RFC 3947 a second time, so that nothing of the daemon's is tested against itself."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

ESP = 3


def prf(name: str, key: bytes, *parts: bytes) -> bytes:
    """HMAC of the negotiated hash."""
    return hmac.new(key, b"".join(parts), name).digest()


def digest(name: str, *parts: bytes) -> bytes:
    """The negotiated hash."""
    return hashlib.new(name, b"".join(parts)).digest()


@dataclass(frozen=True)
class Exchanged:
    """What both sides saw of each other in phase 1, the initiator's part first."""

    cookies: tuple[bytes, bytes]
    public: tuple[bytes, bytes]
    nonces: tuple[bytes, bytes]
    offer: bytes
    """SAi_b."""


@dataclass(frozen=True)
class Keys:
    """SKEYID and what comes of it, with `name` of the hash."""

    name: str
    skeyid: bytes
    d: bytes
    a: bytes
    e: bytes

    @classmethod
    def derive(cls, name: str, psk: bytes, seen: Exchanged, g_xy: bytes) -> Keys:
        skeyid = prf(name, psk, *seen.nonces)
        seed = g_xy + b"".join(seen.cookies)
        d = prf(name, skeyid, seed, b"\0")
        a = prf(name, skeyid, d, seed, b"\1")
        return cls(name, skeyid, d, a, prf(name, skeyid, a, seed, b"\2"))

    def cipher_key(self, octets: int) -> bytes:
        """Appendix B of RFC 2409."""
        if octets <= len(self.e):
            return self.e[:octets]
        blocks = [prf(self.name, self.e, b"\0")]
        while len(b"".join(blocks)) < octets:
            blocks.append(prf(self.name, self.e, blocks[-1]))
        return b"".join(blocks)[:octets]

    def hash_i(self, seen: Exchanged, identity: bytes) -> bytes:
        return prf(self.name, self.skeyid, *seen.public, *seen.cookies, seen.offer, identity)

    def hash_r(self, seen: Exchanged, identity: bytes) -> bytes:
        swapped = *reversed(seen.public), *reversed(seen.cookies)
        return prf(self.name, self.skeyid, *swapped, seen.offer, identity)

    def keymat(self, spi: bytes, nonces: tuple[bytes, bytes], octets: int, g_xy: bytes = b"") -> bytes:
        """Section 5.5 of RFC 2409, for ESP."""
        seed = g_xy + bytes([ESP]) + spi + b"".join(nonces)
        blocks = [prf(self.name, self.d, seed)]
        while len(b"".join(blocks)) < octets:
            blocks.append(prf(self.name, self.d, blocks[-1], seed))
        return b"".join(blocks)[:octets]


def nat_d(name: str, cookies: tuple[bytes, bytes], address: bytes, port: int) -> bytes:
    """Section 3.2 of RFC 3947."""
    return digest(name, *cookies, address, port.to_bytes(2, "big"))
