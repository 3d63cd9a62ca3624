"""What Main Mode and Aggressive Mode share: candidates, key agreement, HASH_I and HASH_R, identities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ikevd.addresses import Path
from ikevd.crypto import groups, keys
from ikevd.crypto.ciphers import CbcCipher, IvChain, key_length
from ikevd.crypto.groups import KeyPair
from ikevd.crypto.keys import Phase1Keys
from ikevd.crypto.primitives import equal
from ikevd.crypto.secret import Secret
from ikevd.errors import InvalidHash, InvalidId, NoProposalChosen
from ikevd.policy.choose import Phase1Choice, accept_phase1, choose_phase1, shorter
from ikevd.policy.identity import Identity
from ikevd.policy.model import Connection, IkeSuite, PreSharedKey
from ikevd.sa.model import Cookies, IsakmpSa
from ikevd.wire.message import Message
from ikevd.wire.payloads import HashPayload, IdPayload, KePayload, NoncePayload
from ikevd.wire.registry import Group
from ikevd.wire.sa import SaPayload

NONCE_OCTETS = 32


@dataclass(frozen=True, slots=True)
class Candidates:
    """The connections that the peer may turn out to be, in the order of the file: narrowed by address, offer,
    secret and identity."""

    connections: tuple[Connection, ...]

    def choose(self, offer: SaPayload) -> tuple[Phase1Choice, Candidates]:
        """The first acceptable suite, and the candidates that accept it; `NoProposalChosen` names the nearest miss."""
        miss: NoProposalChosen | None = None
        for connection in self.connections:
            try:
                choice = choose_phase1(offer, connection.suites, connection.lifetime)
            except NoProposalChosen as nearest:
                miss = miss or nearest
                continue
            return choice, Candidates(tuple(c for c in self.connections if choice.suite in c.suites))
        raise miss or NoProposalChosen("no connection is configured for this peer")

    def secrets(self) -> tuple[PreSharedKey, ...]:
        """The different pre-shared keys of the candidates."""
        return tuple({connection.psk.key: connection.psk for connection in reversed(self.connections)}.values())[::-1]

    def with_identity(self, psk: PreSharedKey, identity: Identity, path: Path) -> Connection:
        """The candidate with that secret and identity; raises `InvalidId` naming what was wanted."""
        same_secret = [connection for connection in self.connections if connection.psk.key == psk.key]
        for connection in same_secret:
            if identity == remote_identity(connection, path):
                return connection
        wanted = " or ".join(describe_identity(remote_identity(connection, path)) for connection in same_secret)
        raise InvalidId(f"the peer calls itself {describe_identity(identity)}; {wanted} is configured as remote_id")


def local_identity(connection: Connection, path: Path) -> Identity:
    """What we call ourselves: `local_id`, else our address."""
    return connection.local_id or Identity.of_address(path.local.address)


def remote_identity(connection: Connection, path: Path) -> Identity:
    """What the peer must call itself: `remote_id`, else its address."""
    return connection.remote_id or Identity.of_address(path.remote.address)


def describe_identity(identity: Identity) -> str:
    """Value and type, since a difference in type alone is a common fault."""
    return f"{identity} ({identity.type})"


@dataclass(frozen=True, slots=True)
class Keying:
    """Everything that both sides hold once the key exchange is done, for one pre-shared key."""

    psk: PreSharedKey
    suite: IkeSuite
    cookies: Cookies
    sai_b: bytes
    g_xi: bytes
    g_xr: bytes
    keys: Phase1Keys
    cipher_key: Secret
    chain: IvChain

    @classmethod
    def derive(
        cls,
        psk: PreSharedKey,
        suite: IkeSuite,
        cookies: Cookies,
        sai_b: bytes,
        public: tuple[bytes, bytes],
        nonces: tuple[bytes, bytes],
        g_xy: Secret,
    ) -> Keying:
        """`public` is (g^xi, g^xr), `nonces` is (Ni_b, Nr_b); RFC 2409 section 5 and appendix B."""
        skeyid = keys.skeyid_psk(suite.hash, psk.key, *nonces)
        phase1 = keys.phase1_keys(suite.hash, skeyid, g_xy, cookies.initiator, cookies.responder)
        cipher_key = keys.cipher_key(suite.hash, phase1.skeyid_e, key_length(suite.cipher, suite.key_bits))
        cipher = CbcCipher(suite.cipher, cipher_key)
        chain = IvChain(cipher, keys.phase1_iv(suite.hash, *public, cipher.block_size))
        return cls(psk, suite, cookies, sai_b, *public, phase1, cipher_key, chain)

    def hash_i(self, identity: IdPayload) -> HashPayload:
        """HASH_I = prf(SKEYID, g^xi | g^xr | CKY-I | CKY-R | SAi_b | IDii_b)."""
        pair = self.cookies.initiator, self.cookies.responder
        return HashPayload(keys.hash_i(self.keys, self.g_xi, self.g_xr, *pair, self.sai_b, identity.body))

    def hash_r(self, identity: IdPayload) -> HashPayload:
        """HASH_R = prf(SKEYID, g^xr | g^xi | CKY-R | CKY-I | SAi_b | IDir_b)."""
        pair = self.cookies.initiator, self.cookies.responder
        return HashPayload(keys.hash_r(self.keys, self.g_xi, self.g_xr, *pair, self.sai_b, identity.body))

    def sa(
        self,
        connection: Connection,
        choice: Phase1Choice,
        path: Path,
        remote_id: Identity,
        *,
        initiator: bool,
    ) -> IsakmpSa:
        """The ISAKMP SA as far as it is known now."""
        return IsakmpSa(
            cookies=self.cookies,
            connection=connection.name,
            initiator=initiator,
            path=path,
            local_id=local_identity(connection, path),
            remote_id=remote_id,
            suite=self.suite,
            lifetime=shorter(connection.lifetime, choice.lifetime),
            keys=self.keys,
            cipher_key=self.cipher_key,
            last_blocks=(self.chain.iv,),
        )


def with_block(sa: IsakmpSa, block: bytes) -> IsakmpSa:
    """The same SA after one more encrypted message, which the peer may not have received."""
    return replace(sa, last_blocks=(block, *sa.last_blocks))


# -- what a message must hold to be accepted ----------------------------------------------------------------------


def accept_offer(message: Message) -> SaPayload:
    """Message 1: exactly one SA payload."""
    return message.one(SaPayload)


def accept_choice(offer: SaPayload, connection: Connection, message: Message) -> Phase1Choice:
    """Message 2: one transform that we offered."""
    return accept_phase1(offer, message.one(SaPayload), connection.lifetime)


def accept_key_exchange(pair: KeyPair, message: Message) -> tuple[bytes, bytes, Secret]:
    """Messages 3 and 4: the peer's public value, its nonce, and g^xy."""
    public, nonce = message.one(KePayload), message.one(NoncePayload)
    return public.body, nonce.body, pair.shared(public.body)


def accept_first_key_exchange(group: Group, message: Message) -> tuple[KeyPair, bytes, bytes, Secret]:
    """Message 3 at the responder. Our key pair is made only now: the message holds our cookie, so its sender is where
    it says (RFC 2408 section 2.5.3: nothing costly before that)."""
    message.one(KePayload)
    message.one(NoncePayload)
    pair = groups.generate(group)
    return pair, *accept_key_exchange(pair, message)


def accept_identity(
    keyings: Sequence[Keying], chain: IvChain, initiator: bool, message: Message
) -> tuple[Keying, Identity]:
    """Messages 5 and 6: the identity, proven by the HASH of the keying whose chain opened the message."""
    keying = next(k for k in keyings if k.chain is chain)
    identity, proof = message.one(IdPayload), message.one(HashPayload)
    expected = keying.hash_i(identity) if initiator else keying.hash_r(identity)
    if not equal(expected.body, proof.body):
        name = "HASH_I" if initiator else "HASH_R"
        raise InvalidHash(f"{name} does not match: the message was altered, or the peer computes it otherwise")
    return keying, Identity.from_payload(identity)
