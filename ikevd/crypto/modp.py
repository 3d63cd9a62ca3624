"""Finite-field Diffie-Hellman: the one seam to whoever computes it.

`cryptography` is about to drop it: release 50 warns at each access of a name, and a later one moves the names to
`decrepit` or removes them. So the names are bound once, from whichever module has them; `pow()` stands in where
none does.

`pow()` is not constant-time: who can measure it well learns something about the exponent. Each exponent serves one
exchange, so that there is little to measure.
"""

from __future__ import annotations

import importlib
import secrets
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ikevd.wire.registry import Group

GENERATOR = 2


@dataclass(frozen=True, slots=True)
class Parameters:
    """One MODP group; the generator is always 2."""

    prime: int
    bits: int
    exponent_bits: int
    """Of our exponents under `pow()`: the larger estimate of RFC 3526 section 8."""
    named: bool = True
    """Does OpenSSL know the prime? If not, `cryptography` 50 tests it for 33 ms at each peer value."""

    @property
    def size(self) -> int:
        """Octets of a public value and of g^xy."""
        return self.bits // 8


class Key(Protocol):
    """An ephemeral key pair over integers. `shared` wants 1 < peer < p - 1."""

    @property
    def public(self) -> int:
        """g^x mod p."""

    def shared(self, peer: int) -> int:
        """g^xy mod p, where `peer` is g^y."""


class PowKey:
    """A key by `pow()`."""

    def __init__(self, parameters: Parameters, exponent: int) -> None:
        self._prime = parameters.prime
        self._exponent = exponent
        self.public = pow(GENERATOR, exponent, self._prime)

    def shared(self, peer: int) -> int:
        """peer^x mod p."""
        return pow(peer, self._exponent, self._prime)


class Library(NamedTuple):
    """The two names of `cryptography` that are used."""

    parameter_numbers: Any
    public_numbers: Any


class LibraryKey:
    """A key by `cryptography`, with a short exponent of OpenSSL's choice."""

    def __init__(self, parameters: Parameters, library: Library) -> None:
        self._public_numbers = library.public_numbers
        self._numbers = library.parameter_numbers(parameters.prime, GENERATOR)
        self._private = self._numbers.parameters().generate_private_key()
        self.public: int = self._private.public_key().public_numbers().y

    def shared(self, peer: int) -> int:
        """peer^x mod p."""
        public_key = self._public_numbers(peer, self._numbers).public_key()
        return int.from_bytes(self._private.exchange(public_key), "big")


def find_library(modules: Sequence[str]) -> Library | None:
    """The names from the first of `modules` that has them, without the warnings of each access."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in modules:
            try:
                dh = importlib.import_module(name)
                return Library(dh.DHParameterNumbers, dh.DHPublicNumbers)
            except (ImportError, AttributeError):
                continue
    return None


LIBRARY = find_library(
    (
        "cryptography.hazmat.decrepit.asymmetric.dh",
        "cryptography.hazmat.primitives.asymmetric.dh",
    )
)


def new_key(parameters: Parameters, library: Library | None = LIBRARY) -> Key:
    """A fresh key, by the library where it has one and is quick."""
    if library is not None and parameters.named:
        return LibraryKey(parameters, library)
    top = 1 << parameters.exponent_bits - 1
    return PowKey(parameters, top | secrets.randbits(parameters.exponent_bits - 1))


def _floor_pi(shift: int) -> int:
    """The integer part of 2^shift * pi, by Machin: pi = 16 arctan(1/5) - 4 arctan(1/239)."""
    guard = 64

    def arctan(inverse: int) -> int:
        power = (1 << shift + guard) // inverse
        total, odd, sign = 0, 1, 1
        while power:
            total += sign * (power // odd)
            power //= inverse * inverse
            odd, sign = odd + 2, -sign
        return total

    return (16 * arctan(5) - 4 * arctan(239)) >> guard


def _prime(bits: int, addend: int) -> int:
    """2^n - 2^(n-64) - 1 + 2^64 * ([2^(n-130) pi] + addend): RFC 2409 section 6, RFC 3526."""
    return (1 << bits) - (1 << bits - 64) - 1 + (_floor_pi(bits - 130) + addend << 64)


PARAMETERS = {
    Group.MODP_1024: Parameters(_prime(1024, 129093), 1024, exponent_bits=256, named=False),
    Group.MODP_1536: Parameters(_prime(1536, 741804), 1536, exponent_bits=256),
    Group.MODP_2048: Parameters(_prime(2048, 124476), 2048, exponent_bits=320),
    Group.MODP_3072: Parameters(_prime(3072, 1690314), 3072, exponent_bits=420),
    Group.MODP_4096: Parameters(_prime(4096, 240904), 4096, exponent_bits=480),
}
"""RFC 2409 section 6.2 and RFC 3526 sections 2 to 5."""
