"""`@frozen`: how the values of this program are declared, and `replace`: how another is made of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """A dataclass with slots, compared and hashed by its fields, of which nothing is ever changed.

    mypy sees to that, not the interpreter: what `dataclass(frozen=True)` does at run time doubles the cost of making an
    object, and one handshake makes some three hundred.
    """
    return dataclass(slots=True, unsafe_hash="__hash__" not in vars(cls))(cls)


if TYPE_CHECKING:  # the same for mypy, which knows the fields of each class
    from dataclasses import replace as replace
else:

    def replace(value: Any, /, **changes: Any) -> Any:
        """A copy with other values in these fields: that of `dataclasses`, in half the time."""
        names = value.__match_args__  # in the order in which they are declared
        copy = type(value)(*[changes.pop(name) if name in changes else getattr(value, name) for name in names])
        if changes:
            raise TypeError(f"{type(value).__name__} has no field {', '.join(changes)}")
        return copy
