"""Main Mode with a pre-shared key (RFC 2409 sections 5 and 5.4), with NAT traversal (RFC 3947 section 3)."""

from __future__ import annotations

from functools import partial

from ikevd.crypto import groups
from ikevd.errors import IkeError, InvalidId, NoAnswer, ProbablePskMismatch
from ikevd.exchanges import beside, contact, lifetimes, nat
from ikevd.exchanges.link import Link
from ikevd.exchanges.phase1 import (
    DPD_ANNOUNCED,
    NONCE_OCTETS,
    Candidates,
    Keying,
    Once,
    accept_choice,
    accept_first_key_exchange,
    accept_identity,
    accept_key_exchange,
    accept_offer,
    local_identity,
    mismatch,
    named,
    note_odd_ports,
    other_identity,
    remote_identity,
    speaks_dpd,
    vendor_ids,
    with_block,
)
from ikevd.findings import SecretsNotTried, Sign, Silence, SilentIdentity
from ikevd.frozen import replace
from ikevd.host.entropy import Entropy
from ikevd.policy.connection import Connection, PreSharedKey
from ikevd.policy.identity import Identity
from ikevd.policy.transforms import offer_phase1
from ikevd.sa.model import IsakmpSa
from ikevd.wire.payloads import KePayload, NoncePayload, NotifyPayload


async def initiate(link: Link, connection: Connection, entropy: Entropy) -> IsakmpSa:
    """Initiator. Raises `IkeError`; the SA stands only when this returns."""
    # HDR, SA, VID              -->
    #                           <--   HDR, SA, VID
    offer, vids = offer_phase1(connection.suites, connection.lifetime), vendor_ids(connection)
    choice = await link.ask(offer, *vids, accept=partial(accept_choice, connection.suites))
    hash, method = choice.suite.hash, nat.choose(connection, link.vendor_ids)

    # HDR, KE, Ni, NAT-D        -->
    #                           <--   HDR, KE, Nr, NAT-D
    pair, ni = groups.generate(choice.suite.group, entropy.octets), entropy.octets(NONCE_OCTETS)
    natd = nat.discovery(method, hash, link, connection, entropy)
    peer = await link.ask(KePayload(pair.public), NoncePayload(ni), *natd, accept=partial(accept_key_exchange, pair))
    public, nonces = (pair.public, peer.public), (ni, peer.nonce)
    keying = Keying.derive(connection.psk, choice.suite, link.cookies, offer.body, public, nonces, peer.g_xy)
    found = nat.discovered(method, hash, link, connection, peer.message)
    await nat.take(link, method, found, connection)
    await nat.go(link, found)
    await link.protect(keying.chain)  # from here on HDR is HDR*

    # HDR*, IDii, HASH_I [, N ] -->
    #                           <--   HDR*, IDir, HASH_R [, N ]
    ours, theirs = local_identity(connection, link.path), remote_identity(connection, link.path)
    idii, greeting = ours.to_payload(), await contact.greeting(link, connection, ours, theirs)
    try:
        (_, idir), sixth = await link.ask(
            idii,
            keying.hash_i(idii),
            *greeting,
            accept=lambda message: (accept_identity((keying,), link.chain, False, message), message),
            rubbish=mismatch((connection.psk,), Sign.ANSWER_TO_5),
            beside=beside.refusal(keying, ours),
        )
    except NoAnswer as silence:
        await link.unconfirmed(keying.sa(connection, choice, link, theirs, initiator=True, nat=found))
        raise _silent_after_message_5(connection.psk, ours, silence) from silence
    sa = keying.sa(connection, choice, link, theirs, initiator=True, nat=found)
    await link.unconfirmed(sa)
    await note_odd_ports(link, idir)
    identity = Identity.from_payload(idir)
    if identity != theirs:
        raise InvalidId(other_identity(identity, (connection,), link.path))
    sa = replace(sa, remote_id=identity, contacted=contact.is_said(sixth))  # the identity as it came
    return await lifetimes.heed(link, sa, sixth.all(NotifyPayload))


async def respond(link: Link, candidates: Candidates, entropy: Entropy) -> IsakmpSa:
    """Responder: which connection it is shows only in message 5."""
    # HDR, SA, VID              -->
    #                           <--   HDR, SA, VID
    offer = await link.receive(accept_offer)
    choice, candidates = candidates.choose(offer)
    sai_b = offer.body
    del offer  # what was read of it is long, and the peer nobody yet
    anyone, hash, group = candidates.stand_in(), choice.suite.hash, choice.suite.group
    method = nat.choose(anyone, link.vendor_ids)
    dpd = speaks_dpd(link)  # else IOS says it in message 3; to a stranger no answer is longer than what it answers
    await link.answer(choice.answer, *vendor_ids(anyone, nat.answered(method, link.vendor_ids), dpd=dpd))

    # HDR, KE, Ni, NAT-D        -->
    #                           <--   HDR, KE, Nr, NAT-D
    nr = entropy.octets(NONCE_OCTETS)
    peer = await link.receive(partial(accept_first_key_exchange, group, Once(group, entropy.octets)))
    found = nat.discovered(method, hash, link, anyone, peer.message)
    await nat.take(link, method, found, anyone, must_float=True)
    natd = nat.discovery(found.method, hash, link, anyone, entropy) if found else ()  # its numbers
    await link.answer(KePayload(peer.pair.public), NoncePayload(nr), *(() if dpd else DPD_ANNOUNCED), *natd)
    secrets = candidates.secrets()
    if candidates.untried:
        await link.note(SecretsNotTried(candidates.untried))
    public, nonces = (peer.public, peer.pair.public), (peer.nonce, nr)
    keyings = tuple(Keying.derive(psk, choice.suite, link.cookies, sai_b, public, nonces, peer.g_xy) for psk in secrets)
    del peer  # its message may be long
    await link.protect(*(keying.chain for keying in keyings))  # from here on HDR is HDR*

    # HDR*, IDii, HASH_I [, N ] -->
    #                           <--   HDR*, IDir, HASH_R [, N ]
    keying, idii, contacted = await link.receive(
        lambda message: (*accept_identity(keyings, link.chain, True, message), contact.is_said(message)),
        rubbish=mismatch(secrets, Sign.MESSAGE_5),
        complain=partial(beside.unreadable, keyings[0], entropy),
    )
    await note_odd_ports(link, idii)
    try:
        identity = Identity.from_payload(idii)
        connection = candidates.with_identity(keying.psk, identity, link.path)
    except InvalidId:
        claimed = Identity(idii.type, idii.data)
        await link.unconfirmed(keying.sa(anyone, choice, link, claimed, initiator=False, nat=found))
        raise
    sa = keying.sa(connection, choice, link, identity, initiator=False, nat=found, contacted=contacted)
    idir, greeting = sa.local_id.to_payload(), await contact.greeting(link, connection, sa.local_id, identity)
    claim = (lifetimes.claim(sa),) if sa.claims else ()
    await link.answer(idir, keying.hash_r(idir), *greeting, *claim)
    return with_block(sa, keying.chain.iv)


def _silent_after_message_5(psk: PreSharedKey, ours: Identity, error: NoAnswer) -> IkeError:
    """Another key, unless port 4500 alone is new: then nothing says that message 5 arrived."""
    silence = error.finding
    if not isinstance(silence, Silence):
        return error
    found = SilentIdentity(silence, psk.source, named(ours))
    floated = silence.port != silence.first_port and silence.refused is None and not silence.otherwise
    return NoAnswer(found) if floated else ProbablePskMismatch(found)
