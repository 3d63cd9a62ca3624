"""Facts as one object of octets: what a finished negotiation becomes, a third of the memory of its facts.

Pickled and compressed; but an encrypted datagram, which gets no shorter and takes longest to try, follows as it is. The
octets never leave this process, and nothing else is ever unpacked. No kind of fact is known here: a frozen dataclass is
the number of its class and its fields, whichever it is.
"""

from __future__ import annotations

import io
import pickle
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from operator import attrgetter
from typing import Any

OCTETS = "octets"
"""The field that holds a whole datagram."""
Reduced = tuple[Callable[..., Any], tuple[Any, ...]]

LENGTH = 2
"""Octets of the length of a datagram."""
LEVEL = 1
"""Of zlib. Level 6 takes a hundredth less room."""
WINDOW, MEMORY = 13, 6
"""Of zlib likewise: it looks back 8 kB. As usual (15, 8) it takes 256 kB anew for each record, which takes longer than
all the rest."""


class _Reducers(dict[type, Callable[[Any], Reduced]]):
    """How each class is taken apart, made when the first object of it comes."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: list[type] = []

    def __missing__(self, kind: type) -> Callable[[Any], Reduced]:
        if not is_dataclass(kind):
            raise KeyError(kind)
        number = len(self.kinds)
        self.kinds.append(kind)
        names = [field.name for field in fields(kind)]
        values_of = _reader(names)

        def reduce(value: Any) -> Reduced:
            return _rebuilt, (number, *values_of(value))

        def reduce_message(value: Any) -> Reduced:
            values = [number, *values_of(value)]
            if value.chain and getattr(value, "copy", 1) == 1:  # further copies share one another's octets
                values[at] = pickle.PickleBuffer(value.octets)
            return _rebuilt, tuple(values)

        is_message = OCTETS in names and "chain" in names  # the latter in the clear, if the former are encrypted
        at = 1 + names.index(OCTETS) if is_message else 0
        self[kind] = reduce_message if is_message else reduce
        return self[kind]


def _reader(names: Sequence[str]) -> Callable[[Any], Sequence[Any]]:
    """Gives the values of these fields."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: [getattr(value, name) for name in names]


_REDUCERS = _Reducers()


def _rebuilt(number: int, *values: Any) -> Any:
    return _REDUCERS.kinds[number](*values)


def pickled(values: Sequence[Any]) -> tuple[bytes, bytes]:
    """Plain values and frozen dataclasses of such, whose fields are what they are made with; and behind one another the
    encrypted datagrams among them, each behind its length."""
    stream, apart = io.BytesIO(), list[bytes]()

    def keep_apart(buffer: pickle.PickleBuffer) -> None:
        octets = bytes(buffer)
        apart.extend((len(octets).to_bytes(LENGTH, "big"), octets))

    pickler = pickle.Pickler(stream, pickle.HIGHEST_PROTOCOL, buffer_callback=keep_apart)
    pickler.dispatch_table = _REDUCERS
    pickler.dump(list(values))
    return stream.getvalue(), b"".join(apart)


def pack(octets: bytes, apart: bytes, model: bytes | None = None) -> bytes:
    """What `pickled` gave. `model`: what it gave first for similar values; what both have in common takes no room."""
    options: dict[str, Any] = {} if model is None else {"zdict": model}
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW, MEMORY, **options)
    return packer.compress(octets) + packer.flush() + apart


def unpack(octets: bytes, model: bytes | None = None) -> list[Any]:
    """What was packed in this process, with that model or with none."""
    unpacker = zlib.decompressobj(zdict=model) if model else zlib.decompressobj()
    plain = unpacker.decompress(octets)
    values: list[Any] = pickle.loads(plain, buffers=_split(unpacker.unused_data))  # noqa: S301
    return values


def _split(apart: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(apart):
        begin = at + LENGTH
        at = begin + int.from_bytes(apart[at:begin], "big")
        yield apart[begin:at]
