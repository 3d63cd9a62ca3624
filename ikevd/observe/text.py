"""Text that may hold what a peer sent: safe for a terminal and for one line of a log."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` with everything that is not printable (escape sequences, line breaks, direction marks) as `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
