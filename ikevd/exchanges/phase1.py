"""What Main Mode and Aggressive Mode share: candidates, key agreement, HASH_I and HASH_R, identities."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ikevd.addresses import Path
from ikevd.crypto import groups, keys
from ikevd.crypto.ciphers import CbcCipher, IvChain
from ikevd.crypto.groups import KeyPair
from ikevd.crypto.keys import Phase1Keys
from ikevd.crypto.primitives import Prf, equal
from ikevd.crypto.private_values import Octets
from ikevd.crypto.secret import Secret
from ikevd.errors import InvalidHash, InvalidId, InvalidKey, NoProposalChosen, ProbablePskMismatch
from ikevd.exchanges import nat
from ikevd.exchanges.link import Link
from ikevd.findings import Named, OddPorts, OtherIdentity, OtherKey, Sign
from ikevd.frozen import frozen, replace
from ikevd.policy.choose import Phase1Choice, Phase1Offer, accept_phase1
from ikevd.policy.connection import Connection, PreSharedKey
from ikevd.policy.identity import USUAL_PORTS, Identity
from ikevd.policy.lives import agreed, is_claimed, refusal, shorter
from ikevd.policy.nat import Encap, NatMethod
from ikevd.policy.suites import IkeSuite
from ikevd.refusals import OtherHash
from ikevd.sa.model import Cookies, IsakmpSa, NatTraversal
from ikevd.wire.message import Message
from ikevd.wire.payloads import HashPayload, IdPayload, KePayload, NoncePayload, VidPayload
from ikevd.wire.registry import ExchangeType, Group
from ikevd.wire.sa import SaPayload
from ikevd.wire.vendor_ids import CISCO_UNITY, DPD, is_dpd

NONCE_OCTETS = 32
DPD_ANNOUNCED = (VidPayload(DPD),)
MAX_NAMED = 8
"""Identities that one message names."""


@frozen
class Candidates:
    """The connections that the peer may turn out to be, in the order of the file: narrowed by address, offer,
    secret and identity."""

    connections: tuple[Connection, ...]
    max_secrets: int = 8
    """Of Main Mode: how many different keys are tried against one message 5."""

    def claiming(self, identity: Identity, path: Path) -> Candidates:
        """Those that the peer may be by what it calls itself: Aggressive Mode says so in message 1."""
        named = _called(identity, self.connections, path)
        if not named:
            raise InvalidId(other_identity(identity, self.connections, path))
        return replace(self, connections=named)

    def choose(self, offer: SaPayload, public: bytes | None = None) -> tuple[Phase1Choice, Candidates]:
        """The first acceptable suite, and the candidates that accept it; `NoProposalChosen` names the nearest miss.

        `public`: the peer's public value where it came with the offer; then only its group will do.
        """
        if not self.connections:
            raise NoProposalChosen("no connection is configured for this peer")
        read, suites = Phase1Offer(offer), [_of_that_size(c.suites, public) for c in self.connections]
        choice = next((found for each in suites if (found := read.find(each))), None) or read.choose(suites[0])
        accepting = [c for c in self.connections if choice.suite in c.suites]
        refusals = [refusal(c.lifetime_check, c.lifetime, choice.lifetime) for c in accepting]
        if all(refusals):
            raise NoProposalChosen(refusals[0] or "")
        left = tuple([c for c, refused in zip(accepting, refusals, strict=True) if refused is None])
        return choice, Candidates(left, self.max_secrets)

    def stand_in(self) -> Connection:
        """One connection for all of them, before the peer has said which it means: what any of them needs, it has."""
        if len(self.connections) == 1:
            return self.connections[0]
        methods = dict.fromkeys(method for c in self.connections for method in c.nat_methods)
        return replace(
            self.connections[0],
            nat_methods=tuple(sorted(methods, key=list(NatMethod).index)),
            encap=Encap.FORCE if any(c.encap is Encap.FORCE for c in self.connections) else Encap.AUTO,
            cisco_unity=any(c.cisco_unity for c in self.connections),
        )

    def secrets(self) -> tuple[PreSharedKey, ...]:
        """The different pre-shared keys of the candidates, as many as may be tried."""
        return self._different_secrets()[: self.max_secrets]

    @property
    def untried(self) -> int:
        """How many different keys are left out by that bound."""
        return max(0, len(self._different_secrets()) - self.max_secrets)

    def _different_secrets(self) -> tuple[PreSharedKey, ...]:
        different: dict[Secret, PreSharedKey] = {}
        for connection in self.connections:
            different.setdefault(connection.psk.key, connection.psk)
        return tuple(different.values())

    def with_identity(self, psk: PreSharedKey, identity: Identity, path: Path) -> Connection:
        """The candidate with that secret and identity; raises `InvalidId` naming what was wanted."""
        same_secret = [connection for connection in self.connections if connection.psk.key == psk.key]
        if named := _called(identity, same_secret, path):
            return named[0]
        raise InvalidId(other_identity(identity, same_secret, path))


def _called(identity: Identity, connections: Sequence[Connection], path: Path) -> tuple[Connection, ...]:
    """Those whose peer calls itself so; where there are none, those whose peer may call itself anything."""
    named = tuple(
        [one for one in connections if not one.any_identity and identity == remote_identity(one, path)],
    )
    return named or tuple([one for one in connections if one.any_identity])


def _of_that_size(suites: Sequence[IkeSuite], public: bytes | None) -> Sequence[IkeSuite]:
    """The suites whose group has public values of that length, or all where none has: then the KE payload is wrong."""
    fitting = [suite for suite in suites if public is not None and groups.public_size(suite.group) == len(public)]
    return fitting or suites


def local_identity(connection: Connection, path: Path) -> Identity:
    """What we call ourselves: `local_id`, else our address."""
    return connection.local_id or Identity.of_address(path.local.address)


def remote_identity(connection: Connection, path: Path) -> Identity:
    """What the peer must call itself: `remote_id`, else its address."""
    return connection.remote_id or Identity.of_address(path.remote.address)


def named(identity: Identity) -> Named:
    """Value and type as they are shown."""
    return Named(str(identity), str(identity.type))


def other_identity(claimed: Identity, connections: Sequence[Connection], path: Path) -> OtherIdentity:
    """The peer calls itself as none of `connections` has it."""
    wanted = dict.fromkeys(named(remote_identity(connection, path)) for connection in connections[:MAX_NAMED])
    configured = any(connection.remote_id is not None for connection in connections)
    return OtherIdentity(named(claimed), tuple(wanted), configured)


@frozen
class Keying:
    """Everything that both sides hold once the key exchange is done, for one pre-shared key."""

    psk: PreSharedKey
    suite: IkeSuite
    cookies: Cookies
    sai_b: bytes
    g_xi: bytes
    g_xr: bytes
    keys: Phase1Keys
    under_skeyid: Prf
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
        under_skeyid = keys.under(suite.hash, skeyid)
        phase1, skeyid_e = keys.phase1_keys(under_skeyid, g_xy, cookies.initiator, cookies.responder)
        cipher_key = keys.isakmp_key(suite.hash, skeyid_e, suite.cipher, suite.key_bits)
        cipher = CbcCipher(suite.cipher, cipher_key)
        chain = IvChain(cipher, keys.phase1_iv(suite.hash, *public, cipher.block_size))
        return cls(psk, suite, cookies, sai_b, *public, phase1, under_skeyid, cipher_key, chain)

    def hash_i(self, identity: IdPayload) -> HashPayload:
        """HASH_I = prf(SKEYID, g^xi | g^xr | CKY-I | CKY-R | SAi_b | IDii_b)."""
        pair = self.cookies.initiator, self.cookies.responder
        return HashPayload(keys.hash_i(self.under_skeyid, self.g_xi, self.g_xr, *pair, self.sai_b, identity.body))

    def hash_r(self, identity: IdPayload) -> HashPayload:
        """HASH_R = prf(SKEYID, g^xr | g^xi | CKY-R | CKY-I | SAi_b | IDir_b)."""
        pair = self.cookies.initiator, self.cookies.responder
        return HashPayload(keys.hash_r(self.under_skeyid, self.g_xi, self.g_xr, *pair, self.sai_b, identity.body))

    def sa(
        self,
        connection: Connection,
        choice: Phase1Choice,
        link: Link,
        remote_id: Identity,
        *,
        initiator: bool,
        nat: NatTraversal | None,
        exchange: ExchangeType = ExchangeType.MAIN_MODE,
        contacted: bool = False,
    ) -> IsakmpSa:
        """The ISAKMP SA as far as it is known now."""
        check, ours, theirs = connection.lifetime_check, connection.lifetime, choice.lifetime
        lifetime = shorter(ours, theirs) if initiator else agreed(check, ours, theirs)
        return IsakmpSa(
            cookies=self.cookies,
            connection=connection.name,
            initiator=initiator,
            path=link.path,
            local_id=local_identity(connection, link.path),
            remote_id=remote_id,
            suite=self.suite,
            lifetime=lifetime,
            keys=self.keys,
            cipher_key=self.cipher_key,
            last_blocks=(self.chain.iv,),
            exchange=exchange,
            nat=nat,
            peer_vendors=link.peer_vendors,
            dpd=speaks_dpd(link),
            claims=not initiator and is_claimed(check, lifetime, theirs),
            contacted=contacted,
        )


def with_block(sa: IsakmpSa, block: bytes) -> IsakmpSa:
    """The same SA after one more encrypted message, which the peer may not have received."""
    return replace(sa, last_blocks=(block, *sa.last_blocks))


def vendor_ids(
    connection: Connection, nat_traversal: tuple[VidPayload, ...] | None = None, *, dpd: bool = True
) -> tuple[VidPayload, ...]:
    """What we announce: all our methods of NAT traversal, or the one that answers the peer's, dead peer detection, and
    what the connection adds."""
    more = (VidPayload(CISCO_UNITY),) if connection.cisco_unity else ()
    methods = nat.announced(connection) if nat_traversal is None else nat_traversal
    return (*methods, *(DPD_ANNOUNCED if dpd else ()), *more)


def speaks_dpd(link: Link) -> bool:
    """Has the peer announced dead peer detection (RFC 3706 section 5.1) so far?"""
    return any(map(is_dpd, link.vendor_ids))


def mismatch(secrets: tuple[PreSharedKey, ...], sign: Sign) -> ProbablePskMismatch:
    """Another key than ours, to judge by `sign`."""
    return ProbablePskMismatch(OtherKey(sign, tuple(psk.source for psk in secrets)))


async def note_odd_ports(link: Link, identity: IdPayload) -> None:
    """Nothing depends on them; RFC 2407 section 4.6.2 has them zero, or UDP and 500."""
    if (identity.protocol, identity.port) not in USUAL_PORTS:
        await link.note(OddPorts(identity.protocol, identity.port))


# -- what a message must hold to be accepted ----------------------------------------------------------------------


def accept_offer(message: Message) -> SaPayload:
    """Message 1: exactly one SA payload."""
    return message.one(SaPayload)


def accept_choice(offered: Sequence[IkeSuite], message: Message) -> Phase1Choice:
    """Message 2: one suite that we offered."""
    return accept_phase1(offered, message.one(SaPayload))


@frozen
class Agreed:
    """What a key exchange gave."""

    pair: KeyPair
    public: bytes
    """The peer's public value."""
    nonce: bytes
    """The peer's nonce."""
    g_xy: Secret
    message: Message
    """In which it came."""


def accept_key_exchange(pair: KeyPair, message: Message) -> Agreed:
    """Messages 3 and 4: the peer's public value and its nonce."""
    public, nonce = message.one(KePayload), message.one(NoncePayload)
    if public.body == pair.public:
        raise InvalidKey("the public value is our own: our message came back to us")
    return Agreed(pair, public.body, nonce.body, pair.shared(public.body), message)


def accept_first_key_exchange(group: Group, pair: Callable[[], KeyPair], message: Message) -> Agreed:
    """Message 3 at the responder. Our key pair is made only now: the message holds our cookie, so its sender is where
    it says (RFC 2408 section 2.5.3: nothing costly before that). `pair` makes it once, however many messages fail."""
    groups.check_size(group, message.one(KePayload).body)
    message.one(NoncePayload)
    return accept_key_exchange(pair(), message)


class Once:
    """A key pair that is made when it is asked for, and only once."""

    __slots__ = ("_group", "_octets", "_pair")

    def __init__(self, group: Group, octets: Octets) -> None:
        self._group = group
        self._octets = octets
        self._pair: KeyPair | None = None

    def __call__(self) -> KeyPair:
        """The same each time."""
        if self._pair is None:
            self._pair = groups.generate(self._group, self._octets)
        return self._pair


def accept_identity(
    keyings: Sequence[Keying], chain: IvChain, initiator: bool, message: Message
) -> tuple[Keying, IdPayload]:
    """Messages 5 and 6: the ID payload, proven by the HASH of the keying whose chain opened the message."""
    keying = next(k for k in keyings if k.chain is chain)
    identity, proof = message.one(IdPayload), message.one(HashPayload)
    expected = keying.hash_i(identity) if initiator else keying.hash_r(identity)
    if not equal(expected.body, proof.body):
        raise InvalidHash(OtherHash("HASH_I" if initiator else "HASH_R"))
    return keying, identity
