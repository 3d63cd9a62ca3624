"""Aggressive Mode with a pre-shared key (RFC 2409 sections 5 and 5.4), with NAT traversal (RFC 3947 section 3).

Three messages instead of six. The price: identities and the responder's HASH go in the clear, so that whoever hears or
asks for message 2 can guess the secret offline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ikevd.crypto import groups
from ikevd.crypto.groups import KeyPair
from ikevd.crypto.primitives import equal
from ikevd.errors import InvalidId, ProbablePskMismatch
from ikevd.exchanges import beside, contact, lifetimes, nat
from ikevd.exchanges.link import Link
from ikevd.exchanges.moves import check_ports
from ikevd.exchanges.phase1 import (
    NONCE_OCTETS,
    Agreed,
    Candidates,
    Keying,
    accept_choice,
    accept_key_exchange,
    local_identity,
    mismatch,
    note_odd_ports,
    other_identity,
    remote_identity,
    vendor_ids,
)
from ikevd.findings import Sign
from ikevd.frozen import frozen, replace
from ikevd.host.entropy import Entropy
from ikevd.policy.choose import Phase1Choice
from ikevd.policy.connection import Connection
from ikevd.policy.identity import Identity
from ikevd.policy.nat import NatMethod
from ikevd.policy.suites import IkeSuite
from ikevd.policy.transforms import offer_phase1
from ikevd.sa.model import Cookies, IsakmpSa, NatTraversal
from ikevd.wire.message import Message
from ikevd.wire.payloads import HashPayload, IdPayload, KePayload, NoncePayload, NotifyPayload
from ikevd.wire.registry import ExchangeType
from ikevd.wire.sa import SaPayload

KIND = ExchangeType.AGGRESSIVE


@frozen
class First:
    """Message 1: offer, public value, nonce and identity at once."""

    offer: SaPayload
    public: bytes
    nonce: bytes
    identity: IdPayload


@frozen
class Second:
    """Message 2, its HASH_R verified."""

    choice: Phase1Choice
    agreed: Agreed
    keying: Keying
    idir: IdPayload
    identity: Identity


async def initiate(link: Link, connection: Connection, entropy: Entropy) -> IsakmpSa:
    """Initiator. Raises `IkeError`; the SA stands only when this returns."""
    # HDR, SA, KE, Ni, IDii, VID -->
    #                            <--   HDR, SA, KE, Nr, IDir, HASH_R, VID, NAT-D
    group = connection.suites[0].group  # one KE, hence one group (RFC 2409 section 5)
    suites = [suite for suite in connection.suites if suite.group == group]
    offer = offer_phase1(suites, connection.lifetime)
    pair, ni = groups.generate(group, entropy.octets), entropy.octets(NONCE_OCTETS)
    idii = local_identity(connection, link.path).to_payload()
    wrong = mismatch((connection.psk,), Sign.HASH_R)
    second = await link.ask(
        offer,
        KePayload(pair.public),
        NoncePayload(ni),
        idii,
        *vendor_ids(connection),
        accept=partial(_accept_second, connection, suites, offer, pair, ni, wrong),
        rubbish=wrong,
    )
    await note_odd_ports(link, second.idir)
    keying, hash, theirs = second.keying, second.choice.suite.hash, remote_identity(connection, link.path)
    if second.identity != theirs:
        await link.unconfirmed(
            keying.sa(connection, second.choice, link, theirs, initiator=True, nat=None, exchange=KIND)
        )
        raise InvalidId(other_identity(second.identity, (connection,), link.path))
    await lifetimes.pass_over(link, second.agreed.message.all(NotifyPayload))
    method = nat.choose(connection, link.vendor_ids)
    found = nat.discovered(method, hash, link, connection, second.agreed.message)
    await nat.take(link, method, found, connection)
    await nat.go(link, found)
    natd = nat.discovery(found.method, hash, link, connection, entropy) if found else ()

    # HDR*, HASH_I, NAT-D       -->   (or in the clear)
    if connection.encrypt_third:
        await link.protect(keying.chain)
    await link.conclude(keying.hash_i(idii), *natd)
    return keying.sa(connection, second.choice, link, second.identity, initiator=True, nat=found, exchange=KIND)


async def respond(link: Link, candidates: Candidates, entropy: Entropy) -> IsakmpSa:
    """Responder: `candidates` are connections that allow Aggressive Mode; the identity in message 1 chooses."""
    # HDR, SA, KE, Ni, IDii, VID -->
    first = await link.receive(accept_first)
    await note_odd_ports(link, first.identity)
    identity = Identity.from_payload(first.identity)
    choice, candidates = candidates.claiming(identity, link.path).choose(first.offer, first.public)
    groups.check_size(choice.suite.group, first.public)
    connection, hash = candidates.connections[0], choice.suite.hash
    pair, nr = groups.generate(choice.suite.group, entropy.octets), entropy.octets(NONCE_OCTETS)
    g_xy, nonces = pair.shared(first.public), (first.nonce, nr)
    public = first.public, pair.public
    keying = Keying.derive(connection.psk, choice.suite, link.cookies, first.offer.body, public, nonces, g_xy)
    idii = first.identity
    del first  # what was read of the offer is long, and the peer nobody yet

    #                            <--   HDR, SA, KE, Nr, IDir, HASH_R, VID, NAT-D
    idir = local_identity(connection, link.path).to_payload()
    method = nat.choose(connection, link.vendor_ids)
    await link.answer(
        choice.answer,
        KePayload(pair.public),
        NoncePayload(nr),
        idir,
        keying.hash_r(idir),
        *vendor_ids(connection, nat.answered(method, link.vendor_ids)),
        *nat.discovery(method, hash, link, connection, entropy),
    )

    # HDR*, HASH_I, NAT-D        -->   (or in the clear)
    await link.protect(keying.chain, clear_too=True)
    wrong = mismatch((connection.psk,), Sign.MESSAGE_3)
    find = partial(nat.discovered, method, hash, link, connection)
    accept = partial(_accept_third, keying, idii, wrong, link, method, find)
    refusal = beside.refusal(keying, local_identity(connection, link.path))
    found, contacted = await link.receive(accept, rubbish=wrong, beside=refusal, any_port=True)
    await nat.take(link, method, found, connection)
    await nat.note_stay(link, found)
    sa = keying.sa(connection, choice, link, identity, initiator=False, nat=found, exchange=KIND)
    return replace(sa, contacted=contacted)


# -- what a message must hold to be accepted ----------------------------------------------------------------------


def accept_first(message: Message) -> First:
    """Message 1: one of each."""
    public, nonce = message.one(KePayload), message.one(NoncePayload)
    return First(message.one(SaPayload), public.body, nonce.body, message.one(IdPayload))


def _accept_second(
    connection: Connection,
    suites: Sequence[IkeSuite],
    offer: SaPayload,
    pair: KeyPair,
    ni: bytes,
    wrong: ProbablePskMismatch,
    message: Message,
) -> Second:
    """Message 2: a transform that we offered, and the peer's proof."""
    choice, idir = accept_choice(suites, message), message.one(IdPayload)
    identity, proof = Identity.from_payload(idir), message.one(HashPayload)
    agreed = accept_key_exchange(pair, message)
    cookies = Cookies(message.header.initiator, message.header.responder)
    public, nonces = (pair.public, agreed.public), (ni, agreed.nonce)
    keying = Keying.derive(connection.psk, choice.suite, cookies, offer.body, public, nonces, agreed.g_xy)
    if not equal(keying.hash_r(idir).body, proof.body):
        raise wrong
    return Second(choice, agreed, keying, idir, identity)


def _accept_third(
    keying: Keying,
    idii: IdPayload,
    wrong: ProbablePskMismatch,
    link: Link,
    method: NatMethod | None,
    find: Callable[[Message], NatTraversal | None],
    message: Message,
) -> tuple[NatTraversal | None, bool]:
    """Message 3: the peer's proof, and what its NAT-D payloads say of the ports that it came by. A peer that answers
    with the numbers of another method has not read our NAT-D payloads, and may stay where it is. The second: does it
    say INITIAL-CONTACT, encrypted?"""
    if not equal(keying.hash_i(idii).body, message.one(HashPayload).body):
        raise wrong
    found = find(message)
    must_float = found is not None and found.method == method
    check_ports(link.path, link.arriving, found, link.nat_port, must_float=must_float)
    return found, message.header.encrypted and contact.is_said(message)
