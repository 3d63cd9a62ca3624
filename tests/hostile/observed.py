"""How often a function ran, seen from outside: nothing is replaced."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def calls_of(function: Callable[..., object]) -> Iterator[list[str]]:
    """Grows by the name of `function` at each of its calls in this thread."""
    code, seen, before = function.__code__, list[str](), sys.getprofile()

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code is code:
            seen.append(code.co_name)

    sys.setprofile(look)
    try:
        yield seen
    finally:
        sys.setprofile(before)
