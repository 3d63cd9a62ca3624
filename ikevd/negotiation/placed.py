"""The store's list of what no record of a peer names: what the file alone asks for in the kernel, and what of an
earlier process is still to be turned or removed. Each is written before the kernel is changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ikevd.boot.blocks import gates
from ikevd.frozen import replace
from ikevd.host.links import Link, LinkAddress, Route, Thing
from ikevd.host.policies import KernelPolicy
from ikevd.negotiation.paced import FEW, paced
from ikevd.negotiation.ports import Ports
from ikevd.peer.links import all_links
from ikevd.policy.connection import Connection
from ikevd.policy.settings import Config
from ikevd.store.interface import Placed, PlacedPolicy

OUTSIDE, GATES, LEFT, LINKS, LINKS_LEFT = "outside", "gates of ", "left ", "interface of ", "interfaces left"
"""Names of its rows; those of what is left are numbered."""
IN_ONE_ROW, CHILDREN_IN_ONE_ROW = 100, 50
"""Objects that are left; children whose gates are asked for. So no row takes long to read or to write."""


class PlacedRows:
    """Written once at a start, when the file is read again, and as what is left goes."""

    def __init__(self, ports: Ports) -> None:
        self._store = ports.store
        self._trouble = ports.trouble
        self._rows = dict[str, Placed]()

    def read(self, rows: Mapping[str, Placed]) -> None:
        """The store holds these, says an earlier process."""
        self._rows = dict(rows)

    async def leave(self, left: Placed) -> None:
        """These are left, and no others any more. At no moment one of them is in no row."""
        former = [name for name in self._rows if name.startswith(LEFT)]
        free = 1 + max((_number(name) for name in former), default=0)
        async for number, row in paced(enumerate(_rows(left), start=free)):
            self._renew(f"{LEFT}{number}", row)
        async for name in paced(former):
            self._renew(name, None)

    async def ask_for(self, outside: Iterable[KernelPolicy], config: Config) -> None:
        """What the file asks for while no tunnel stands."""
        shall = set[str]()
        own = [connection.local for connection in config.connections if connection.local is not None]
        ends = tuple(dict.fromkeys((*config.listen.addresses, *own)))
        self._renew(OUTSIDE, replace(_named(outside), ends=ends))
        async for name, row in paced(_gates(config.connections), FEW):
            self._renew(name, row)
            shall.add(name)
        for connection in config.connections:
            if connection.interface is not None:
                self._renew(f"{LINKS}{connection.name}", placed_links(all_links(connection)))
                shall.add(f"{LINKS}{connection.name}")
        async for name in paced([name for name in self._rows if name.startswith((GATES, LINKS)) and name not in shall]):
            self._renew(name, None)

    def leave_links(self, left: Iterable[Thing]) -> None:
        """These interfaces, addresses and routes are left, and no others any more."""
        row = placed_links(left)
        self._renew(LINKS_LEFT, row if row.things else None)

    def _renew(self, name: str, row: Placed | None) -> None:
        if row == self._rows.get(name):
            return
        if said := self._store.place({name: row}):
            self._trouble(said)
        if row is None:
            self._rows.pop(name, None)
        else:
            self._rows[name] = row


def _named(policies: Iterable[KernelPolicy]) -> Placed:
    return Placed(tuple(PlacedPolicy(policy.id, policy.reqid) for policy in policies))


def placed_links(things: Iterable[Thing]) -> Placed:
    """Interfaces, addresses and routes alone."""
    found = tuple(things)
    return Placed(
        links=tuple(thing for thing in found if isinstance(thing, Link)),
        addresses=tuple(thing for thing in found if isinstance(thing, LinkAddress)),
        routes=tuple(thing for thing in found if isinstance(thing, Route)),
    )


def _gates(connections: Iterable[Connection]) -> Iterator[tuple[str, Placed]]:
    """In several rows where a connection has many children; the first row last, since it may hold them all so far."""
    for connection in connections:
        for first in reversed(range(0, max(1, len(connection.children)), CHILDREN_IN_ONE_ROW)):
            part = replace(connection, children=connection.children[first : first + CHILDREN_IN_ONE_ROW])
            name = f"{GATES}{connection.name}" + (f" from child {first} on" if first else "")
            yield name, _named(gates(part))


def _rows(left: Placed) -> Iterator[Placed]:
    for first in range(0, max(len(left.sas), len(left.policies)), IN_ONE_ROW):
        part = slice(first, first + IN_ONE_ROW)
        yield Placed(left.policies[part], left.sas[part], left.ends)


def _number(name: str) -> int:
    number = name.removeprefix(LEFT)
    return int(number) if number.isdecimal() else 0
