"""`ikevd up`, `down`, `rekey` and `reset`: progress as it happens, and the cause if it fails."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ikevd.cli.paint import echo
from ikevd.cli.terminal import width
from ikevd.control.client import Client, ControlError
from ikevd.observe.ladder import began, owner_of, rungs
from ikevd.text import flow, printable

INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""


def bring_up(name: str, timeout: float, as_json: bool, socket: Path) -> int:
    """Exit code 0 if done, else 1 with the cause on standard error or, `as_json`, in the last line.

    130 where the waiting was interrupted.
    """
    screen = _Json() if as_json else _Screen(f"{name} is up")
    return _act(Client(socket).up(name, timeout), screen, f"`ikevd down {name}` ends it")


def take_down(name: str | None, timeout: float, as_json: bool, socket: Path, *, in_clear: bool) -> int:
    """All connections where no name is given; exit codes as for `bring_up`."""
    screen = _Json() if as_json else _Screen(f"{name} is down" if name else "all connections are down")
    back = f"`ikevd up {name}` brings it back" if name else "`ikevd up NAME` brings one back"
    return _act(Client(socket).down(name, timeout, in_clear=in_clear), screen, back)


def negotiate_anew(name: str, timeout: float, as_json: bool, socket: Path, *, phase1: bool) -> int:
    """Exit codes as for `bring_up`."""
    screen = _Json() if as_json else _Screen(f"{name} is rekeyed")
    return _act(Client(socket).rekey(name, timeout, phase1=phase1), screen, "what stands carries on")


def reset(name: str, timeout: float, as_json: bool, socket: Path) -> int:
    """Exit codes as for `bring_up`."""
    screen = _Json() if as_json else _Screen(f"{name} is reset")
    return _act(Client(socket).reset(name, timeout), screen, f"`ikevd down {name}` ends it")


def _act(events: Iterator[dict[str, Any]], screen: _Json | _Screen, undo: str) -> int:
    try:
        for event in events:
            if event["event"] == "end":
                screen.end(event)
                return 0 if event["ok"] else 1
            screen.show(event)
    except ControlError as error:
        click.echo(printable(str(error)), err=True)
        return 1
    except KeyboardInterrupt:
        click.echo(printable(f"ikevd goes on with it: {undo}, `ikevd status` shows it"), err=True)
        return INTERRUPTED
    click.echo("ikevd ended before it was done", err=True)
    return 1


class _Json:
    """Each line as it comes."""

    def show(self, event: dict[str, Any]) -> None:
        """The next fact."""
        click.echo(json.dumps(event))

    def end(self, event: dict[str, Any]) -> None:
        """The outcome."""
        click.echo(json.dumps(event))


class _Screen:
    """A ladder that grows. A cause stands once, on standard error: wrapped on a terminal, else in one line."""

    def __init__(self, done: str) -> None:
        self._done = done
        self._begin: float | None = None
        self._owner: str | None = None
        self._told = set[str]()

    def show(self, event: dict[str, Any]) -> None:
        """The next fact, below the name of its owner where that is another than before."""
        if self._begin is None:
            self._begin, self._owner = event["at"], owner_of(event)
            echo("\n".join(began(self._begin, width(), first=f"{self._owner}  ")))
        elif owner_of(event) != self._owner:
            self._owner = owner_of(event)
            echo(self._owner)
        lines = rungs(event, self._begin, width())
        if event["fact"] == "failed" and event["initiator"]:
            self._fail(event["reason"], lines)
        else:
            echo("\n".join(lines))

    def end(self, event: dict[str, Any]) -> None:
        """The outcome."""
        if event["ok"]:
            click.echo(printable(self._done))
        elif event["cause"] not in self._told:
            self._fail(
                event["cause"], flow(printable(event["cause"]).split(" "), width(), first="FAIL  ", rest=" " * 6)
            )

    def _fail(self, cause: str, lines: list[str]) -> None:
        self._told.add(cause)
        echo("\n".join(lines) if sys.stderr.isatty() else printable(cause), err=True)
