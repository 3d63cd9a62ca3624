"""Which connections a peer's address may belong to, whatever their number."""

from __future__ import annotations

from collections.abc import Sequence

from ikevd.addresses import Address, Path
from ikevd.policy.connection import Connection


class ByAddress:
    """The connections of the file, looked up by the endpoints of a first message."""

    def __init__(self, connections: Sequence[Connection]) -> None:
        self._exact: dict[Address, list[Connection]] = {}
        for connection in connections:
            if connection.remote is not None:
                self._exact.setdefault(connection.remote, []).append(connection)
        self._ranges = [(c.remote_range, c) for c in connections if c.remote_range is not None]
        self._any = [c for c in connections if c.remote is None and c.remote_range is None]

    def find(self, path: Path) -> tuple[Connection, ...]:
        """Those whose `remote` is this very address, then those whose range holds it, then those for any address, each
        in the order of the file; `local` must fit where it is given."""
        local, remote = path.local.address, path.remote.address
        ranges = [connection for addresses, connection in self._ranges if remote in addresses]
        found = (*self.exactly(remote), *ranges, *self._any)
        return tuple([one for one in found if one.local is None or one.local == local])

    def exactly(self, remote: Address) -> Sequence[Connection]:
        """Those whose `remote` is this very address, whatever their `local`."""
        return self._exact.get(remote, ())
