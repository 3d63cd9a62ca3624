"""A fault that is planted in ikevd, to see that a test catches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock


@dataclass(frozen=True)
class Mutant:
    """`name` of `owner`, a module or a class, becomes what `make` makes of it."""

    what: str
    owner: Any
    name: str
    make: Callable[[Any], Any]

    def __str__(self) -> str:
        return self.what

    @contextmanager
    def planted(self) -> Iterator[None]:
        """For a while."""
        with mock.patch.object(self.owner, self.name, self.make(getattr(self.owner, self.name))):
            yield
