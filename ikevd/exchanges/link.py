"""What an exchange may await: the peer (`Link`) and this machine (`Host`), and nothing else.

Each verb yields one typed request to the core that drives the coroutine (`ikevd.conversation.core`).
"""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic

from typing_extensions import TypeVar

from ikevd.addresses import Address, Path
from ikevd.crypto.ciphers import IvChain
from ikevd.errors import Finding, IkeError
from ikevd.facts import Note
from ikevd.frozen import frozen
from ikevd.policy.identity import Identity
from ikevd.sa.model import Cookies, EspKeys, IpsecSa, IsakmpSa, NatTraversal, Spi
from ikevd.wire.message import Message
from ikevd.wire.payloads import Payload
from ikevd.wire.registry import Protocol

T = TypeVar("T", default=object)
T_co = TypeVar("T_co", covariant=True, default=object)
Accept = Callable[[Message], T]


class Repeat(Enum):
    """When a message is sent again."""

    BY_TIMER = "by timer"
    """Until it is answered; a responder also when the peer repeats itself."""
    ON_REPEAT = "on repeat"
    """Only when the peer repeats the message that it answers."""
    IN_DOUBT = "in doubt"
    """Likewise; and a few times at once where messages were lost lately."""
    BOUNDED = "bounded"
    """A few times: nothing will answer it, and its loss would hurt."""


@frozen
class Send:
    payloads: tuple[Payload, ...]
    repeat: Repeat


@frozen
class Beside:
    """How an encrypted Informational message with a message ID of its own is read while phase 1 is under way: a peer
    that refuses our identity says so in one."""

    chains: Callable[[int], tuple[IvChain, ...]]
    """The IV chains that it may begin from, by its message ID; made anew at each call."""
    accept: Accept[IkeError | None]
    """Verifies its HASH(1); returns what the exchange shall end with, if anything."""


@frozen
class Complaint:
    """An Informational message of ours beside phase 1, as it goes into the datagram."""

    message_id: int
    chain: IvChain
    payloads: tuple[Payload, ...]


@dataclass(slots=True, eq=False)
class Receive(Generic[T_co]):
    accept: Accept[T_co]
    rubbish: IkeError | None
    beside: Beside | None = None
    complain: Callable[[], Complaint] | None = None
    any_port: bool = False
    within: float | None = None
    """Seconds; None: as long as such waits last."""
    or_informational: bool = False
    """Is an Informational message with the message ID of the exchange accepted as well?"""
    value: T_co = field(init=False)
    """What `accept` made of the message that it accepted."""

    def judge(self, message: Message) -> None:
        """Raises what `accept` raises."""
        self.value = self.accept(message)


@frozen
class Protect:
    chains: tuple[IvChain, ...]
    clear_too: bool


@frozen
class Discovered:
    """What was found out about NATs decides where messages may come from."""

    nat: NatTraversal | None
    must_float: bool


@frozen
class Float:
    """Go to port 4500."""


@frozen
class Unconfirmed:
    sa: IsakmpSa


@frozen
class ReserveSpi:
    local: Address
    remote: Address
    reqid: int
    protocol: Protocol = Protocol.ESP


@frozen
class OpenInbound:
    sa: IpsecSa
    keys: EspKeys
    """Of the inbound SA."""


@frozen
class OpenOutbound:
    sa: IpsecSa
    keys: EspKeys
    """Of the outbound SA."""


@frozen
class FirstContact:
    """Do we hold nothing with the peer, no ISAKMP SA and no pair of IPsec SAs, whatever connection it is of?"""

    connection: str
    local_id: Identity
    remote_id: Identity
    remote: Address


@frozen
class Contacted:
    """The peer says, verified, INITIAL-CONTACT (RFC 2407 section 4.6.3.3)."""


KernelCall = ReserveSpi | OpenInbound | OpenOutbound
HostCall = KernelCall | FirstContact
Request = Send | Receive | Protect | Discovered | Float | Unconfirmed | Note | Contacted | HostCall
HostAnswer = Spi | bool | None
"""What the core hands to an exchange that goes on: the SPI that `ReserveSpi` asked for, a yes or no to `FirstContact`,
else nothing."""
Exchange = Coroutine[Request, HostAnswer, T]
"""One exchange under way, which ends with a `T` or raises `IkeError`."""


@types.coroutine
def _request(request: Request) -> Generator[Request, HostAnswer, HostAnswer]:
    return (yield request)


@dataclass(slots=True)
class Situation:
    """What the core knows of the exchange; it changes only when a message is accepted."""

    cookies: Cookies
    message_id: int
    path: Path
    """The endpoints of the last accepted message; for an initiator at first those it sends to."""
    chains: tuple[IvChain, ...] = ()
    """Empty: in the clear. One: HDR*. Several: whichever opens the next message stays."""
    forks: tuple[IvChain, ...] = ()
    """Where the exchange may stand as well: a copy of the peer's last message with another end may be the true one, and
    nobody knows which the peer goes on from until its next message opens."""
    clear_too: bool = False
    """Is the next message accepted in the clear as well?"""
    nat_port: int = 4500
    """Where IKE goes once a NAT is found (RFC 3947 section 4)."""
    nat: NatTraversal | None = None
    """What is known of NATs between the peers."""
    answered_at: int | None = None
    """The peer's port where it answered before, while nothing has come from the one of `path`; None: from that one."""
    must_float: bool = False
    """Does the peer, which knows it too, go to `nat_port` with its next message?"""
    arriving: Path | None = None
    """The endpoints of the message that is being judged."""
    away: Path | None = None
    """Where the last accepted message came from, if that is another address than the exchange began with: it is
    answered there, and nothing else goes there."""
    vendor_ids: tuple[bytes, ...] = ()
    """All that the peer announced so far, in order, each once."""
    peer_vendors: tuple[str, ...] = ()
    """Their names."""

    @property
    def roams(self) -> bool:
        """May the peer, which phase 1 has authenticated, have another address meanwhile?"""
        return self.message_id != 0 and self.nat is not None and self.nat.remote

    @property
    def target(self) -> Path:
        """By which messages leave."""
        return self.away or self.path

    def forget(self) -> None:
        """The exchange is over."""
        self.chains = self.forks = ()
        self.vendor_ids = self.peer_vendors = ()

    def came_by(self, path: Path) -> None:
        """A message was accepted."""
        if path.remote.address == self.path.remote.address:
            self.path, self.away = path, None
        else:
            self.away = path


class Link:
    """The peer, as an exchange sees it. If `accept(message)` raises, the message is dropped and counted, the IV
    stays and the wait goes on; if it returns, the IV is committed and the value handed over. Every wait has a
    deadline, at which `NoAnswer` is raised inside the exchange."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation

    @property
    def cookies(self) -> Cookies:
        """The pair as known so far."""
        return self._situation.cookies

    @property
    def message_id(self) -> int:
        """0 in phase 1."""
        return self._situation.message_id

    @property
    def path(self) -> Path:
        """The endpoints of the last accepted message."""
        return self._situation.path

    @property
    def arriving(self) -> Path:
        """The endpoints of the message that is being judged, or was last accepted."""
        return self._situation.arriving or self._situation.path

    @property
    def nat_port(self) -> int:
        """Where IKE goes once a NAT is found."""
        return self._situation.nat_port

    @property
    def vendor_ids(self) -> tuple[bytes, ...]:
        """All vendor IDs of the accepted messages."""
        return self._situation.vendor_ids

    @property
    def peer_vendors(self) -> tuple[str, ...]:
        """What they are called."""
        return self._situation.peer_vendors

    @property
    def chain(self) -> IvChain:
        """The chain of the message that is being judged, or was last accepted or sent."""
        return self._situation.chains[0]

    async def ask(
        self, *payloads: Payload, accept: Accept[T], rubbish: IkeError | None = None, beside: Beside | None = None
    ) -> T:
        """Send, wait for the accepted answer; sent again by timer."""
        await _request(Send(payloads, Repeat.BY_TIMER))
        return await self.receive(accept, rubbish, beside)

    async def answer(self, *payloads: Payload) -> None:
        """Send an answer; sent again only when the peer repeats itself."""
        await _request(Send(payloads, Repeat.ON_REPEAT))

    async def finish(self, *payloads: Payload) -> None:
        """Send a last answer whose loss would hurt; sent again when the peer repeats itself, which it may do late:
        strongSwan after 4 s. So where messages get lost it is sent three times at once."""
        await _request(Send(payloads, Repeat.IN_DOUBT))

    async def conclude(self, *payloads: Payload) -> None:
        """Send a last message that nothing answers and whose loss would hurt: sent a few times."""
        await _request(Send(payloads, Repeat.BOUNDED))

    async def receive(
        self,
        accept: Accept[T],
        rubbish: IkeError | None = None,
        beside: Beside | None = None,
        complain: Callable[[], Complaint] | None = None,
        *,
        any_port: bool = False,
        within: float | None = None,
        or_informational: bool = False,
    ) -> T:
        """Wait for the next message that `accept` accepts.

        `rubbish` says what it means that a message decrypts to no payloads at all; it is also what the wait ends
        with if nothing better comes. `complain` makes what the peer is told of such a message, once.
        `any_port`: `accept` itself judges the ports that the message came by. `within`: seconds, where the wait is
        shorter than usual. `or_informational`: an Informational message with this message ID will do as well.
        """
        request = Receive(accept, rubbish, beside, complain, any_port, within, or_informational)
        await _request(request)
        return request.value

    async def protect(self, *chains: IvChain, clear_too: bool = False) -> None:
        """From here on HDR is HDR*. Several candidates: one for each secret to be tried at message 5. `clear_too`: the
        next message may also come in the clear (message 3 of Aggressive Mode)."""
        await _request(Protect(chains, clear_too))

    async def discovered(self, nat: NatTraversal | None, *, must_float: bool = False) -> None:
        """From here on messages come by the ports that `nat` explains (RFC 3947 section 4). `must_float`: the next one
        comes to the port of NAT traversal."""
        await _request(Discovered(nat, must_float))

    async def float(self) -> None:
        """A NAT was found: from here on both ports are 4500 (RFC 3947 section 4)."""
        await _request(Float())

    async def unconfirmed(self, sa: IsakmpSa) -> None:
        """From here on the peer may hold `sa` although this exchange fails: then it is told by a Delete."""
        await _request(Unconfirmed(sa))

    async def note(self, finding: Finding) -> None:
        """Add something to the evidence."""
        await _request(Note(finding))

    async def is_first_contact(self, connection: str, local_id: Identity, remote_id: Identity) -> bool:
        """Do we hold nothing with who is there under this pair of identities?"""
        remote = self._situation.path.remote.address
        return await _request(FirstContact(connection, local_id, remote_id, remote)) is True

    async def contacted(self) -> None:
        """The peer says, in a message that is verified, INITIAL-CONTACT."""
        await _request(Contacted())


class Host:
    """This machine, as an exchange sees it. Whatever was opened is undone if the exchange does not return."""

    async def reserve_spi(self, local: Address, remote: Address, reqid: int, protocol: Protocol) -> Spi:
        """An SPI from the kernel for ESP or AH from `remote` to `local`."""
        spi = await _request(ReserveSpi(local, remote, reqid, protocol))
        assert isinstance(spi, Spi)
        return spi

    async def open_inbound(self, sa: IpsecSa, keys: EspKeys) -> None:
        """The inbound SA *and* its in and fwd policies stand, or `KernelRefused` is raised and nothing stands."""
        await _request(OpenInbound(sa, keys))

    async def open_outbound(self, sa: IpsecSa, keys: EspKeys) -> None:
        """The outbound SA and its policy stand, or `KernelRefused` is raised."""
        await _request(OpenOutbound(sa, keys))
