"""The key under which the store is sealed: read as a pre-shared key is, but it never stands in the file itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ikevd import owners
from ikevd.config import secrets
from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection
from ikevd.crypto.secret import Secret

AT = ("store_key",)
OCTETS = 32
"""At least: it has no lock that slows down who tries all keys."""
WANTED = "{file: NAME}, {env: NAME} or {credential: NAME}"


def find_store_key(
    problems: Problems, file: FileSection, folder: Path, environ: Mapping[str, str], account: owners.Account
) -> Secret | None:
    """`folder`: of the configuration file."""
    source = file.store_key
    if source is None:
        return None
    if isinstance(source, secrets.Inline):
        problems.error(
            AT, f"stands in the file itself; wanted {WANTED}, on another medium than {file.runtime_directory}"
        )
        return None
    try:
        found = secrets.find(source, folder, environ, None, account)
    except ValueError as error:
        problems.error(AT, str(error))
        return None
    if len(found.key) < OCTETS:
        problems.error(AT, f"is shorter than {OCTETS} octets; wanted as many of chance (`ikevd genpsk` makes them)")
    elif isinstance(source, secrets.FromFile) and _one_disk(folder / source.path, file.runtime_directory):
        problems.warn(
            AT,
            f"{folder / source.path} is on the same disk as {file.runtime_directory}: who has the one has the other; "
            "wanted a key on another medium, or a credential that systemd decrypts",
        )
    return found.key


def _one_disk(key: Path, runtime: Path) -> bool:
    """The runtime folder may not be there yet."""
    there = next(folder for folder in (runtime, *runtime.parents) if folder.exists())
    return os.stat(key).st_dev == os.stat(there).st_dev
