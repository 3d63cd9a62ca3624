"""How wide the screen is."""

from __future__ import annotations

import shutil
import sys

PLAIN = 80
"""Columns for what is no terminal, so that the same state gives the same text."""


def width() -> int:
    """Columns of standard output; `COLUMNS` overrides what a terminal says of itself."""
    return shutil.get_terminal_size((PLAIN, 24)).columns if sys.stdout.isatty() else PLAIN
