"""The sessions of one daemon: of each connection the one peer that it names, or all that have come from anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence

from ikevd.addresses import Endpoint
from ikevd.errors import Abandoned, LimitReached
from ikevd.frozen import replace
from ikevd.negotiation.contacts import Contacts
from ikevd.negotiation.dismissed import former_connection
from ikevd.negotiation.held import HeldSelectors
from ikevd.negotiation.instances import Instances
from ikevd.negotiation.paced import paced
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.router import Authenticated, Router
from ikevd.negotiation.session import Session
from ikevd.negotiation.standby import Standby
from ikevd.peer import clients, facts
from ikevd.peer.child_state import ChildState
from ikevd.peer.restart import owed
from ikevd.peer.state import PeerKey, PeerState
from ikevd.peer.timing import RETIRED_FOR
from ikevd.policy.connection import Connection
from ikevd.policy.identity import Identity
from ikevd.policy.reqids import Holder, Reqids
from ikevd.store.interface import Changes, StoredPeer

MAX_SESSIONS = 10_000
"""Peers of connections with `remote: any` that are authenticated at one time, in all."""


class Peers:
    """Makes a session for a peer, finds it again, and drops it where there is no room."""

    def __init__(self, connections: Iterable[Connection], router: Router, ports: Ports, contacts: Contacts) -> None:
        self._router = router
        self._ports = ports
        self.standby = Standby(ports.trouble)
        self._know(tuple(connections))
        self._reqids = Reqids.of(self._connections.values())
        self._sessions: dict[str, dict[PeerKey, Session]] = {}
        """By connection."""
        self.dismissed: list[Session] = []
        """Of connections that are gone from the file: they only say Delete."""
        self._instances = Instances(self._place_of)
        self._held = HeldSelectors(self.standby)
        self._contacts = contacts

    def __iter__(self) -> Iterator[Session]:
        """All of them, connection by connection."""
        return iter([session for peers in self._sessions.values() for session in peers.values()])

    def of(self, connection: str) -> Iterator[Session]:
        """Those of one connection."""
        return iter([*self._sessions.get(connection, {}).values()])

    def _know(self, connections: Sequence[Connection]) -> None:
        self._connections = {connection.name: connection for connection in connections}
        self._anywhere = [name for name, connection in self._connections.items() if connection.anybody]
        self._by_identity: dict[Identity | None, list[Connection]] = {}
        """Those with one peer each."""
        for connection in connections:
            if not connection.anybody:
                self._by_identity.setdefault(_named(connection).identity, []).append(connection)
        self.recoupled = self.standby.know(connections)
        """Children that have another backup by this file, or none any more, and such backups."""

    # -- of the configuration ---------------------------------------------------------------------------------------

    def named(self, connection: Connection) -> Session:
        """The peer that the connection names."""
        return self._session(connection, _named(connection))

    def gatekeepers(self) -> Iterator[Session]:
        """Those that shut the gates of configured children. Of peers from anywhere nothing is known beforehand but what
        a template says that they may ask for: that is nobody's in particular."""
        for connection in self._connections.values():
            if not connection.anybody:
                yield self.named(connection)
            elif any(child.template for child in connection.children):
                yield self._session(connection, PeerKey(connection.name, None))

    def by_reqid(self, reqid: int) -> tuple[Session, str] | None:
        """Whose objects of the kernel bear this number, and of which child."""
        holder = self._reqids.holder(reqid)
        if holder is None:
            return None
        sessions = self._sessions.get(holder.connection, {})
        key = PeerKey(holder.connection, holder.identity, holder.instance)
        found = sessions.get(key) or (None if holder.identity else next(iter(sessions.values()), None))
        return (found, holder.child) if found else None

    # -- of a file that is read again -------------------------------------------------------------------------------

    async def leased(self, connections: Iterable[Connection]) -> tuple[Connection, ...]:
        """The same, each child with the number that it has here, or gets; what is as it was is the same object, so that
        a thousand connections are not kept twice. Raises `LimitReached`."""
        numbered = map(self._with_numbers, connections)
        known = self._connections
        return tuple([_as_before(known.get(one.name), one) async for one in paced(numbered)])

    def reload(self, connections: Sequence[Connection]) -> list[Session]:
        """These are the connections from here on. Gives the sessions of peers that none of them has: they are nobody's
        any more, until `part` or `forget`."""
        self._know(connections)
        gone = [session for session in self if self.connection_of(session.state.key) is None]
        for session in gone:
            self.take_out(session)
        return gone

    def take_out(self, session: Session) -> None:
        """It is nobody's any more."""
        del self._sessions[session.state.key.connection][session.state.key]
        self.standby.leave(session.state.key.connection)
        self._held.forget(session.claimant)
        self._contacts.leave(session)
        self._instances.gone(session.state.key)

    def ask_no_more(self) -> None:
        """The daemon stops: no session waits for what a peer answers to another one's claim."""
        self._held.to_answer.end()

    def all_configured(self) -> Collection[Connection]:
        """As the file has them."""
        return self._connections.values()

    def configured(self, name: str) -> Connection:
        """As the file has it."""
        return self._connections[name]

    def of_session(self, session: Session) -> Connection:
        """The connection as the file has it now, as that session needs it. Raises `LimitReached`."""
        key = session.state.key
        return self._leased(self._connections[key.connection], key, session.state)

    def part(self, session: Session, former: PeerState) -> None:
        """From a peer that no connection has any more, and that was told of all of its `former` state that it could be
        told of."""
        self.keep_down(former)
        if all(known.peer_deleted for known in former.isakmp.values()):
            self.bequeath(former)
            session.close()
            session.forget()
        else:
            self.dismissed.append(session)

    def holders(self, session: Session) -> list[Holder]:
        """Who has the numbers of its children."""
        key, connection = session.state.key, session.connection
        own = (key.identity, key.instance) if connection.anybody else (None, 0)
        return [Holder(connection.name, child.name, *own) for child in connection.children]

    def release(self, holders: Collection[Holder]) -> None:
        """Nothing of these stands in the kernel any more, but of those that the file or a peer that is there has."""
        kept = {Holder(c.name, child.name) for c in self._connections.values() for child in c.children}
        for name in {holder.connection for holder in holders}:
            kept.update(holder for session in self.of(name) for holder in self.holders(session))
        for holder in holders:
            if holder not in kept:
                self._reqids.release(holder)

    # -- of an earlier process --------------------------------------------------------------------------------------

    def connection_of(self, key: PeerKey) -> Connection | None:
        """The connection of the file that may have this peer."""
        connection = self._connections.get(key.connection)
        if connection is None:
            return None
        if not connection.anybody:
            return connection if key == _named(connection) else None
        return connection if key.identity is None or bool(key.instance) == connection.group_key else None

    def former(self, connection: Connection, state: PeerState, *, equal: bool) -> Session:
        """The session of a peer that an earlier process had. `equal`: the connection is what it was then."""
        session = self._session(connection, state.key, state)
        self._instances.follow(state)
        if equal and connection.anybody:
            self._held.restore(session.claimant, state)
        return session

    def give_up(self, key: PeerKey) -> None:
        """The session of a peer that cannot be taken over, however far it has come."""
        session = self._sessions.get(key.connection, {}).pop(key, None)
        if session is not None:
            self.standby.leave(key.connection)
            self._held.forget(session.claimant)
            self._contacts.leave(session)
            session.close()
        self._instances.gone(key)
        connection = self._connections[key.connection]
        if connection.anybody:
            self._release(connection, key)

    def renew(self, key: PeerKey) -> Session:
        """A session that knows nothing of the past."""
        return self._session(self._connections[key.connection], key)

    def forget(self, key: PeerKey) -> None:
        """In the store."""
        self._ports.store.put(Changes(key, gone=True))

    def dismiss(self, stored: StoredPeer) -> None:
        """Nothing goes on with it: it is told Delete under the old ISAKMP SA or, where the peer has none any more, by
        the connection that has the same peer now. What is stored of it goes with that: a process that is killed before
        leaves the words to the next one."""
        isakmp = next((known for known in stored.state.isakmp.values() if not known.peer_deleted), None)
        if isakmp is None:
            self._ports.hooks.undo(stored.state)
            self.bequeath(stored.state)
            self.forget(stored.state.key)
            return
        session = Session(
            stored.state.key, former_connection(isakmp), self._router, self._ports, self._held, self._contacts
        )
        self.dismissed.append(session)
        session.dismiss(stored, replaced=False)

    def keep_down(self, former: PeerState) -> None:
        """What the operator took down stays down, though its connection has another peer now."""
        connection = self._connections.get(former.key.connection)
        if connection is None or connection.anybody:
            return
        session = self.named(connection)
        for name, child in former.children.items():
            if child.by_command and session.states.get(name) == ChildState():
                session.unwant(name, in_clear=child.open)

    def bequeath(self, state: PeerState) -> None:
        """What the peer has to hear is said by a connection that has the same peer now."""
        spis = owed(state)
        if not spis:
            return
        ends = {pair.sa.remote for child in state.children.values() for pair in child.pairs}
        for connection in self._by_identity.get(state.key.identity, ()):
            if connection.remote in ends or connection.places:
                self.named(connection).post(facts.Owed(spis))

    async def let_dismissed_go(self) -> None:
        """Once they have said all."""
        dismissed = tuple(self.dismissed)
        await asyncio.sleep(RETIRED_FOR + 1)
        async for session in paced(dismissed):
            self._let_go(session)

    def _let_go(self, session: Session) -> None:
        """Unless it has gone already."""
        if session in self.dismissed:
            self.dismissed.remove(session)
            session.close()
            session.forget()

    # -- of the network ---------------------------------------------------------------------------------------------

    def proven(self, peer: Authenticated) -> Session:
        """Of the peer of a phase 1 that has just authenticated it. One with an address of its own in the configuration
        always finds room; else raises `LimitReached`. Raises `Abandoned` where its connection has changed meanwhile."""
        sa, connection = peer.sa, self._connections.get(peer.sa.connection)
        if connection is None or not _alike(connection, peer.connection):
            raise Abandoned("its connection has changed meanwhile")
        key = self._instances.key(connection, sa.remote_id, sa.path.remote)
        try:
            self._find_room(connection, key)
            return self._session(connection, key)
        except LimitReached:
            self._release(connection, key)
            raise

    def follow(self, session: Session) -> None:
        """A message of it was accepted, perhaps from another place than before."""
        key = session.state.key
        if key.instance and self._sessions.get(key.connection, {}).get(key) is session:
            self._instances.follow(session.state)

    # -- within -----------------------------------------------------------------------------------------------------

    def _with_numbers(self, connection: Connection) -> Connection:
        numbers = [self._reqids.lease(Holder(connection.name, child.name)) for child in connection.children]
        if numbers == [child.reqid for child in connection.children]:
            return connection
        children = zip(connection.children, numbers, strict=True)
        return replace(connection, children=tuple([replace(child, reqid=number) for child, number in children]))

    def _session(self, connection: Connection, key: PeerKey, state: PeerState | None = None) -> Session:
        """`state`: as it was in an earlier process."""
        peers = self._sessions.setdefault(connection.name, {})
        if (session := peers.get(key)) is None:
            for dismissed in [one for one in self.dismissed if one.state.key == key]:
                self._let_go(dismissed)  # its place in the store is needed
            leased = self._leased(connection, key, state)
            session = Session(key, leased, self._router, self._ports, self._held, self._contacts, connection)
            peers[key] = session
            self.standby.enter(connection.name, session)
            self._contacts.enter(session)
        return session

    def _leased(self, connection: Connection, key: PeerKey, state: PeerState | None) -> Connection:
        """The peers of a connection with `remote: any` each get reqids of their own: so what one of them holds in the
        kernel is never taken for another's. Raises `LimitReached`."""
        if not connection.anybody:
            return connection
        children, own = [], key.identity is not None
        for child in connection.children:
            holder = Holder(connection.name, child.name, key.identity, key.instance)
            pairs = state.children[child.name].pairs if state and child.name in state.children else ()
            reqid = self._reqids.restore(holder, pairs[-1].sa.reqid) if pairs else self._reqids.lease(holder)
            children.append(replace(child, reqid=reqid, instance=own))
        return replace(connection, children=tuple(children))

    def _find_room(self, connection: Connection, key: PeerKey) -> None:
        if not connection.anybody or key in self._sessions.get(connection.name, {}):
            return
        if self._roaming >= MAX_SESSIONS:
            self._drop_idle_sessions()
        if self._roaming >= MAX_SESSIONS:
            raise LimitReached("too many peers at one time")

    @property
    def _roaming(self) -> int:
        return sum(len(self._sessions.get(name, ())) for name in self._anywhere)

    def _drop_idle_sessions(self) -> None:
        for name in self._anywhere:
            peers = self._sessions.get(name, {})
            for key, session in tuple(peers.items()):
                if session.idle and key.identity is not None:
                    session.close()
                    session.forget()
                    self._contacts.leave(session)
                    del peers[key]
                    self._instances.gone(key)
                    self._release(session.connection, key)

    def _place_of(self, key: PeerKey) -> Endpoint | None:
        session = self._sessions.get(key.connection, {}).get(key)
        return clients.endpoint(session.state) if session is not None else None

    def _release(self, connection: Connection, key: PeerKey) -> None:
        for child in connection.children:
            self._reqids.release(Holder(connection.name, child.name, key.identity, key.instance))


def _as_before(before: Connection | None, now: Connection) -> Connection:
    """Of a connection that has not changed only its place in the file is new, and that of its key."""
    return now if before != now else replace(before, location=now.location, psk=now.psk)


def _alike(one: Connection, other: Connection) -> bool:
    """But for their children."""
    return one is other or replace(one, children=()) == replace(other, children=())


def _named(connection: Connection) -> PeerKey:
    if connection.remote_id is not None or connection.remote is None:
        return PeerKey(connection.name, connection.remote_id)
    return PeerKey(connection.name, Identity.of_address(connection.remote))
