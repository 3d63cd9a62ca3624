"""`@frozen`: how the values of this program are declared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """A dataclass with slots, compared and hashed by its fields, of which nothing is ever changed.

    mypy sees to that, not the interpreter: what `dataclass(frozen=True)` does at run time doubles the cost of making an
    object, and one handshake makes some three hundred.
    """
    return dataclass(slots=True, unsafe_hash="__hash__" not in vars(cls))(cls)
