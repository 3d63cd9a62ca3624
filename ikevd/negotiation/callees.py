"""Where a peer is called: at its address, or at the first of several places, or names, that can be called.

Nobody else knows of places. The session waits for no name: its phase 1 is under way, and begins once `names` has an
answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from ikevd.addresses import Address, Path
from ikevd.errors import Abandoned, IkeError
from ikevd.negotiation import phase1
from ikevd.negotiation.ports import Ports
from ikevd.path_findings import NameUnknown
from ikevd.peer.due import serves
from ikevd.peer.state import PeerState
from ikevd.policy.connection import Connection


class Callee:
    """The peer of one session."""

    __slots__ = ("_connection", "_ports", "_turn")

    def __init__(self, connection: Connection, ports: Ports) -> None:
        self._connection = connection
        self._ports = ports
        self._turn = 0
        """Of its places: how often one has failed, or not been there."""

    def reload(self, connection: Connection) -> None:
        """The file was read again. Where it has the same places, the one that worked last has its turn on."""
        if connection.places != self._connection.places:
            self._turn = 0
        self._connection = connection

    def path(self, state: PeerState) -> Path | None:
        """The endpoints of our next first message. None: a name is being asked for. Raises `IkeError` where there is no
        way to the peer."""
        connection = self._connection
        if connection.anybody:
            raise Abandoned("the connection has `remote: any`: only the peer can initiate it")
        if connection.remote is not None:
            return phase1.path_to(connection.remote, connection, self._ports)
        if (there := _alive(state)) and not connection.first_place:  # no answer moves what is alive
            return phase1.path_to(there, connection, self._ports)
        addresses = self._addresses()
        return None if addresses is None else self._first_way(addresses)

    def has_way(self, state: PeerState) -> bool:
        """Can a first message leave, as far as addresses and routes of this machine tell?"""
        try:
            return self.path(state) is not None
        except IkeError:
            return False

    def failed(self) -> None:
        """A phase 1 of ours came to nothing: the next place has its turn."""
        self._turn += 1

    def up(self) -> None:
        """It ended well."""
        if self._connection.first_place:
            self._turn = 0

    def _addresses(self) -> Sequence[Address] | None:
        """All of its places. None: not all are known yet."""
        found, problem, waits = list[Address](), ("", ""), False
        for place in self._connection.places:
            if not isinstance(place, str):
                found.append(place)
            elif (answer := self._ports.names.fresh(place)) is None:
                waits = True
            else:
                found += answer.addresses
                problem = problem if answer.addresses else (place, answer.problem or "it has none")
        if waits:
            return None
        local = self._connection.local
        fitting = [one for one in dict.fromkeys(found) if local is None or one.version == local.version]
        if not fitting:
            name, why = problem if problem[0] else (str(self._connection.places[0]), "none of the IP version of local")
            raise Abandoned(NameUnknown(name, why))
        return fitting

    def _first_way(self, addresses: Sequence[Address]) -> Path:
        """Beginning with the one whose turn it is."""
        turn, refusal = self._turn % len(addresses), Abandoned("")
        for remote in (*addresses[turn:], *addresses[:turn]):
            try:
                return phase1.path_to(remote, self._connection, self._ports)
            except Abandoned as error:
                refusal = error
        raise refusal


def _alive(state: PeerState) -> Address | None:
    """Where the newest ISAKMP SA that serves has the peer."""
    newest_first = reversed(tuple(state.isakmp.values()))
    return next((known.path.remote.address for known in newest_first if serves(known)), None)
