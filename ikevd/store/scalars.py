"""The forms of single values: numbers, text, octets, addresses, enumerations."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping
from enum import Enum
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_interface,
    ip_network,
)
from typing import Any, TypeVar

from ikevd.addresses import Address
from ikevd.crypto.secret import Secret
from ikevd.errors import IkeError
from ikevd.frozen import frozen
from ikevd.sa.model import IPCOMP_SPACE, Spi
from ikevd.wire.registry import Registry

T = TypeVar("T")
Plain = Any
"""What JSON can hold: None, bool, int, float, str, list, dict with keys of text."""

MAX_SPI = IPCOMP_SPACE | 0xFFFF


class Unreadable(IkeError):
    """Stored octets that are no record of the kind that was asked for. It shows none of them: they hold keys."""


@frozen
class Form:
    """How the values of one type are written and read."""

    write: Callable[[Any], Plain] | None
    """None: JSON has the values as they are; a number of a class of its own is written as a number."""
    read: Callable[[Plain], Any]
    """Raises `Unreadable`, or what `codec.decode` turns into it."""


def checked(found: Any, kind: type[T]) -> T:
    """It, if it is of just this type: `True` is no number here. Else raises `Unreadable`."""
    if type(found) is not kind:
        raise Unreadable(f"{type(found).__name__} stands where {kind.__name__} should")
    return found


def _just(kind: type) -> Form:
    """A type that JSON has."""

    def read(plain: Plain) -> Any:
        return plain if type(plain) is kind else checked(plain, kind)

    return Form(None, read)


def _number(plain: Plain) -> float:
    if type(plain) not in (int, float):
        raise Unreadable(f"{type(plain).__name__} stands where a number should")
    return float(plain)


def _text_of(octets: bytes) -> str:
    return binascii.b2a_base64(octets, newline=False).decode("ascii")


def _octets_of(plain: Plain) -> bytes:
    return binascii.a2b_base64(plain, strict_mode=True)


def _spi(plain: Plain) -> Spi:
    if type(plain) is not int or not 0 <= plain <= MAX_SPI:
        raise Unreadable("what stands for an SPI is no number of 32 bits, or of 34 for AH and IPComp")
    return Spi(plain)


def _of_address(address: Address) -> Plain:
    """IPv4: a number. IPv6: 32 hexadecimal digits, and `%eth0` where it is of one link only."""
    if isinstance(address, IPv4Address):
        return int(address)
    digits = address.packed.hex()
    return digits if address.scope_id is None else f"{digits}%{address.scope_id}"


@lru_cache(maxsize=256, typed=True)
def _address(plain: Plain) -> Address:
    """Those of one peer are few, and stand in many of its fields."""
    if type(plain) is int:
        return IPv4Address(plain)
    digits, percent, scope = plain.partition("%")
    address = IPv6Address(bytes.fromhex(digits))
    return IPv6Address(f"{address}%{scope}") if percent else address


def _network(plain: Plain) -> IPv4Network | IPv6Network:
    return ip_network(checked(plain, str))


ADDRESS = Form(_of_address, _address)
NETWORK = Form(str, _network)
INTERFACE = Form(str, lambda plain: ip_interface(checked(plain, str)))
"""An address with its network."""
SCALARS: Mapping[object, Form] = {
    str: _just(str),
    int: _just(int),
    bool: _just(bool),
    float: Form(None, _number),
    bytes: Form(_text_of, _octets_of),
    Secret: Form(lambda secret: _text_of(secret.reveal()), lambda plain: Secret(_octets_of(plain))),
    Spi: Form(None, _spi),
    IPv4Address: ADDRESS,
    IPv6Address: ADDRESS,
    IPv4Network: NETWORK,
    IPv6Network: NETWORK,
    IPv4Interface: INTERFACE,
    IPv6Interface: INTERFACE,
}


def enumeration(kind: type[Enum]) -> Form:
    """IANA numbers as numbers, unknown ones too; all else by the member's name, since its value may be a sentence."""
    if not issubclass(kind, Registry):
        return Form(lambda member: member.name, lambda plain: kind[plain])

    return Form(None, lambda plain: kind.of(checked(plain, int)))
