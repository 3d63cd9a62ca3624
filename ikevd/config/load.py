"""Reads the configuration file: YAML, then the schema, then the checks, then secrets; all problems at once."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import field
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ikevd import files, owners
from ikevd.config import hook_doubts, own_addresses, secrets, unknown_keys, yaml_locations
from ikevd.config.build import build
from ikevd.config.checks import check, check_names
from ikevd.config.problems import Problems
from ikevd.config.rivals import warn_of_group_keys, warn_of_many_secrets
from ikevd.config.schema import FileSection, section_at
from ikevd.config.secret_doubts import is_utf16
from ikevd.config.store_key import find_store_key
from ikevd.config.surroundings import Surroundings
from ikevd.config.typography import plain
from ikevd.config.yaml_locations import TOP, Located, YamlError, YamlPath
from ikevd.crypto.secret import Secret
from ikevd.errors import ConfigError
from ikevd.frozen import frozen
from ikevd.policy.connection import PreSharedKey
from ikevd.policy.settings import Config

MAX_FILE = 16 * 1024 * 1024


@frozen
class Loaded:
    """A configuration that can be used, and what somebody should look at in it."""

    config: Config
    warnings: tuple[str, ...]
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Length and form of each connection's key, for the operator's screen; for no log."""
    fixed: tuple[str, ...] = ()
    """The connections whose keys are those of the start, however often the file is read: systemd's credentials and
    environment variables do not change while a process runs."""


def load(
    path: Path, environ: Mapping[str, str], account: owners.Account | None = None, known: Surroundings | None = None
) -> Loaded:
    """Read a configuration file and the secrets that it names.

    `account`: whom the daemon runs as; None: us. `known`: of this machine, against which `ikevd check` holds the file.

    Raises ConfigError, whose `problems` are all that is wrong, as `FILE:LINE:COLUMN: path: what came; what is wanted`.
    Neither they, nor the warnings, nor the `repr` of what is returned hold a secret.
    """
    account = account or owners.Account.current()
    text, exposed = _read(path, account)
    try:
        located = yaml_locations.read(text)
    except YamlError as error:
        raise ConfigError((f"{path}:{error.mark.line}:{error.mark.column}: {error}",)) from None
    problems = Problems(str(path), located)
    if stranger := owners.intruder(path, account):
        problems.error_at((), TOP, stranger)
    for where, mark, message in located.problems:
        problems.error_at(where, mark, message)
    located.data = plain(problems, located.data)
    file = _validate(problems, located)
    found: dict[str, secrets.Found] = {}
    sources: dict[str, secrets.Source] = {}
    store_key: Secret | None = None
    if file is not None:
        file = own_addresses.resolved(file)
        check(problems, file, known)
        sources = _sources(file, located.data)
        found = _find(problems, sources, path.parent, environ, exposed, account)
        keys = {name: one.key for name, one in found.items()}
        warn_of_many_secrets(problems, file, keys)
        warn_of_group_keys(problems, file, keys)
        hook_doubts.doubt(problems, file, account)
        store_key = find_store_key(problems, file, path.parent, environ, account)
    if problems.errors:
        raise ConfigError(problems.errors)
    assert file is not None  # `_validate` returned None only with an error
    forms = tuple(f"connections.{name}.psk: {one.form.description}" for name, one in found.items())
    fixed = tuple(name for name, source in sources.items() if isinstance(source, secrets.FIXED))
    return Loaded(build(problems, file, _keys(problems, found), store_key), problems.warnings, forms, fixed)


def _read(path: Path, account: owners.Account) -> tuple[str, str | None]:
    """The text, and why the file cannot hold a secret (None: it can)."""
    try:
        descriptor = files.open_regular(path)
    except ValueError as error:
        raise ConfigError((f"{path}:1:1: {error}",)) from None
    with open(descriptor, "rb") as file:
        exposed = owners.exposure(path, os.fstat(descriptor), account)
        try:
            octets = file.read(MAX_FILE + 1)
        except OSError as error:
            raise ConfigError((f"{path}:1:1: the file cannot be read: {error.strerror}",)) from None
    if len(octets) > MAX_FILE:
        raise ConfigError((f"{path}:1:1: the file is larger than {MAX_FILE // 1024**2} MiB",))
    if is_utf16(octets):
        raise ConfigError((f"{path}:1:1: the file is in UTF-16; wanted a text in UTF-8",))
    try:
        return octets.decode("utf-8-sig"), exposed
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        octet = error.object[error.start]
    raise ConfigError((f"{path}:{line}:{column}: the octet 0x{octet:02x} is not UTF-8; wanted a text in UTF-8",))


def _validate(problems: Problems, located: Located) -> FileSection | None:
    """The file against the schema. After an error: those parts that are right, so that they can be checked too."""
    data = located.data
    if data is None:
        problems.error((), "the file is empty; wanted at least `connections:`")
        return None
    if not isinstance(data, dict):
        problems.error((), f"the file {_kind(data)}; wanted a mapping that begins with `connections:`")
        return None
    check_names(problems, data)
    try:
        return FileSection.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    misnamed = {meant for detail in details if (meant := _meant(detail))}
    failed = {_report(problems, data, detail, misnamed) for detail in details}
    rest = {key: value for key, value in data.items() if (key,) not in failed}
    connections = rest.get("connections")
    if isinstance(connections, dict):
        rest["connections"] = {name: part for name, part in connections.items() if ("connections", name) not in failed}
    else:
        rest["connections"] = {}
    return FileSection.model_validate(rest)


def _meant(detail: ErrorDetails) -> YamlPath | None:
    """The path that was meant by an unknown key in its own section."""
    path = tuple(detail["loc"])
    found = unknown_keys.meant(path) if detail["type"] == "extra_forbidden" else None
    return (*path[:-1], found[1]) if found and found[0] is section_at(path[:-1]) else None


def _report(problems: Problems, data: object, detail: ErrorDetails, misnamed: Collection[YamlPath]) -> YamlPath:
    """One of pydantic's errors in plain words. Returns the path of the smallest part that can be checked no more."""
    path = tuple(detail["loc"])
    match detail["type"]:
        case "missing" if path in misnamed:
            pass  # told at the key that stands in its place
        case "missing":
            section = section_at(path[:-1])
            wanted = section.model_fields[str(path[-1])].description if section else None
            problems.error(path[:-1], f"has no {path[-1]}; wanted {wanted}", at_key=True)
        case "extra_forbidden":
            problems.error(path, unknown_keys.sentence(path), at_key=True)
        case "value_error":
            problems.error(path, str(detail["ctx"]["error"]))
        case _:
            problems.error(path, f"{_kind(_value_at(data, path))}; wanted a mapping (`key: value`)")
    return path[:2] if path[0] == "connections" else path[:1]


def _kind(value: object) -> str:
    match value:
        case None:
            return "has no value"
        case list():
            return "is a list"
        case dict():
            return "is a mapping"
        case _:
            return "is a single value"  # not shown: it may be a secret in the wrong place


def _value_at(data: object, path: YamlPath) -> object:
    for part in path:  # no section stands in a list
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _sources(file: FileSection, data: object) -> dict[str, secrets.Source]:
    """Where each connection's key comes from, also for connections that have errors elsewhere."""
    sources = {name: connection.psk for name, connection in file.connections.items()}
    connections = data.get("connections") if isinstance(data, dict) else None
    for name, section in connections.items() if isinstance(connections, dict) else ():
        if name not in sources and isinstance(section, dict) and "psk" in section:
            try:
                sources[name] = secrets.parse(section["psk"])
            except ValueError:
                pass  # reported by the schema
    return sources


def _find(
    problems: Problems,
    sources: Mapping[str, secrets.Source],
    folder: Path,
    environ: Mapping[str, str],
    exposed: str | None,
    account: owners.Account,
) -> dict[str, secrets.Found]:
    found = {}
    for name, source in sources.items():
        path = ("connections", name, "psk")
        try:
            found[name] = secrets.find(source, folder, environ, exposed, account)
        except ValueError as error:
            problems.error(path, str(error))
            continue
        if doubt := found[name].doubt or found[name].form.weakness:
            problems.warn(path, doubt)
        if isinstance(source, secrets.Inline) and path in problems.located.commented:
            problems.warn(
                path,
                "ends before a comment: in YAML ' #' begins one, and what follows is no part of the key; if it should "
                "be, put the whole key in quotes",
            )
    return found


def _keys(problems: Problems, found: Mapping[str, secrets.Found]) -> dict[str, PreSharedKey]:
    return {
        name: PreSharedKey(one.key, f"{problems.location(('connections', name, 'psk'))} ({one.origin})")
        for name, one in found.items()
    }
