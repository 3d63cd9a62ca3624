"""One value for all that matters about a connection: does the file still say what a stored SA was made by?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any

from ikevd.crypto.secret import Secret
from ikevd.frozen import replace
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.policy.identity import Identity
from ikevd.policy.suites import IkeSuite, IpsecSuite

CONTEXT = b"ikevd connection 1"
"""Another one for each change of what is written below."""


def digest(connection: Connection) -> Secret:
    """32 octets, the same in every process for equal connections, whatever the order of their children.

    It covers the pre-shared key, which somebody who sees it could guess by it: so it is a `Secret` itself. A field
    that has its default is left out: a later ikevd that knows more fields finds the same digest.
    """
    ordered = replace(connection, children=tuple(sorted(connection.children, key=lambda child: child.name)))
    return Secret(hashlib.sha256(CONTEXT + written(ordered)).digest())


def written(value: Any) -> bytes:
    """Two values have the same octets if they are equal, and only then."""
    kind = type(value)
    write = _WRITERS.get(kind)
    if write is None:
        write = _WRITERS[kind] = _enum if issubclass(kind, Enum) else _record(kind)
    return write(value)


def _enum(value: Enum) -> bytes:
    return _framed(b"e", value.name.encode())


def _number(value: float) -> bytes:
    return _framed(b"i", str(value.as_integer_ratio()).encode())


def _record(kind: type[Any]) -> Callable[[Any], bytes]:
    """Each field that counts, with its name; one at its default is left out."""
    members = [(one.name, one.name.encode(), _default(one)) for one in fields(kind) if one.compare]

    def write(record: Any) -> bytes:
        values = ((name, getattr(record, attribute), default) for attribute, name, default in members)
        return _framed(
            b"r", *(_framed(b"m", name, written(value)) for name, value, default in values if value != default)
        )

    return write


def _default(member: Field[Any]) -> object:
    """`MISSING`, which nothing equals, where it has none."""
    return member.default if member.default_factory is MISSING else member.default_factory()


def _framed(kind: bytes, *parts: bytes) -> bytes:
    octets = [kind, len(parts).to_bytes(4)]
    for part in parts:
        octets += (len(part).to_bytes(4), part)
    return b"".join(octets)


_WRITERS: dict[type[Any], Callable[[Any], bytes]] = {
    type(None): lambda value: b"n",
    bool: _number,
    int: _number,
    float: _number,
    str: lambda value: _framed(b"s", value.encode()),
    bytes: lambda value: _framed(b"o", value),
    Secret: lambda value: _framed(b"k", value.reveal()),
    IPv4Address: lambda value: _framed(b"a", value.packed),
    IPv6Address: lambda value: _framed(b"a", value.packed),
    IPv4Interface: lambda value: _framed(b"n", str(value).encode()),
    IPv6Interface: lambda value: _framed(b"n", str(value).encode()),
    IPv4Network: lambda value: _framed(b"n", str(value).encode()),
    IPv6Network: lambda value: _framed(b"n", str(value).encode()),
    Start: lambda value: _framed(b"e", b"AUTO" if value is Start.ALWAYS else b"MANUAL"),
    Identity: lambda value: _framed(b"d", written((value.type, value.compared))),
    tuple: lambda value: _framed(b"t", *map(written, value)),
    IkeSuite: lru_cache(256)(_record(IkeSuite)),
    IpsecSuite: lru_cache(256)(_record(IpsecSuite)),
}
"""By class; those of other records and of enums are added when they are first met. Thousands of connections have a few
suites between them. Of the ways to start an ikevd before this one knew two: whatever begins a child, its SAs may go
on."""
