"""One phase 1 negotiation, in either role, until its ISAKMP SA stands."""

from __future__ import annotations

from ikevd.addresses import Endpoint, Path
from ikevd.conversation.core import Conversation
from ikevd.conversation.timing import Timing
from ikevd.errors import Abandoned, IkeError
from ikevd.exchanges import aggressive_mode, main_mode
from ikevd.exchanges.link import Link, Situation
from ikevd.facts import Failed
from ikevd.negotiation.hints import hear_hints
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.running import Outcome, Running
from ikevd.path_findings import NoLocalAddress
from ikevd.policy.model import Connection
from ikevd.sa.model import Cookies
from ikevd.wire.message import Header
from ikevd.wire.registry import ExchangeType


def initiate(connection: Connection, cookie: bytes, ports: Ports) -> Running:
    """Our own, not started; `cookie` is ours. Raises `IkeError` where none can be made."""
    path = path_to_peer(connection, ports)
    situation = Situation(Cookies(cookie), 0, path, nat_port=ports.nat_port)
    mode = aggressive_mode if connection.aggressive else main_mode
    kind = ExchangeType.AGGRESSIVE if connection.aggressive else ExchangeType.MAIN_MODE
    exchange = mode.initiate(Link(situation), connection, ports.entropy)
    core = Conversation(exchange, kind, situation, Timing(connection.resend), initiator=True)
    record = ports.history.open(kind, core.cookies, 0, path.remote, initiator=True, connection=connection.name)
    return Running(core, record, ports, holds=True)


def path_to_peer(connection: Connection, ports: Ports) -> Path:
    """The endpoints of a first message; raises `IkeError` where there is no way to the peer."""
    remote = connection.remote
    if remote is None:
        raise Abandoned("the connection has `remote: any`: only the peer can initiate it")
    local = connection.local or ports.source_for(remote)
    if not ports.kernel.has_address(local):
        raise Abandoned(NoLocalAddress(str(local)))
    return Path(Endpoint(local, ports.port), Endpoint(remote, ports.port))


def has_way(connection: Connection, ports: Ports) -> bool:
    """Can a first message leave, as far as addresses and routes of this machine tell?"""
    try:
        path_to_peer(connection, ports)
    except IkeError:
        return False
    return True


def refused(connection: Connection, cookie: bytes, ports: Ports, refusal: IkeError) -> None:
    """Evidence of one that could not begin."""
    if connection.remote is not None:
        kind = ExchangeType.AGGRESSIVE if connection.aggressive else ExchangeType.MAIN_MODE
        place = Endpoint(connection.remote, ports.port)
        record = ports.history.open(kind, Cookies(cookie), 0, place, initiator=True, connection=connection.name)
        record.add(Failed(refusal.finding, type(refusal).__name__))
        record.pack()


def hear(running: Running, header: Header, octets: bytes, path: Path) -> list[Outcome]:
    """A datagram that names our cookie. An Informational in the clear has a message ID of its own."""
    if header.exchange == ExchangeType.INFORMATIONAL and not header.encrypted:
        hear_hints((running,), header, octets)
        return []
    if header.message_id:
        return running.beside(octets, path)
    return running.heard(octets, path)
