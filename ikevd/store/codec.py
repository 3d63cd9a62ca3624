"""Records to octets and back, exactly: compact JSON, fields by name. The octets hold keys: show them to nobody."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from ikevd.store.forms import form_of
from ikevd.store.scalars import Unreadable

T = TypeVar("T")

_to_text = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_from_text = json.JSONDecoder().decode
_FLAWS = (Unreadable, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


def encode(record: Any) -> bytes:
    """The octets of a frozen dataclass whose fields `form_of` has forms for. Raises TypeError for another."""
    write = form_of(type(record)).write
    return _to_text(write(record) if write else record).encode("ascii")


def decode(kind: type[T], octets: bytes) -> T:
    """The record of this class. Raises `Unreadable`, and nothing else, for octets that hold none."""
    form = form_of(kind)
    try:
        record: T = form.read(_from_text(octets.decode("ascii")))
        return record
    except _FLAWS as error:
        flaw = str(error) if isinstance(error, Unreadable) else type(error).__name__
    # outside of `except`: the error of `json` holds the whole text
    raise Unreadable(f"no {kind.__name__} that this ikevd can read: {flaw}")
