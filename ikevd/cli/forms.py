"""The forms in which `ikevd decode` shows messages. `end` returns what could not be shown, in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from textwrap import indent
from typing import Any, Protocol

import click

from ikevd.cli.paint import echo
from ikevd.cli.terminal import width
from ikevd.dissect.brief import brief
from ikevd.dissect.capture import text
from ikevd.dissect.outline import outline
from ikevd.observe.capture_ladder import Ladders

View = dict[str, Any]


class Form(Protocol):
    """Gets the messages one by one."""

    def show(self, view: View) -> None:
        """The next message."""

    def end(self) -> list[str]:
        """That was all."""


class Outlines:
    """Outlines, a blank line between them."""

    def __init__(self) -> None:
        self._between = ""

    def show(self, view: View) -> None:
        """The next message."""
        shown = text(view) if "time" in view else outline(view["message"])
        click.echo(f"{self._between}{shown}")
        self._between = "\n"

    def end(self) -> list[str]:
        """That was all."""
        return []


class Json:
    """One JSON document, written piece by piece."""

    def __init__(self) -> None:
        self._before = '{\n  "schema": 1,\n  "messages": [\n'

    def show(self, view: View) -> None:
        """The next message."""
        click.echo(self._before + indent(json.dumps(view, indent=2), "    "), nl=False)
        self._before = ",\n"

    def end(self) -> list[str]:
        """That was all."""
        click.echo("\n  ]\n}" if self._before == ",\n" else '{\n  "schema": 1,\n  "messages": []\n}')
        return []


class Lines:
    """One line for each message."""

    def show(self, view: View) -> None:
        """The next message."""
        click.echo(brief(view))

    def end(self) -> list[str]:
        """That was all."""
        return []


class Drawings:
    """One ladder for each pair of cookies."""

    def __init__(self) -> None:
        self._ladders = Ladders()
        self._without_address = 0

    def show(self, view: View) -> None:
        """The next message."""
        self._ladders.add(view)
        self._without_address += "time" not in view

    def end(self) -> list[str]:
        """That was all."""
        if drawings := list(self._ladders.drawn(width())):
            echo("\n\n".join(drawings))
        return ["a ladder needs addresses and times, which only a capture has"] if self._without_address else []


FORMS: dict[str, Callable[[], Form]] = {"outline": Outlines, "json": Json, "brief": Lines, "ladder": Drawings}
