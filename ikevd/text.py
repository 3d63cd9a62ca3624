"""Text that may hold what a peer sent: safe for a terminal and for one line of a log."""

from __future__ import annotations

from collections.abc import Iterable


def printable(text: str) -> str:
    """`text` with everything that is not printable (escape sequences, line breaks, direction marks) as `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def flow(items: Iterable[str], width: int, *, first: str = "", rest: str = "", separator: str = " ") -> list[str]:
    """Lines of at most `width` columns that break between items only; a longer item has a line of its own.

    `first` begins the first line, and has it to itself where no item fits behind it but would behind `rest`, which
    begins the others; `separator` stays at the end of a broken line, without its space.
    """
    values, lines, line = list(items), list[str](), first
    for number, item in enumerate(values):
        tail = separator.rstrip() if number + 1 < len(values) else ""
        if line not in (first, rest) and len(line + separator + item + tail) > width:
            lines.append(line + separator.rstrip())
            line = rest
        elif line == first and first.strip() and len(first + item + tail) > width and len(rest) < len(first):
            lines.append(first.rstrip())
            line = rest
        line += item if line in (first, rest) else separator + item
    return [*lines, line.rstrip()]
