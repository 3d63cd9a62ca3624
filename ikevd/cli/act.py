"""`ikevd up` and `ikevd down`: progress as it happens, and the cause if it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ikevd.control.client import Client, ControlError
from ikevd.observe.ladder import rung
from ikevd.observe.text import printable


def act(verb: str, name: str, timeout: float, socket: Path) -> int:
    """Exit code 0 if done, else 1 with the cause as the last line on standard error."""
    client = Client(socket)
    begin: float | None = None
    try:
        for event in client.up(name, timeout) if verb == "up" else client.down(name, timeout):
            if event["event"] == "end":
                return _end(event, verb, name)
            begin = event["at"] if begin is None else begin
            click.echo(f"  {(event['at'] - begin) * 1000:9.1f} ms  {rung(event, event['initiator'])}")
    except ControlError as error:
        click.echo(printable(str(error)), err=True)
        return 1
    click.echo("ikevd ended before it was done", err=True)
    return 1


def _end(event: dict[str, Any], verb: str, name: str) -> int:
    if event["ok"]:
        click.echo(f"{name} is {verb}")
        return 0
    click.echo(printable(event["cause"]), err=True)
    return 1
