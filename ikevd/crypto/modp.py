"""Finite-field Diffie-Hellman: the one seam to whoever computes it.

`cryptography` is about to drop it: release 50 warns at each access of a name, and a later one moves the names to
`decrepit` or removes them. So the names are bound once, from whichever module has them; `pow()` stands in where
none does.

`pow()` is not constant-time: who can measure it well learns something about the exponent. Each exponent serves one
exchange, so that there is little to measure. Where `gmpy2` is installed (optional), its `powmod_sec` takes the place
of `pow()`: constant-time, and about six times as fast.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ikevd.crypto import modp_primes as primes
from ikevd.crypto.private_values import Octets, of_length, one_to
from ikevd.frozen import frozen
from ikevd.wire.registry import Group

GENERATOR = 2
Power = Callable[[int, int, int], int]
"""(base, exponent, modulus) to base^exponent mod modulus."""


@frozen
class Parameters:
    """One MODP group."""

    prime: int
    bits: int
    exponent_bits: int
    """Of our exponents: as OpenSSL and RFC 7919 appendix A have it, a little more than twice the strength of the group
    (RFC 3526 section 8, first estimate); or the length of `order`."""
    generator: int = GENERATOR
    order: int | None = None
    """Of the subgroup that the generator spans, where it is a small part of all (RFC 5114)."""
    by_library: bool = True
    """Is the library quick? A prime that OpenSSL does not know it tests for 33 ms at each peer value."""

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


def find_power(module: str = "gmpy2") -> Power:
    """`powmod_sec` of gmpy2, else `pow()`."""
    try:
        powmod_sec = importlib.import_module(module).powmod_sec
    except (ImportError, AttributeError):
        return pow
    return lambda base, exponent, modulus: int(powmod_sec(base, exponent, modulus))


POWER = find_power()


class PowKey:
    """A key by `pow()`, or what stands in its place."""

    def __init__(self, parameters: Parameters, exponent: int, power: Power = POWER) -> None:
        self._prime = parameters.prime
        self._exponent = exponent
        self._power = power
        self.public = power(parameters.generator, exponent, self._prime)

    def shared(self, peer: int) -> int:
        """peer^x mod p."""
        return self._power(peer, self._exponent, self._prime)


class Library(NamedTuple):
    """The three names of `cryptography` that are used."""

    parameter_numbers: Any
    public_numbers: Any
    private_numbers: Any


class LibraryKey:
    """A key by `cryptography`. The library makes a private key of an exponent only together with its public value, but
    asks of that no more than that it is one: so g stands in its place until g^x is computed."""

    def __init__(self, parameters: Parameters, exponent: int, library: Library) -> None:
        self._public_numbers = library.public_numbers
        self._numbers = library.parameter_numbers(parameters.prime, parameters.generator, parameters.order)
        self._private = library.private_numbers(
            exponent, self._public_numbers(parameters.generator, self._numbers)
        ).private_key()
        self.public = self.shared(parameters.generator)

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
                return Library(dh.DHParameterNumbers, dh.DHPublicNumbers, dh.DHPrivateNumbers)
            except (ImportError, AttributeError):
                continue
    return None


LIBRARY = find_library(
    (
        "cryptography.hazmat.decrepit.asymmetric.dh",
        "cryptography.hazmat.primitives.asymmetric.dh",
    )
)


def key_of(parameters: Parameters, exponent: int, library: Library | None = LIBRARY) -> Key:
    """The key of an exponent, by the library where it has the group and is quick."""
    if library is not None and parameters.by_library:
        return LibraryKey(parameters, exponent, library)
    return PowKey(parameters, exponent)


def new_exponent(parameters: Parameters, octets: Octets) -> int:
    """A fresh one: 1 to q - 1 where the order q is known, else of exactly `exponent_bits`."""
    if parameters.order is not None:
        return one_to(parameters.order, octets)
    return of_length(parameters.exponent_bits, octets)


class ModpHalf:
    """A key pair over the octets of KE payloads: numbers padded on the left to the length of the prime."""

    __slots__ = ("_key", "_parameters", "public")

    def __init__(self, parameters: Parameters, key: Key) -> None:
        self._parameters = parameters
        self._key = key
        self.public = key.public.to_bytes(parameters.size, "big")

    @classmethod
    def generate(cls, parameters: Parameters, octets: Octets) -> ModpHalf:
        """A fresh one."""
        return cls(parameters, key_of(parameters, new_exponent(parameters, octets)))

    def agree(self, peer_public: bytes) -> bytes:
        """g^xy. Raises ValueError unless 1 < y < p - 1, and y is in the subgroup where there is one."""
        peer, prime, order = int.from_bytes(peer_public, "big"), self._parameters.prime, self._parameters.order
        if not 1 < peer < prime - 1:
            raise ValueError("not between 1 and p - 1")
        if order is not None and POWER(peer, order, prime) != 1:
            raise ValueError("not in the subgroup of order q (RFC 5114)")
        return self._key.shared(peer).to_bytes(len(peer_public), "big")


def _safe(bits: int, addend: int, exponent_bits: int, *, by_library: bool = True) -> Parameters:
    return Parameters(primes.safe_prime(bits, addend), bits, exponent_bits, by_library=by_library)


def _subgroup(prime: int, generator: int, order: int) -> Parameters:
    return Parameters(prime, prime.bit_length(), order.bit_length(), generator, order)


PARAMETERS: Mapping[Group, Parameters] = {
    Group.MODP_768: _safe(768, 149686, 256, by_library=False),
    Group.MODP_1024: _safe(1024, 129093, 200, by_library=False),
    Group.MODP_1536: _safe(1536, 741804, 200),
    Group.MODP_2048: _safe(2048, 124476, 225),
    Group.MODP_3072: _safe(3072, 1690314, 275),
    Group.MODP_4096: _safe(4096, 240904, 325),
    Group.MODP_6144: _safe(6144, 929484, 375),
    Group.MODP_8192: _safe(8192, 4743158, 400),
    Group.MODP_1024_160: _subgroup(*primes.MODP_1024_160),
    Group.MODP_2048_224: _subgroup(*primes.MODP_2048_224),
    Group.MODP_2048_256: _subgroup(*primes.MODP_2048_256),
}
"""RFC 2409 sections 6.1 and 6.2, RFC 3526 sections 2 to 7, RFC 5114 sections 2.1 to 2.3."""
