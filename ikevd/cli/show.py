"""`ikevd status` and `ikevd trace`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ikevd.cli.terminal import width
from ikevd.control.client import Client, ControlError
from ikevd.observe.ladder import ladder
from ikevd.observe.text import printable


def show_status(socket: Path, name: str | None, peer: str | None, as_json: bool, wide: bool) -> int:
    """What stands; exit code 1 where nothing fits."""
    try:
        status = Client(socket).status(name=name, peer=peer)
    except ControlError as error:
        click.echo(printable(str(error)), err=True)
        return 1
    if as_json:
        click.echo(json.dumps(status, indent=2))
    elif peer and not status["connections"]:
        click.echo(f"no connection with the peer {peer}", err=True)
    else:
        from ikevd.cli.screen import ANY_WIDTH, show

        show(status, ANY_WIDTH if wide else width())
    return 0 if status["connections"] or not peer else 1


def show_trace(socket: Path, as_json: bool, **filters: Any) -> int:
    """The ladders that fit, oldest first."""
    try:
        records = Client(socket).trace(**filters)
    except ControlError as error:
        click.echo(printable(str(error)), err=True)
        return 1
    if as_json:
        click.echo(json.dumps({"schema": 1, "records": records}, indent=2))
    elif records:
        click.echo("\n\n".join(ladder(record, width()) for record in records))
    else:
        click.echo("no negotiation on record fits", err=True)
        return 1
    return 0
