"""`ikevd check`: what is wrong with a configuration file, and what deserves a second look."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from ikevd import owners
from ikevd.config.load import Loaded, load
from ikevd.errors import ConfigError
from ikevd.kernel import surroundings

OK, FAILED = 0, 1


def check_config(path: Path) -> int:
    """Print every problem, one a line; exit code 0 or 1."""
    account = owners.Account.owner_of(path)
    try:
        loaded = load(path, os.environ, account, surroundings.read())
    except ConfigError as error:
        click.echo(str(error), err=True)
        return FAILED
    click.echo(f"{path}: ok, {_counted(loaded)}")
    for warning in (*_doubts_of_place(path, account), *loaded.warnings):
        click.echo(f"warning: {warning}")
    for form in loaded.secrets:
        click.echo(form)
    return OK


def _counted(loaded: Loaded) -> str:
    children = sum(len(connection.children) for connection in loaded.config.connections)
    peers = len(loaded.config.connections)
    return f"{peers} connection{'' if peers == 1 else 's'}, {children} {'child' if children == 1 else 'children'}"


def _doubts_of_place(path: Path, account: owners.Account) -> Iterator[str]:
    if account != owners.Account.current():
        yield (
            f"{path}:1:1: belongs to {account}; it was checked as for a daemon that runs as {account}, and one that "
            "runs as root refuses it"
        )
    if folder := owners.sticky_folder(path):
        yield (
            f"{path}:1:1: lies below {folder}, where everybody may make a file of this name while there is none; "
            "wanted a folder of root's, for example /etc/ikevd"
        )
