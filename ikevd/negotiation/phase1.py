"""One phase 1 negotiation, in either role, until its ISAKMP SA stands."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from ikevd.addresses import Address, Endpoint, Path
from ikevd.conversation import replay
from ikevd.conversation.core import Conversation
from ikevd.conversation.inputs import Beginning
from ikevd.crypto.secret import Secret
from ikevd.errors import Abandoned, IkeError
from ikevd.exchanges import aggressive_mode, main_mode
from ikevd.exchanges.link import Exchange, Host, Link
from ikevd.facts import Failed
from ikevd.frozen import replace
from ikevd.host.entropy import SEED_OCTETS, Entropy
from ikevd.negotiation.hints import hear_hints
from ikevd.negotiation.ledger import Kept
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.running import Outcome, Running
from ikevd.path_findings import NoLocalAddress
from ikevd.policy.connection import Connection
from ikevd.policy.nat import Encap
from ikevd.sa.model import Cookies, IsakmpSa
from ikevd.wire.message import Header
from ikevd.wire.registry import ExchangeType


def beginning(connection: Connection, cookie: bytes, ports: Ports, path: Path) -> Beginning:
    """Of our own; `cookie` is ours."""
    seed = Secret(ports.entropy.octets(SEED_OCTETS))
    return Beginning(seed, _kind(connection), True, Cookies(cookie), 0, path, nat_port=ports.nat_port)


def maker(connection: Connection, *, forged: bool) -> replay.Make[IsakmpSa]:
    """`forged`: both sides shall believe in a NAT, since ESP seems to be blocked."""
    if forged:
        connection = replace(connection, encap=Encap.TRIED)
    mode = aggressive_mode if connection.aggressive else main_mode

    def make(link: Link, _: Host, entropy: Entropy) -> Exchange[IsakmpSa]:
        exchange: Exchange[IsakmpSa] = mode.initiate(link, connection, entropy)
        return exchange

    return make


def initiate(core: Conversation, connection: Connection, ports: Ports, kept: Kept | None) -> Running:
    """Our own, as it was begun from `beginning`, or told again. `kept`: where it is stored."""
    kind, remote = _kind(connection), core.path.remote
    record = ports.history.open(kind, core.cookies, 0, remote, initiator=True, connection=connection.name)
    return Running(core, record, ports, kept, holds=True)


def path_to(remote: Address, connection: Connection, ports: Ports) -> Path:
    """The endpoints of a first message; raises `IkeError` where there is no way there."""
    local = connection.local or ports.source_for(remote)
    if not ports.kernel.has_address(local):
        raise Abandoned(NoLocalAddress(str(local)))
    return Path(Endpoint(local, ports.port), Endpoint(remote, ports.port))


def refused(connection: Connection, cookie: bytes, ports: Ports, refusal: IkeError) -> None:
    """Evidence of one that could not begin."""
    known = (place for place in (connection.remote, *connection.places) if isinstance(place, IPv4Address | IPv6Address))
    place = Endpoint(next(known, IPv4Address(0)), ports.port)
    record = ports.history.open(
        _kind(connection), Cookies(cookie), 0, place, initiator=True, connection=connection.name
    )
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


def _kind(connection: Connection) -> ExchangeType:
    return ExchangeType.AGGRESSIVE if connection.aggressive else ExchangeType.MAIN_MODE
