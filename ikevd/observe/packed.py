"""Facts as one object of octets: what a finished negotiation becomes, a third of the memory of its facts.

Pickled and compressed. The octets never leave this process, and nothing else is ever unpacked. No kind of fact is
known here: a frozen dataclass is the number of its class and its fields, whichever it is.
"""

from __future__ import annotations

import io
import pickle
import zlib
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from operator import attrgetter
from typing import Any

Reduced = tuple[Callable[..., Any], tuple[Any, ...]]

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
        values_of = _reader([field.name for field in fields(kind)])

        def reduce(value: Any) -> Reduced:
            return _rebuilt, (number, *values_of(value))

        self[kind] = reduce
        return reduce


def _reader(names: Sequence[str]) -> Callable[[Any], Sequence[Any]]:
    """Gives the values of these fields."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: [getattr(value, name) for name in names]


_REDUCERS = _Reducers()


def _rebuilt(number: int, *values: Any) -> Any:
    return _REDUCERS.kinds[number](*values)


def pickled(values: Sequence[Any]) -> bytes:
    """Plain values and frozen dataclasses of such, whose fields are what they are made with."""
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _REDUCERS
    pickler.dump(list(values))
    return stream.getvalue()


def pack(octets: bytes, model: bytes | None = None) -> bytes:
    """What `pickled` gave. `model`: what it gave for similar values; what both have in common takes no room."""
    options: dict[str, Any] = {} if model is None else {"zdict": model}
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW, MEMORY, **options)
    return packer.compress(octets) + packer.flush()


def unpack(octets: bytes, model: bytes | None = None) -> list[Any]:
    """What was packed in this process, with that model or with none."""
    unpacker = zlib.decompressobj(zdict=model) if model else zlib.decompressobj()
    values: list[Any] = pickle.loads(unpacker.decompress(octets))  # noqa: S301
    return values
