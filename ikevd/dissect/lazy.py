"""Views whose lists are made while they are read: a list may be an iterator, at any depth, and is read once.

So the view of what a peer made large is neither made in one go nor held in memory as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from typing import Any


def whole(view: Any) -> Any:
    """The same with lists for iterators."""
    if isinstance(view, dict):
        return {key: whole(value) for key, value in view.items()}
    return [whole(item) for item in view] if isinstance(view, Iterator) else view


def pieces(view: Any) -> Iterator[str]:
    """Its JSON in pieces: each ends with an item of a list, and none takes longer than one item."""
    yield (yield from _walk(view, ""))


def _walk(view: Any, text: str) -> Generator[str, None, str]:
    """`text` stands before the view; what stands behind the last piece is returned."""
    if isinstance(view, Iterator):
        separator = "["
        for item in view:
            yield (yield from _walk(item, text + separator))
            text, separator = "", ", "
        return f"{text}{'' if separator == ', ' else '['}]"
    if not _is_lazy(view):
        return text + json.dumps(view)
    separator = "{"
    for key, value in view.items():
        text = yield from _walk(value, f"{text}{separator}{json.dumps(key)}: ")
        separator = ", "
    return text + "}"


def _is_lazy(value: Any) -> bool:
    """Is there an iterator in it? Lists are made already."""
    if isinstance(value, dict):
        return any(isinstance(member, Iterator) or _is_lazy(member) for member in value.values())
    return False
