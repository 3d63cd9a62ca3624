"""Updown programs as they are on this machine: doubts of `ikevd check`. The daemon runs none that has a flaw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ikevd import owners
from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection
from ikevd.config.schema_connection import ConnectionSection
from ikevd.config.yaml_locations import YamlPath

WITHOUT_PROGRAM = ("updown_timeout", "updown_after_restart", "hook_capabilities")


def doubt(problems: Problems, file: FileSection, account: owners.Account) -> None:
    """`account`: whom the daemon runs as."""
    for name, connection in file.connections.items():
        path: YamlPath = ("connections", name)
        for at, command in _commands(path, connection):
            if flaw := owners.program_flaw(Path(command[0]), account):
                problems.warn(at, f"{flaw}; as it is, it is not run, and tunnels come and go without it")
        if not any(command for _, command in _commands(path, connection)):
            for key in WITHOUT_PROGRAM:
                if key in connection.model_fields_set:
                    problems.warn((*path, key), "has no effect: neither the connection nor a child has an updown")


def _commands(path: YamlPath, connection: ConnectionSection) -> Iterator[tuple[YamlPath, tuple[str, ...]]]:
    if connection.updown:
        yield (*path, "updown"), connection.updown
    for name, child in connection.children.items():
        if child.updown:
            yield (*path, "children", name, "updown"), child.updown
