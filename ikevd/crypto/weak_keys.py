"""Keys under which a cipher is its own inverse, or that of another weak key (RFC 2409 appendix A, RFC 2451)."""

from __future__ import annotations

_PARITY = 0xFE
"""Of each octet of a DES key the lowest bit is parity, which the cipher does not look at."""


def _without_parity(key: bytes) -> bytes:
    return bytes(octet & _PARITY for octet in key)


def _of(halves: str) -> frozenset[bytes]:
    """The keys of the pairs of octets that appendix A repeats: the first half of the rounds, then the second."""
    pairs = [tuple(bytes.fromhex(half) for half in pair.split()) for pair in halves.split(",")]
    return frozenset(_without_parity(first * 2 + second * 2) for first, second in pairs)


_DES = _of(
    "0101 0101, 1f1f 0e0e, e0e0 f1f1, fefe fefe,"  # weak; the others semi-weak
    "01fe 01fe, 1fe0 0ef1, 01e0 01f1, 1ffe 0efe, 011f 010e, e0fe f1fe,"
    "fe01 fe01, e01f f10e, e001 f101, fe1f fe0e, 1f01 0e01, fee0 fef1"
)


def is_weak_des_key(key: bytes) -> bool:
    """Is this one of the 4 weak or 12 semi-weak keys of DES? Parity bits do not matter."""
    return _without_parity(key) in _DES


def is_weak_triple_des_key(key: bytes) -> bool:
    """Do two neighbouring keys cancel each other, which leaves single DES (RFC 2451 section 2.3)?"""
    first, second, third = (_without_parity(key[start : start + 8]) for start in (0, 8, 16))
    return first == second or second == third
