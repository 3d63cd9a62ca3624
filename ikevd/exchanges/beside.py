"""Refusals beside phase 1: encrypted Informational messages of their own, before any SA stands.

RFC 2409 section 5.7 wants the ISAKMP SA for them, but a peer that cannot accept an identity has keys already and uses
them. None of this moves the IV chain of the exchange itself.
"""

from __future__ import annotations

from functools import partial

from ikevd.crypto.ciphers import CbcCipher, IvChain
from ikevd.crypto.primitives import hash_size
from ikevd.crypto.secret import Secret
from ikevd.errors import IkeError, PeerDeleted, PeerRefused
from ikevd.exchanges import phase2
from ikevd.exchanges.link import Beside, Complaint
from ikevd.exchanges.phase1 import Keying, named
from ikevd.findings import IdentityRefused, IsakmpDeleted
from ikevd.host.entropy import Entropy
from ikevd.policy.identity import Identity
from ikevd.wire.message import Message
from ikevd.wire.payloads import DeletePayload, HashPayload, NotifyPayload
from ikevd.wire.registry import NotifyType, Protocol


def refusal(keying: Keying, ours: Identity) -> Beside:
    """What the peer may say instead of the message that is awaited, now that it knows that we are `ours`."""
    return Beside(partial(_chains, keying), partial(_accept, keying, ours))


def _chains(keying: Keying, message_id: int) -> tuple[IvChain, ...]:
    """IV = hash(last phase 1 block | M-ID), as strongSwan has it.

    # Deviates: libreswan 4.10 takes no block at all, hash(M-ID).
    """
    return phase2.chains_from(keying, (keying.chain.iv, b""), message_id)


def _accept(keying: Keying, ours: Identity, message: Message) -> IkeError | None:
    """HDR*, HASH(1), N/D: with a pre-shared key a HASH that holds proves that the peer has our key."""
    phase2.Hashes(keying, message.header.message_id).accept_1(message)
    for notify in message.all(NotifyPayload):
        if notify.type.is_error and notify.type != NotifyType.PAYLOAD_MALFORMED:  # one copy was altered on the way
            return PeerRefused(IdentityRefused(str(notify.type), named(ours)), notify.type)
    deletes = [delete for delete in message.all(DeletePayload) if delete.protocol == Protocol.ISAKMP]
    deleted = any(keying.cookies.octets in delete.spis for delete in deletes)
    return PeerDeleted(IsakmpDeleted()) if deleted else None


def unreadable(keying: Keying, entropy: Entropy) -> Complaint:
    """PAYLOAD-MALFORMED for a message 5 that does not decrypt, as strongSwan says it. So the peer learns that its
    message arrived and that the keys differ.

    # Deviates: strongSwan seals it under its own key, which a peer with another key cannot read either; but anybody who
    sends rubbish could then try guesses of the secret on it, offline. Here key, IV and HASH are of the moment.
    """
    suite = keying.suite
    cipher = CbcCipher(suite.cipher, Secret(entropy.octets(len(keying.cipher_key))))
    proof = HashPayload(entropy.octets(hash_size(suite.hash)))
    notify = NotifyPayload(Protocol.ISAKMP, NotifyType.PAYLOAD_MALFORMED, keying.cookies.octets)
    message_id = int.from_bytes(entropy.octets(4), "big") or 1
    return Complaint(message_id, IvChain(cipher, entropy.octets(cipher.block_size)), (proof, notify))
