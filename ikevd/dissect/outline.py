"""The tree of `decode` as indented text. Works from the JSON view alone, as the ladder does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ikevd.text import printable

View = Mapping[str, Any]

STEP = "  "
ACRONYMS = {"id", "doi", "spi"}
MAX_HEX = 64
"""Octets of one field that are shown; JSON holds all."""


def outline(view: View, indent: str = "") -> str:
    """One line for each field."""
    return "\n".join(printable(line) for line in _lines(view, indent))


def _lines(view: View, indent: str) -> Iterator[str]:
    for key, value in view.items():
        name = _title(key)
        if _is_leaf(value):
            yield f"{indent}{name}: {_leaf(value)}"
        elif isinstance(value, Mapping):
            yield f"{indent}{name}"
            yield from _lines(value, indent + STEP)
        else:
            for item in value:
                yield from _item(item, indent)


def _item(item: View, indent: str) -> Iterator[str]:
    """An element of a list: its first field is its title; a payload's length, an attribute's value stand beside it."""
    (title, first), *rest = item.items()
    if title == "attribute":
        width = "" if item["basic"] else ", variable length"
        yield f"{indent}{_leaf(first)}: {_leaf(item['value'])}{width}"
        return
    heading = _leaf(first) if title == "payload" else f"{_title(title)} {_leaf(first)}"
    if title == "payload":
        heading += f", {item['length']} octets"
        rest = [(key, value) for key, value in rest if key != "length"]
    yield f"{indent}{heading}"
    yield from _lines(dict(rest), indent + STEP)


def _title(key: str) -> str:
    return " ".join(word.upper() if word in ACRONYMS else word for word in key.split("_"))


def _is_leaf(value: object) -> bool:
    if isinstance(value, Mapping):
        return "octets" in value or set(value) == {"name", "number"}
    return not isinstance(value, list) or not any(isinstance(item, Mapping) for item in value)


def _leaf(value: Any) -> str:
    match value:
        case {"name": name, "number": number}:
            return f"{name} ({number})"
        case {"octets": count, "hidden": True}:
            return f"{count} octets, not shown"
        case {"octets": count, "text": text} if count <= MAX_HEX:
            return f"{text!r}"
        case {"octets": count, "hex": digits}:
            more = "..." if count > MAX_HEX else ""
            return f"{count} octets {digits[: 2 * MAX_HEX]}{more}".rstrip()
        case list():
            return ", ".join(_leaf(item) for item in value) or "none"
        case _:
            return str(value) or "none"
