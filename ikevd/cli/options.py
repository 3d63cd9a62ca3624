"""Options and arguments that several commands have, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from pathlib import Path
from typing import Any

import click

from ikevd.cli.paths import CONFIG, SOCKET

config_option = click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=CONFIG,
    envvar="IKEVD_CONFIG",
    show_default=True,
    help="The configuration file.",
)
socket_option = click.option(
    "--socket",
    type=click.Path(path_type=Path),
    default=SOCKET,
    envvar="IKEVD_SOCKET",
    show_default=True,
    help="The control socket of the running daemon.",
)


def _seconds(_context: click.Context, _parameter: click.Parameter, value: float) -> float:
    """`nan` is in no range, nor outside of one."""
    if isnan(value):
        raise click.BadParameter("wanted a number of seconds")
    return value


timeout_option = click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 3600),
    default=60,
    show_default=True,
    callback=_seconds,
    help="How long to wait.",
)


def _checked(name: str, value: str | None, read: Callable[[str, str], object]) -> str | None:
    """A filter that could never fit is wrong usage, not an empty answer."""
    from ikevd.control.query import WrongParameter

    try:
        return None if value is None else str(read(name, value))
    except WrongParameter as error:
        raise click.BadParameter(str(error)) from None


def an_spi(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """A cookie, a pair of them or an ESP SPI, or its beginning."""
    from ikevd.control.query import read_spi

    return _checked("it", value, read_spi)


def _address(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    from ikevd.control.query import read_address

    return _checked("it", value, read_address)


def a_name(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Of a connection or child."""
    if value == "":
        raise click.BadParameter("it is empty, wanted the name of a connection or child")
    return value


def names(context: click.Context, _: click.Parameter, incomplete: str) -> Any:
    """Those of the running daemon, or of the file."""
    from ikevd.cli import complete

    return complete.names(context, incomplete)


peer_option = click.option("--peer", metavar="ADDRESS", callback=_address, help="Only this peer.")
json_lines_option = click.option("--json", "as_json", is_flag=True, help="Each fact as a line of JSON (docs/json.md).")
spi_option = click.option(
    "--spi",
    metavar="HEX",
    callback=an_spi,
    help="Only the negotiation with this cookie, pair or ESP SPI (or its beginning).",
)
filters = (
    spi_option,
    click.option(
        "--connection", metavar="NAME", callback=a_name, shell_complete=names, help="Only this connection or child."
    ),
    peer_option,
)


def filter_options(command: Any) -> Any:
    """--spi, --connection and --peer."""
    for option in reversed(filters):
        command = option(command)
    return command
