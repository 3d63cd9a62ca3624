"""`ikevd check`: what is wrong with a configuration file, and what deserves a second look."""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import click

from ikevd import owners
from ikevd.addresses import Endpoint
from ikevd.config.load import Loaded, load
from ikevd.config.surroundings import Surroundings
from ikevd.errors import ConfigError
from ikevd.frozen import replace
from ikevd.kernel import nat_tables, surroundings
from ikevd.policy.settings import Config
from ikevd.transport.holder import stranger_at

OK, FAILED = 0, 1
EVERY = (IPv4Address(0), IPv6Address(0))
"""Where nothing is listed: every address of this machine."""


def check_config(path: Path) -> int:
    """Print every problem, one a line; exit code 0 or 1."""
    account = owners.Account.owner_of(path)
    try:
        loaded = load(path, os.environ, account, _surroundings())
    except ConfigError as error:
        click.echo(str(error), err=True)
        return FAILED
    click.echo(f"{path}: ok, {_counted(loaded)}")
    for warning in (*_doubts_of_place(path, account), *_doubts_of_ports(path, loaded.config), *loaded.warnings):
        click.echo(f"warning: {warning}")
    for form in loaded.secrets:
        click.echo(form)
    return OK


def _surroundings() -> Surroundings | None:
    known = surroundings.read()
    return replace(known, nat=nat_tables.read(), lacks_nft=nat_tables.lacks_nft()) if known else None


def _counted(loaded: Loaded) -> str:
    children = sum(len(connection.children) for connection in loaded.config.connections)
    peers = len(loaded.config.connections)
    return f"{peers} connection{'' if peers == 1 else 's'}, {children} {'child' if children == 1 else 'children'}"


def _doubts_of_ports(path: Path, config: Config) -> Iterator[str]:
    """Once for each process that holds any."""
    addresses = config.listen.addresses or EVERY
    sockets = [
        Endpoint(address, port) for port in (config.listen.port, config.listen.nat_port) for address in addresses
    ]
    held = [(one, stranger_at(one.address, one.port)) for one in sockets]
    for holder in dict.fromkeys(name for _, name in held if name):
        taken = ", ".join(str(one) for one, name in held if name == holder)
        yield f"{path}:1:1: listen: {holder} holds UDP {taken}: ikevd cannot start while it does; stop that first"


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
