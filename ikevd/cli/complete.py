"""Shell completion: names of connections and children, from the running daemon or else from the configuration file.

It runs at every press of the key, so it asks once, waits briefly and is silent about every failure.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from ikevd.cli.paths import CONFIG, SOCKET
from ikevd.control.client import Client, ControlError
from ikevd.wording import Names, names_of_children

PATIENCE = 1.0
"""Seconds that a press of the key may take."""


def names(context: click.Context, incomplete: str) -> list[CompletionItem]:
    """Connections, children, and connection/child where several children have one name or a slash is typed."""
    known = _of_daemon(context.params.get("socket") or SOCKET) or _of_file(_config(context))
    children = [(child, connection) for connection, its in known.items() for child in names_of_children(its)]
    times = Counter(child for child, _ in children)
    found = dict.fromkeys(known, "connection")
    for child, connection in children:
        if times[child] == 1:
            found.setdefault(child, f"child of {connection}")
        if times[child] > 1 or incomplete.startswith(f"{connection}/"):
            found[f"{connection}/{child}"] = f"child of {connection}"
    return [CompletionItem(name, help=text) for name, text in found.items() if name.startswith(incomplete)]


def _config(context: click.Context) -> Path:
    given: Path | None = context.params.get("config")
    return given or Path(os.environ.get("IKEVD_CONFIG", CONFIG))


def _of_daemon(socket: Path) -> Names:
    try:
        return Client(socket).names(PATIENCE)
    except (ControlError, KeyError):
        return {}


def _of_file(path: Path) -> Names:
    """As the file names them: without what several subnets make of one child. Nothing is checked."""
    from ikevd.config.yaml_locations import read

    try:
        file: Any = read(path.read_text()).data
        return {str(name): {str(child): [] for child in _children(its)} for name, its in file["connections"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # UnicodeError and YamlError are ValueErrors
        return {}


def _children(connection: Any) -> list[Any]:
    children = connection.get("children") if isinstance(connection, dict) else None
    return list(children) if isinstance(children, dict) else []


def script(command: click.Command, shell: str) -> str:
    """What the shell must read so that it completes `command` under the name of ikevd."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.BadParameter(f"no completion for {shell}")
    return kind(command, {}, "ikevd", "_IKEVD_COMPLETE").source()
