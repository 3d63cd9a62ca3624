"""`@frozen`: how the values of this program are declared, and `replace`: how another is made of one."""

from __future__ import annotations

from collections.abc import Callable
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
        """A copy with other values in these fields: that of `dataclasses`, in a third of the time."""
        return (_COPIERS.get(type(value)) or _copier(type(value)))(value, **changes)


_COPIERS: dict[type, Callable[..., Any]] = {}
_KEPT = object()


def _copier(kind: Any) -> Callable[..., Any]:
    """For a class with the fields a and b:

    `lambda _value, a=_KEPT, b=_KEPT: _kind(_value.a if a is _KEPT else a, _value.b if b is _KEPT else b)`
    """
    names = kind.__match_args__  # in the order in which they are declared
    parameters = "".join(f", {name}=_KEPT" for name in names)
    values = ", ".join(f"_value.{name} if {name} is _KEPT else {name}" for name in names)
    copier = eval(f"lambda _value, /{parameters}: _kind({values})", {"_kind": kind, "_KEPT": _KEPT})  # noqa: S307
    copier.__qualname__ = kind.__name__  # for the TypeError where a field is named that there is not
    _COPIERS[kind] = copier
    return copier  # type: ignore[no-any-return]
