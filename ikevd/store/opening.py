"""Opening the store at start: whose it is, what it holds, and whether that is still true here."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from ikevd.crypto.secret import Secret
from ikevd.files import open_private
from ikevd.frozen import frozen
from ikevd.obstacles import obstacle
from ikevd.store.about import FORMAT, About, Format, Found, Place, create, migrate
from ikevd.store.interface import NoStore, Store
from ikevd.store.scalars import Unreadable
from ikevd.store.seal import OtherSeal, make_seal, open_seal
from ikevd.store.sqlite import FLAWS, SqliteStore, connect, remove, told, transaction, without
from ikevd.store.volatile import disk_of

_CURE = "wanted a runtime_directory on tmpfs, such as one in /run, or a store_key, under which it is sealed"
DROPPED = (Found.OTHER_BOOT, Found.OTHER_FORMAT, Found.OTHER_SEAL)


@frozen
class Opened:
    """A store, and what was there."""

    store: Store
    found: Found
    said: str | None = None
    """A sentence for the log."""


def open_store(
    path: Path,
    here: Place,
    version: str,
    format: Format = FORMAT,
    *,
    key: Secret | None = None,
    on_disk: bool = False,
) -> Opened:
    """Open the store, or make it. Never raises for what is there: then it says so and this process runs without.

    The lock of the runtime folder is the caller's, so that no other ikevd has the file open. Without `key`,
    under which all is sealed, it is only kept in memory (tmpfs): elsewhere the keys of ISAKMP SAs would stay behind
    when the machine is off (`on_disk`: they may, as in tests).
    """
    try:
        if key is None and not on_disk and (disk := disk_of(path.parent)):
            return _none(f"the store {path} is not used: {path.parent} is on {disk}, where keys would stay; {_CURE}")
        os.close(open_private(path, 0))
    except ValueError as flaw:
        return _none(f"the store {path} is not used: {flaw}")
    except OSError as error:
        return _none(str(obstacle("the store", path, error)))
    try:
        return _opened(path, here, version, format, key)
    except FLAWS as error:
        reason = told(error, path)
    return _none(without(path, f"it cannot be used: {reason}"))


def _none(said: str) -> Opened:
    return Opened(NoStore(said), Found.UNUSABLE, said)


def _opened(path: Path, here: Place, version: str, format: Format, key: Secret | None) -> Opened:
    with closing(connect(path)) as connection:
        about = About.read(connection)
        other_seal = _other_seal(connection, key) if about else None
    now = About(format.number, format.oldest_reader, here.boot or "", str(here.namespace or ""), version)
    if about is None:
        return Opened(_ready(path, None, now, format, key), Found.NOTHING)
    found = about.found(here, format)
    if found not in DROPPED and other_seal:
        found = Found.OTHER_SEAL
    if found in DROPPED:
        _make_empty(path)
        return Opened(_ready(path, None, now, format, key), found, _dropped(about, found, path, here, other_seal))
    return Opened(_ready(path, about, now, format, key), found, _kept(about, found, path, format))


def _other_seal(connection: sqlite3.Connection, key: Secret | None) -> str | None:
    """Why what is there cannot be read with this key."""
    try:
        open_seal(connection, key)
    except OtherSeal as other:
        return str(other)
    return None


def _make_empty(path: Path) -> None:
    if hindrance := remove(path):
        raise Unreadable(hindrance)
    os.close(open_private(path, 0))


def _ready(path: Path, old: About | None, now: About, format: Format, key: Secret | None) -> SqliteStore:
    """With the tables of the present format, which say that they are of this process's place."""
    connection = connect(path)
    try:
        with transaction(connection):
            if old is None:
                create(connection, now)
                seal = make_seal(connection, key)
            else:
                migrate(connection, old, now, format)
                seal = open_seal(connection, key)
    except BaseException:
        connection.close()
        raise
    return SqliteStore(connection, path, seal)


def _kept(about: About, found: Found, path: Path, format: Format) -> str | None:
    said = []
    if about.format < format.number:
        said.append(f"it had format {about.format} of ikevd {about.version} and now has format {format.number}")
    if found is Found.OTHER_NAMESPACE:
        said.append("its peers are of another network namespace, where their IPsec SAs stayed")
    return f"the store {path}: {'; '.join(said)}" if said else None


def _dropped(about: About, found: Found, path: Path, here: Place, other_seal: str | None) -> str:
    if found is Found.OTHER_SEAL and other_seal:
        reason = other_seal
    elif found is Found.OTHER_FORMAT:
        reason = f"its format {about.format} is that of ikevd {about.version}, which this one cannot read"
    elif here.boot is None:
        reason = "/proc/sys/kernel/random/boot_id cannot be read, so that it may be older than this machine's start"
    else:
        reason = "it is older than this machine's start"
    return f"what the store {path} held is dropped: {reason}"
