"""NAT traversal in phase 1: finding NATs between the peers (RFC 3947 section 3, and the drafts before it).

Each side sends hashes of the two endpoints as it sees them; where one does not match what the other sees, an address
was translated on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain

from ikevd.addresses import Address, Endpoint, Path
from ikevd.crypto.primitives import digest, hash_size
from ikevd.exchanges.link import Link
from ikevd.exchanges.moves import floated
from ikevd.findings import EncapInVain, EspInUdp, NatDMissing, StaysOnPort
from ikevd.frozen import frozen
from ikevd.host.entropy import Entropy
from ikevd.policy.connection import Connection
from ikevd.policy.nat import Encap, NatMethod
from ikevd.sa.model import Cookies, NatTraversal
from ikevd.wire import vendor_ids
from ikevd.wire.message import Message
from ikevd.wire.nat import NatOaPayload
from ikevd.wire.payloads import NatDPayload, VidPayload
from ikevd.wire.registry import Encapsulation, Hash, PayloadType

MAX_NAT_D = 10
"""NAT-D payloads of one message that are compared: one for each address that the sender may have."""


@frozen
class Numbers:
    """What differs between RFC 3947 and the drafts."""

    vendor_ids: tuple[bytes, ...]
    """The first is the one that we send."""
    nat_d: PayloadType
    nat_oa: PayloadType
    tunnel: Encapsulation


_RFC = PayloadType.NAT_D, PayloadType.NAT_OA, Encapsulation.UDP_TUNNEL
_DRAFT_04_TO_08 = PayloadType.NAT_D_DRAFT_04, PayloadType.NAT_OA_DRAFT_04, Encapsulation.UDP_TUNNEL
_DRAFT_02_AND_03 = PayloadType.NAT_D_DRAFT, PayloadType.NAT_OA_DRAFT, Encapsulation.UDP_TUNNEL_DRAFT
TRANSPORT = {
    Encapsulation.TUNNEL: Encapsulation.TRANSPORT,
    Encapsulation.UDP_TUNNEL: Encapsulation.UDP_TRANSPORT,
    Encapsulation.UDP_TUNNEL_DRAFT: Encapsulation.UDP_TRANSPORT_DRAFT,
}
"""The number of transport mode beside that of a tunnel."""

NUMBERS = {
    NatMethod.RFC_3947: Numbers((vendor_ids.NAT_T_RFC_3947,), *_RFC),
    NatMethod.DRAFT_07: Numbers(
        (
            vendor_ids.NAT_T_DRAFT_07,
            vendor_ids.NAT_T_DRAFT_08,
            vendor_ids.NAT_T_DRAFT_06,
            vendor_ids.NAT_T_DRAFT_05,
            vendor_ids.NAT_T_DRAFT_04,
        ),
        *_DRAFT_04_TO_08,
    ),
    NatMethod.DRAFT_03: Numbers((vendor_ids.NAT_T_DRAFT_03,), *_DRAFT_02_AND_03),
    NatMethod.DRAFT_02: Numbers((vendor_ids.NAT_T_DRAFT_02_LF, vendor_ids.NAT_T_DRAFT_02), *_DRAFT_02_AND_03),
}


def announced(connection: Connection) -> tuple[VidPayload, ...]:
    """The vendor IDs of message 1: every method that the connection allows."""
    return tuple(VidPayload(NUMBERS[method].vendor_ids[0]) for method in connection.nat_methods)


def answered(method: NatMethod | None, heard: Iterable[bytes]) -> tuple[VidPayload, ...]:
    """The vendor ID of message 2: the one method that was chosen, in the peer's own form."""
    known = NUMBERS[method].vendor_ids if method else ()
    return tuple(VidPayload(vendor_id) for vendor_id in list(heard) if vendor_id in known)[:1]


def choose(connection: Connection, heard: Iterable[bytes]) -> NatMethod | None:
    """The best method that both sides speak; None: no NAT traversal."""
    return next(_common(connection, heard), None)


def _common(connection: Connection, heard: Iterable[bytes]) -> Iterator[NatMethod]:
    theirs = set(heard)
    return (method for method in connection.nat_methods if not theirs.isdisjoint(NUMBERS[method].vendor_ids))


def discovery(
    method: NatMethod | None, hash: Hash, link: Link, connection: Connection, entropy: Entropy
) -> tuple[NatDPayload, ...]:
    """Our NAT-D payloads: the peer's endpoint, then ours. Random octets in the place of ours make both sides believe
    in a NAT (`encap: force`, or a trial)."""
    if method is None:
        return ()
    forged = connection.encap is not Encap.AUTO
    ours = entropy.octets(hash_size(hash)) if forged else endpoint_hash(hash, link.cookies, link.path.local)
    theirs = endpoint_hash(hash, link.cookies, link.path.remote)
    return tuple(NatDPayload(NUMBERS[method].nat_d, octets) for octets in (theirs, ours))


def discovered(
    method: NatMethod | None,
    hash: Hash,
    link: Link,
    connection: Connection,
    message: Message,
) -> NatTraversal | None:
    """What the peer's NAT-D payloads say; None where there are none.

    A peer that announces several methods may use the numbers of another one than was chosen (old IOS does): what it
    uses counts.

    # Deviates: libreswan goes to port 4500 with message 3 of Aggressive Mode, but hashes the ports of message 1 in it.
    """
    if method is None:
        return None
    for spoken in chain((method,), _common(connection, link.vendor_ids)):
        number = NUMBERS[spoken].nat_d
        hashes = [payload.body for payload in message.payloads if number == payload.TYPE][:MAX_NAT_D]
        if len(hashes) > 1:
            ends = (link.path.local,) if link.arriving is link.path else (link.path.local, link.arriving.local)
            ours = {endpoint_hash(hash, link.cookies, endpoint) for endpoint in ends}
            theirs = {endpoint_hash(hash, link.cookies, endpoint) for endpoint in _ends_without_nat(link)}
            return _found(spoken, hashes[0] not in ours, theirs.isdisjoint(hashes[1:]), connection.encap)
    return None


@lru_cache(maxsize=64)
def _found(method: NatMethod, local: bool, remote: bool, encap: Encap) -> NatTraversal:
    """One for all peers of which the same was found."""
    return NatTraversal(method, local, remote, forced=encap is Encap.FORCE, tried=encap is Encap.TRIED)


def _ends_without_nat(link: Link) -> Iterator[Endpoint]:
    """What a peer that is behind no NAT may call its own endpoint: as message 1 came or this message comes, and at the
    NAT port where message 1 shows that its port was not translated, so that a copy from elsewhere finds no NAT."""
    first = link.path.remote
    yield first
    if first.port == link.path.local.port:
        yield Endpoint(first.address, link.nat_port)
    else:
        yield link.arriving.remote


async def take(
    link: Link,
    method: NatMethod | None,
    found: NatTraversal | None,
    connection: Connection,
    *,
    must_float: bool = False,
) -> None:
    """Go on as the discovery wants it, and say what is odd. `must_float`: the peer goes to the port of NAT traversal
    with its next message; what stays on port 500 cannot carry ESP in UDP."""
    await link.discovered(found, must_float=must_float)
    if found is None and method is not None:
        await link.note(NatDMissing(method.value, int(NUMBERS[method].nat_d)))
    if method is None and connection.encap is Encap.FORCE:
        await link.note(EncapInVain())
    if found is None or not found.encapsulates:
        return
    await link.note(EspInUdp(found.method.value, found.local, found.remote, found.forced, found.tried))


async def note_stay(link: Link, found: NatTraversal | None) -> None:
    """The peer has had its chance to change the port."""
    if found is not None and found.encapsulates and link.path.local.port != link.nat_port:
        await link.note(StaysOnPort(link.path.local.port))


async def go(link: Link, found: NatTraversal | None) -> None:
    """The initiator changes the port (RFC 3947 section 4)."""
    if found is not None and found.encapsulates:
        await link.float()


def esp_path(link: Link) -> Path:
    """ESP in UDP goes where IKE goes (RFC 3948 section 2); never to port 500, where IKE may have stayed."""
    return floated(link.path, link.nat_port)


def endpoint_hash(hash: Hash, cookies: Cookies, endpoint: Endpoint) -> bytes:
    """HASH = HASH(CKY-I | CKY-R | IP | Port): RFC 3947 section 3.2."""
    port = endpoint.port.to_bytes(2, "big")
    return digest(hash, cookies.octets + endpoint.address.packed + port)


def modes(nat: NatTraversal | None, *, transport: bool) -> tuple[Encapsulation, ...]:
    """The encapsulation modes that mean a tunnel, or transport mode, here: the first is what we offer, all are
    accepted."""
    tunnels = _tunnel_modes(nat)
    return tuple([TRANSPORT[tunnel] for tunnel in tunnels]) if transport else tunnels


def original_addresses(nat: NatTraversal | None, initiator: Address, responder: Address) -> tuple[NatOaPayload, ...]:
    """NAT-OAi and NAT-OAr of a Quick Mode for transport mode in UDP: both ends as we see them (RFC 3947 section 5.2).
    The peer may mend the checksums of what comes by them; Linux passes over those."""
    if nat is None or not nat.encapsulates:
        return ()
    return tuple([NatOaPayload.of(NUMBERS[nat.method].nat_oa, address) for address in (initiator, responder)])


def _tunnel_modes(nat: NatTraversal | None) -> tuple[Encapsulation, ...]:
    """
    # Deviates: a peer that speaks the RFC may use the numbers of the drafts in phase 2, and the other way round.
    """
    if nat is None or not nat.encapsulates:
        return (Encapsulation.TUNNEL,)
    ours = NUMBERS[nat.method].tunnel
    other = {Encapsulation.UDP_TUNNEL: Encapsulation.UDP_TUNNEL_DRAFT}.get(ours, Encapsulation.UDP_TUNNEL)
    return ours, other
