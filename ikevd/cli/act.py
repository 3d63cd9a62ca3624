"""`ikevd up` and `ikevd down`: progress as it happens, and the cause if it fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ikevd.cli.terminal import width
from ikevd.control.client import Client, ControlError
from ikevd.observe.ladder import rungs
from ikevd.observe.text import printable

INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""


def act(verb: str, name: str, timeout: float, as_json: bool, socket: Path) -> int:
    """Exit code 0 if done, else 1 with the cause as the last line on standard error or, `as_json`, in the last line.

    130 where the waiting was interrupted.
    """
    client = Client(socket)
    begin: float | None = None
    try:
        for event in client.up(name, timeout) if verb == "up" else client.down(name, timeout):
            if as_json:
                click.echo(json.dumps(event))
            if event["event"] == "end":
                return _end(event, verb, name, as_json)
            begin = event["at"] if begin is None else begin
            if not as_json:
                click.echo("\n".join(rungs(event, event["initiator"], begin, width())))
    except ControlError as error:
        click.echo(printable(str(error)), err=True)
        return 1
    except KeyboardInterrupt:
        ended = f"`ikevd down {name}` ends it" if verb == "up" else f"`ikevd up {name}` brings it back"
        click.echo(printable(f"ikevd goes on with it: {ended}, `ikevd status` shows it"), err=True)
        return INTERRUPTED
    click.echo("ikevd ended before it was done", err=True)
    return 1


def _end(event: dict[str, Any], verb: str, name: str, as_json: bool) -> int:
    if not as_json:
        text = f"{name} is {verb}" if event["ok"] else printable(event["cause"])
        click.echo(text, err=not event["ok"])
    return 0 if event["ok"] else 1
