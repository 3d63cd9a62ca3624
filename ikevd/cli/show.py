"""`ikevd status` and `ikevd trace`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ikevd.cli.paint import echo
from ikevd.cli.terminal import width
from ikevd.control.client import Client, ControlError
from ikevd.text import printable

NOT_UP = 3
"""Of `ikevd status NAME`, as of `systemctl is-active`."""


def show_status(socket: Path, name: str | None, peer: str | None, as_json: bool, wide: bool, config: bool) -> int:
    """What stands; exit code 1 where nothing fits, `NOT_UP` where not all that is named is up."""
    try:
        status = Client(socket).status(name=name, peer=peer)
    except ControlError as error:
        click.echo(printable(str(error)), err=True)
        return 1
    if as_json:
        click.echo(json.dumps(status, indent=2))
    elif peer and not status["connections"] and not status["refused"]:
        click.echo(f"no connection with the peer {peer}", err=True)
    else:
        from ikevd.cli.screen import ANY_WIDTH, show

        show(status, ANY_WIDTH if wide else width(), config=config)
    if peer and not status["connections"] and not status["refused"]:
        return 1
    return 0 if name is None or _is_up(status) else NOT_UP


def _is_up(status: dict[str, Any]) -> bool:
    """All of it, and at least one child."""
    states = {child["state"] for connection in status["connections"] for child in connection["children"]}
    return states == {"up"}


def show_trace(socket: Path, name: str | None, as_json: bool, **filters: Any) -> int:
    """The ladders that fit, oldest first; those that failed alike in one."""
    try:
        records = Client(socket).trace(connection=name, **filters)
    except ControlError as error:
        click.echo(printable(str(error)), err=True)
        return 1
    if as_json:
        click.echo(json.dumps({"schema": 1, "records": records}, indent=2))
    elif records:
        from ikevd.observe.folding import folded_failures
        from ikevd.observe.ladder import ladder

        runs = folded_failures(records, filters["last"])
        echo("\n\n".join(ladder(record, width(), alike) for record, alike in runs))
    else:
        click.echo(printable(_nothing(name, **filters)), err=True)
        return 1
    return 0


def _nothing(name: str | None, *, spi: str | None = None, peer: str | None = None, **_: object) -> str:
    """Every name is known here, or the daemon would have said so."""
    asked = [f"of {name}"] * bool(name) + [f"with {peer}"] * bool(peer) + [f"with the SPI {spi}"] * bool(spi)
    return " ".join(["no negotiation", *asked, "is on record yet"])
