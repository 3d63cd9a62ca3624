"""One value for all that matters about a connection: does the file still say what a stored SA was made by?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, replace
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from ikevd.crypto.secret import Secret
from ikevd.policy.identity import Identity
from ikevd.policy.model import Connection

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
    match value:
        case None:
            return b"n"
        case Enum():
            return _framed(b"e", value.name.encode())
        case int() | float():
            return _framed(b"i", str(value.as_integer_ratio()).encode())
        case str():
            return _framed(b"s", value.encode())
        case bytes():
            return _framed(b"o", value)
        case Secret():
            return _framed(b"k", value.reveal())
        case IPv4Address() | IPv6Address():
            return _framed(b"a", value.packed)
        case Identity():
            return _framed(b"d", written((value.type, value.compared)))
        case tuple():
            return _framed(b"t", *map(written, value))
        case _:
            return _framed(b"r", *_members(value))


def _members(record: Any) -> Iterator[bytes]:
    for member in fields(record):
        value = getattr(record, member.name)
        if member.compare and value != _default(member):
            yield _framed(b"m", member.name.encode(), written(value))


def _default(member: Field[Any]) -> object:
    """`MISSING`, which nothing equals, where it has none."""
    return member.default if member.default_factory is MISSING else member.default_factory()


def _framed(kind: bytes, *parts: bytes) -> bytes:
    return kind + len(parts).to_bytes(4) + b"".join(len(part).to_bytes(4) + part for part in parts)
