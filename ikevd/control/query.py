"""The parameters of a request to the control API, and of the commands that make it.

What is nonsense is refused in words, and never taken for something else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from ipaddress import ip_address

from ikevd.addresses import Address
from ikevd.errors import IkeError

MAX_DIGITS = 9
_WHOLE = re.compile(r"[0-9]+")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_HEX = re.compile(r"(0x)?[0-9a-f:]*[0-9a-f][0-9a-f:]*", re.IGNORECASE)


class WrongParameter(IkeError):
    """A parameter that cannot be meant: unknown, doubled, or with a value that it cannot have."""


class Query:
    """The parameters of one request, each read once. Every method raises `WrongParameter`."""

    def __init__(self, given: Iterable[tuple[str, str]], known: Collection[str] = ()) -> None:
        """Refuses what is not `known`, and what comes twice."""
        self._given: dict[str, str] = {}
        for name, value in given:
            if name not in known:
                wanted = f"wanted {', '.join(known)}" if known else "none is wanted here"
                raise WrongParameter(f"there is no parameter {name!a}; {wanted}")
            if name in self._given:
                raise WrongParameter(f"{name} is given twice")
            self._given[name] = value

    def name(self, name: str) -> str | None:
        """Of a connection or child."""
        value = self._given.get(name)
        if value == "":
            raise WrongParameter(f"{name} is empty, wanted the name of a connection or child")
        return value

    def address(self, name: str) -> Address | None:
        """An IP address."""
        value = self._given.get(name)
        return None if value is None else read_address(name, value)

    def spi(self, name: str) -> str | None:
        """The hex digits of a cookie, a pair of cookies or an SPI, or their beginning."""
        value = self._given.get(name)
        return None if value is None else read_spi(name, value)

    def count(self, name: str, default: int, most: int) -> int:
        """A whole number from 1 on."""
        value = self._given.get(name, str(default))
        if not _WHOLE.fullmatch(value) or len(value) > MAX_DIGITS or not 1 <= int(value) <= most:
            raise WrongParameter(f"{name} is {value!a}, wanted a whole number from 1 to {most}")
        return int(value)

    def seconds(self, name: str, default: float, most: float) -> float:
        """A number above 0."""
        value = self._given.get(name)
        return default if value is None else read_seconds(name, value, most)

    def flag(self, name: str) -> bool:
        """1, or 0 as if it were not there."""
        value = self._given.get(name, "0")
        if value not in ("0", "1"):
            raise WrongParameter(f"{name} is {value!a}, wanted 1 or 0")
        return value == "1"


def read_address(name: str, value: str) -> Address:
    """Raises `WrongParameter`."""
    try:
        return ip_address(value)
    except ValueError:
        raise WrongParameter(f"{name} is {value!a}, wanted an IP address") from None


def read_spi(name: str, value: str) -> str:
    """As it was given. Raises `WrongParameter`."""
    if not _HEX.fullmatch(value):
        raise WrongParameter(f"{name} is {value!a}, wanted hex digits")
    return value


def read_seconds(name: str, value: str, most: float) -> float:
    """A number above 0 and up to `most`. Raises `WrongParameter`."""
    if not _NUMBER.fullmatch(value) or not 0 < float(value) <= most:
        raise WrongParameter(f"{name} is {value!a}, wanted a number of seconds above 0 and up to {most:g}")
    return float(value)
