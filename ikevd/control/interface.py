"""The port to the daemon: what the server asks of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol

from ikevd.addresses import Address
from ikevd.control import reload_shapes, status_shapes
from ikevd.control.pace import Pace
from ikevd.errors import IkeError
from ikevd.observe.views import View
from ikevd.wording import Names

Progress = Callable[[View], None]
"""Called with each fact while a command is carried out."""


class UnknownName(IkeError):
    """No connection and no child has this name, or several have it."""


class NotAllowed(IkeError):
    """The configuration does not allow it."""


class TooMuch(IkeError):
    """What is asked for holds more evidence than one answer may."""


class Controller(Protocol):
    """What can be asked of a running daemon."""

    async def status(
        self, name: str | None, peer: Address | None, pace: Pace
    ) -> tuple[View, AsyncIterator[status_shapes.Connection]]:
        """What stands of the connection or child `name` or with `peer`: the fields of `status_shapes.Status`, and
        apart, with rests by `pace`, its connections. Raises `UnknownName`."""

    def names(self) -> Names:
        """Of connections and children."""

    async def trace(
        self, spi: str | None, connection: str | None, peer: str | None, last: int, *, decode: bool = False
    ) -> Iterator[View]:
        """The newest records that fit, oldest first, as views of `dissect.lazy`; with `decode` every message as a tree
        of its fields. Raises `TooMuch`."""

    async def capture(self, spi: str | None, connection: str | None, peer: str | None, last: int) -> Iterator[bytes]:
        """The messages of the newest records that fit as a pcap file, in pieces. Raises `TooMuch`."""

    async def keys(self, spi: str | None, connection: str | None, peer: str | None) -> list[str]:
        """A line of Wireshark's `ikev1_decryption_table` for each ISAKMP SA that stands and fits.

        Raises `NotAllowed` unless the configuration has `control.export_keys`.
        """

    def expect(self, name: str) -> None:
        """Raises `UnknownName` unless `name` says which children are meant."""

    async def up(self, name: str, progress: Progress) -> None:
        """Bring up a child, or all children of a connection; raises `IkeError` with the cause of the first failure.

        Cancelled when nobody waits any more; the daemon's own attempt goes on.
        """

    def expect_connection(self, name: str) -> None:
        """Raises `UnknownName` unless a connection has this name."""

    async def rekey(self, name: str, progress: Progress, *, phase1: bool = False) -> None:
        """Negotiate a child anew, or all of a connection that are up and its ISAKMP SA, while what stands carries on;
        `phase1`: the ISAKMP SA also for a child. Raises and cancelled as `up`."""

    async def reset(self, name: str, progress: Progress) -> None:
        """End all with the peers of a connection at once; returns when what was wanted is up again. Raises and
        cancelled as `up`."""

    async def reload(self, *, dry_run: bool) -> reload_shapes.Reload:
        """Read the file again and carry out what it changes, or (`dry_run`) only tell it. Returns once that is begun:
        each gate stands, each peer is told; negotiations go on. Raises `IkeError` where it cannot be carried out."""

    async def down(self, name: str | None, progress: Progress, *, in_clear: bool = False) -> None:
        """Take down a child, or a connection with its ISAKMP SAs, or all (None); returns when the kernel holds nothing
        of it but the block that keeps its traffic from leaving in the clear, and with `in_clear` not even that."""
