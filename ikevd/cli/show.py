"""`ikevd status` and `ikevd trace`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from ikevd.control.client import Client, ControlError
from ikevd.observe.ladder import ladder
from ikevd.observe.text import printable

View = dict[str, Any]


def show_status(socket: Path, as_json: bool) -> int:
    """Everything that stands."""
    try:
        status = Client(socket).status()
    except ControlError as error:
        click.echo(printable(str(error)), err=True)
        return 1
    click.echo(json.dumps(status, indent=2) if as_json else "\n".join(map(printable, _status(status))))
    return 0


def show_trace(socket: Path, as_json: bool, **filters: Any) -> int:
    """The ladders that fit, oldest first."""
    try:
        records = Client(socket).trace(**filters)
    except ControlError as error:
        click.echo(printable(str(error)), err=True)
        return 1
    if as_json:
        click.echo(json.dumps(records, indent=2))
    elif records:
        click.echo("\n\n".join(ladder(record) for record in records))
    else:
        click.echo("no negotiation on record fits", err=True)
        return 1
    return 0


def _status(status: View) -> Iterator[str]:
    uptime = timedelta(seconds=round(status["uptime_seconds"]))
    yield f"ikevd {status['version']}, pid {status['pid']}, up {uptime}, listening on {', '.join(status['listening'])}"
    if status["half_open"]:
        yield f"{status['half_open']} negotiations whose peer is not authenticated yet"
    for connection in status["connections"]:
        yield ""
        yield from _connection(connection)


def _connection(connection: View) -> Iterator[str]:
    state = "negotiating" if connection["negotiating"] else ""
    yield f"{connection['name']}  {connection['local']} ── {connection['remote']}  {state}".rstrip()
    for isakmp in connection["isakmp"]:
        role = "initiator" if isakmp["initiator"] else "responder"
        yield f"  ISAKMP SA {isakmp['cookies']} with {isakmp['remote_id']}, we are {role}"
        yield f"    {isakmp['suite']}, ends in {timedelta(seconds=isakmp['expires_in_seconds'])}"
    if not connection["isakmp"]:
        yield "  no ISAKMP SA"
    for child in connection["children"]:
        yield from _child(child)


def _child(child: View) -> Iterator[str]:
    yield f"  {child['name']}  {child['local']} === {child['remote']}  {child['state'].upper()}"
    if child["last_cause"]:
        yield f"    last cause: {child['last_cause']}"
    if child["retry_in_seconds"] is not None:
        yield f"    next attempt in {child['retry_in_seconds']:g} s"
    for sa in child["sas"]:
        yield f"    {sa['suite']}, ends in {timedelta(seconds=sa['expires_in_seconds'])}"
        yield f"    in  {sa['spi_in']}  {sa['packets_in']:>10} packets  {sa['bytes_in']:>14} bytes"
        yield f"    out {sa['spi_out']}  {sa['packets_out']:>10} packets  {sa['bytes_out']:>14} bytes"
