"""What the store says about itself: which ikevd wrote it, where, and in which format."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import field
from enum import Enum

from ikevd.frozen import frozen
from ikevd.store.scalars import Unreadable
from ikevd.store.tables import ADDED, CREATE

Migration = Callable[[sqlite3.Connection], None]
"""From one format to the next; within the transaction that also writes the new format's number."""


@frozen
class Format:
    """Of the tables and of the records in them.

    A field or table that is only added leaves `number` and `oldest_reader` as they are: an older ikevd passes it over.
    Any other change is a new number, which is its own oldest reader, and a migration.
    """

    number: int = 1
    oldest_reader: int = 1
    """The lowest format whose ikevd can read this one."""
    migrations: Mapping[int, Migration] = field(default_factory=dict)
    """By the format that they begin with."""


FORMAT = Format()


@frozen
class Place:
    """Where a process runs, in so far as the kernel's SAs are those of that place."""

    boot: str | None
    """/proc/sys/kernel/random/boot_id; None where it cannot be read: then nothing of a former process is believed."""
    namespace: int | None
    """SO_NETNS_COOKIE; None before Linux 5.14: then the kernel's dump tells what stands."""


class Found(Enum):
    """What was there when the store was opened."""

    NOTHING = "nothing"
    PEERS = "peers"
    """Of this boot and network namespace."""
    OTHER_NAMESPACE = "other namespace"
    """Peers of this boot, but the kernel of this network namespace has none of their SAs."""
    OTHER_BOOT = "other boot"
    """Dropped: no SA of it stands any more."""
    OTHER_FORMAT = "other format"
    """Dropped: a newer ikevd wrote it, or one so old that nothing leads from there."""
    OTHER_SEAL = "other seal"
    """Dropped: it cannot be read with the `store_key` that is configured."""
    UNUSABLE = "unusable"
    """Made invalid, or it cannot be used at all: this process runs without a store."""


@frozen
class About:
    """The row that every format has."""

    format: int
    oldest_reader: int
    boot: str
    namespace: str
    """Decimal; empty: not known."""
    version: str
    """Of ikevd."""

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> About | None:
        """None for a store that was never written. Raises `Unreadable` and `sqlite3.Error`."""
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return None
        row = connection.execute("SELECT format, oldest_reader, boot, namespace, version FROM about").fetchone()
        if row is None or [type(value) for value in row] != [int, int, str, str, str]:
            raise Unreadable("it does not say what it is")
        return cls(*row)

    def write(self, connection: sqlite3.Connection) -> None:
        """In the place of what stood there. Raises `sqlite3.Error`."""
        connection.execute("DELETE FROM about")
        row = (self.format, self.oldest_reader, self.boot, self.namespace, self.version)
        connection.execute("INSERT INTO about VALUES (?, ?, ?, ?, ?)", row)

    def found(self, here: Place, format: Format) -> Found:
        """What this is for a process that runs here and writes that format."""
        if here.boot is None or self.boot != here.boot:
            return Found.OTHER_BOOT
        if self.oldest_reader > format.number or any(
            old not in format.migrations for old in range(self.format, format.number)
        ):
            return Found.OTHER_FORMAT
        known = bool(self.namespace) and here.namespace is not None
        return Found.OTHER_NAMESPACE if known and self.namespace != str(here.namespace) else Found.PEERS


def create(connection: sqlite3.Connection, about: About) -> None:
    """All tables, in the transaction of the caller. Raises `sqlite3.Error`."""
    connection.execute(
        "CREATE TABLE about (format INTEGER, oldest_reader INTEGER, boot TEXT, namespace TEXT, version TEXT)"
    )
    for statement in (*CREATE, *ADDED):
        connection.execute(statement)
    about.write(connection)


def migrate(connection: sqlite3.Connection, old: About, new: About, format: Format) -> None:
    """Step by step to the new format, in the transaction of the caller; what was placed in another network namespace is
    nothing here. Raises what a migration raises."""
    for number in range(old.format, format.number):
        format.migrations[number](connection)
    for statement in ADDED:
        connection.execute(statement)
    if new.namespace != old.namespace:
        connection.execute("DELETE FROM placed")
    new.write(connection)
