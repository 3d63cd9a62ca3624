"""Colours for the lines of a ladder: a failure is red, what has come to stand green, times and sizes are dim."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import IO

import click

RULES: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (re.compile(r"((?<= ms  )|^)FAIL(?=  )"), lambda text: click.style(text, fg="red", bold=True)),
    (re.compile(r"(?<= ms  )up(?=    )"), lambda text: click.style(text, fg="green")),
    (re.compile(r" \d+ B$"), lambda text: click.style(text, dim=True)),
    (re.compile(r"^ +\d+\.\d ms(?=  )"), lambda text: click.style(text, dim=True)),
    (re.compile(r"^  (began|cookies) .*$"), lambda text: click.style(text, dim=True)),
)


def has_colours(stream: IO[str]) -> bool:
    """Is it a terminal that shows them, and were they not declined (https://no-color.org)?"""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def echo(text: str, *, err: bool = False) -> None:
    """Print the lines, in colours where the stream has them."""
    coloured = has_colours(sys.stderr if err else sys.stdout)
    lines = map(painted, text.split("\n")) if coloured else [text]
    click.echo("\n".join(lines), err=err, color=coloured)


def painted(line: str) -> str:
    """One line with its colours; what is read stays the same."""
    for pattern, style in RULES:
        if found := pattern.search(line):
            line = line[: found.start()] + style(found[0]) + line[found.end() :]
    return line
