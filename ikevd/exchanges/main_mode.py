"""Main Mode with a pre-shared key (RFC 2409 sections 5 and 5.4)."""

from __future__ import annotations

from functools import partial

from ikevd.crypto import groups
from ikevd.errors import InvalidId, NoAnswer, ProbablePskMismatch
from ikevd.exchanges.link import Link
from ikevd.exchanges.phase1 import (
    NONCE_OCTETS,
    Candidates,
    Keying,
    accept_choice,
    accept_first_key_exchange,
    accept_identity,
    accept_key_exchange,
    accept_offer,
    describe_identity,
    local_identity,
    remote_identity,
    with_block,
)
from ikevd.host.interface import Entropy
from ikevd.policy.model import Connection, PreSharedKey
from ikevd.policy.transforms import offer_phase1
from ikevd.sa.model import IsakmpSa
from ikevd.wire.payloads import KePayload, NoncePayload


async def initiate(link: Link, connection: Connection, entropy: Entropy) -> IsakmpSa:
    """Initiator. Raises `IkeError`; the SA stands only when this returns."""
    # HDR, SA                   -->
    #                           <--   HDR, SA
    offer = offer_phase1(connection.suites, connection.lifetime)
    choice = await link.ask(offer, accept=lambda message: accept_choice(offer, connection, message))

    # HDR, KE, Ni               -->
    #                           <--   HDR, KE, Nr
    pair, ni = groups.generate(choice.suite.group), entropy.octets(NONCE_OCTETS)
    g_xr, nr, g_xy = await link.ask(
        KePayload(pair.public), NoncePayload(ni), accept=lambda message: accept_key_exchange(pair, message)
    )
    keying = Keying.derive(connection.psk, choice.suite, link.cookies, offer.body, (pair.public, g_xr), (ni, nr), g_xy)
    await link.protect(keying.chain)  # from here on HDR is HDR*

    # HDR*, IDii, HASH_I        -->
    #                           <--   HDR*, IDir, HASH_R
    ours, theirs = local_identity(connection, link.path), remote_identity(connection, link.path)
    idii = ours.to_payload()
    mismatch = _mismatch((connection.psk,), "the answer to message 5 does not decrypt")
    try:
        _, identity = await link.ask(
            idii,
            keying.hash_i(idii),
            accept=lambda message: accept_identity((keying,), link.chain, False, message),
            rubbish=mismatch,
        )
    except NoAnswer as silence:
        await link.unconfirmed(keying.sa(connection, choice, link.path, theirs, initiator=True))
        raise _silent_after_message_5(connection.psk, describe_identity(ours), silence) from silence
    sa = keying.sa(connection, choice, link.path, identity, initiator=True)
    await link.unconfirmed(sa)
    if identity != theirs:
        wanted = describe_identity(theirs)
        raise InvalidId(f"the peer calls itself {describe_identity(identity)}; {wanted} is configured as remote_id")
    return sa


async def respond(link: Link, candidates: Candidates, entropy: Entropy) -> IsakmpSa:
    """Responder: which connection it is shows only in message 5."""
    # HDR, SA                   -->
    #                           <--   HDR, SA
    offer = await link.receive(accept_offer)
    choice, candidates = candidates.choose(offer)
    await link.answer(choice.answer)

    # HDR, KE, Ni               -->
    #                           <--   HDR, KE, Nr
    nr = entropy.octets(NONCE_OCTETS)
    pair, g_xi, ni, g_xy = await link.receive(partial(accept_first_key_exchange, choice.suite.group))
    await link.answer(KePayload(pair.public), NoncePayload(nr))
    secrets = candidates.secrets()
    keyings = tuple(
        Keying.derive(psk, choice.suite, link.cookies, offer.body, (g_xi, pair.public), (ni, nr), g_xy)
        for psk in secrets
    )
    await link.protect(*(keying.chain for keying in keyings))  # from here on HDR is HDR*

    # HDR*, IDii, HASH_I        -->
    #                           <--   HDR*, IDir, HASH_R
    keying, identity = await link.receive(
        lambda message: accept_identity(keyings, link.chain, True, message),
        rubbish=_mismatch(secrets, "message 5 does not decrypt"),
    )
    try:
        connection = candidates.with_identity(keying.psk, identity, link.path)
    except InvalidId:
        first = candidates.connections[0]
        await link.unconfirmed(keying.sa(first, choice, link.path, identity, initiator=False))
        raise
    sa = keying.sa(connection, choice, link.path, identity, initiator=False)
    idir = sa.local_id.to_payload()
    await link.answer(idir, keying.hash_r(idir))
    return with_block(sa, keying.chain.iv)


def _mismatch(secrets: tuple[PreSharedKey, ...], seen: str) -> ProbablePskMismatch:
    tried = ", ".join(psk.source for psk in secrets)
    return ProbablePskMismatch(
        f"probable pre-shared key mismatch: {seen}; the secret that was tried is defined at {tried}"
    )


def _silent_after_message_5(psk: PreSharedKey, identity: str, silence: NoAnswer) -> ProbablePskMismatch:
    return ProbablePskMismatch(
        f"probable pre-shared key mismatch: {silence} - the peer went silent at message 5, the first encrypted one; "
        f"the secret that was tried is defined at {psk.source}. Or the peer refuses our identity {identity}"
    )
