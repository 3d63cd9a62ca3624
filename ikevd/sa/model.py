"""ISAKMP SAs and IPsec SAs: frozen values that can be stored, listed and compared."""

from __future__ import annotations

from ikevd.addresses import Address, Path
from ikevd.crypto.keys import Phase1Keys
from ikevd.crypto.secret import Secret
from ikevd.frozen import frozen
from ikevd.policy.identity import Identity
from ikevd.policy.lives import Lifetime
from ikevd.policy.nat import NatMethod
from ikevd.policy.selectors import TrafficSelector
from ikevd.policy.suites import IkeSuite, IpsecSuite
from ikevd.wire.registry import ExchangeType, Protocol

COOKIE_OCTETS = 8
NO_COOKIE = bytes(COOKIE_OCTETS)


@frozen
class Cookies:
    """The pair that names an ISAKMP SA (RFC 2408 section 2.5.3); `responder` is zero in the first message."""

    initiator: bytes
    responder: bytes = NO_COOKIE

    @property
    def octets(self) -> bytes:
        """Both, the initiator's first: the SPI of the ISAKMP SA."""
        return self.initiator + self.responder

    def __str__(self) -> str:
        return f"{self.initiator.hex()}:{self.responder.hex()}"


AH_SPACE, IPCOMP_SPACE = 1 << 32, 2 << 32
AH, ESP, IPCOMP = Protocol.AH, Protocol.ESP, Protocol.IPCOMP
SPACES = {ESP: 0, AH: AH_SPACE, IPCOMP: IPCOMP_SPACE}


class Spi(int):
    """The SPI of an IPsec SA with its protocol, since each has a number space of its own: that of an ESP SA is its 32
    bits, that of an AH SA has `AH_SPACE` above them. The CPI of IPComp, of 16 bits, has `IPCOMP_SPACE` above."""

    @classmethod
    def of(cls, protocol: Protocol, octets: bytes) -> Spi:
        """From four octets, network order, a CPI from two. `protocol`: ESP, AH or IPCOMP; what else a peer may say is
        taken for ESP."""
        return cls(int.from_bytes(octets, "big") | (SPACES.get(protocol, 0) if protocol != ESP else 0))

    @property
    def protocol(self) -> Protocol:
        """ESP, AH or IPCOMP."""
        if self < AH_SPACE:
            return ESP
        return AH if self & AH_SPACE else IPCOMP

    @property
    def number(self) -> int:
        """The 32 bits that travel; of a CPI, 16 do."""
        return self & (AH_SPACE - 1)

    @property
    def octets(self) -> bytes:
        """Four octets, network order."""
        return (self & (AH_SPACE - 1)).to_bytes(4, "big")

    def __str__(self) -> str:
        return f"{self.number:04x}" if self & IPCOMP_SPACE else f"{self.number:08x}"

    def __repr__(self) -> str:
        return f"Spi(0x{int(self):08x})"


@frozen
class NatTraversal:
    """What phase 1 found out about NATs between the peers (RFC 3947 section 3)."""

    method: NatMethod
    local: bool
    """Is this side behind a NAT?"""
    remote: bool
    """Is the peer behind a NAT?"""
    forced: bool = False
    """Does `encap: force` want ESP in UDP, NAT or not?"""
    tried: bool = False
    """Is ESP in UDP tried, or kept, since ESP alone seems to be blocked?"""

    @property
    def encapsulates(self) -> bool:
        """Does ESP travel in UDP?"""
        return self.local or self.remote or self.forced or self.tried


@frozen
class UdpEncapsulation:
    """The UDP ports that ESP travels between (RFC 3948), seen from this machine."""

    local_port: int
    remote_port: int


@frozen
class IsakmpSa:
    """An established ISAKMP SA."""

    cookies: Cookies
    connection: str
    initiator: bool
    """Did we initiate it?"""
    path: Path
    """The endpoints of the last accepted message of phase 1."""
    local_id: Identity
    remote_id: Identity
    suite: IkeSuite
    lifetime: Lifetime
    keys: Phase1Keys
    cipher_key: Secret
    """After the stretch of RFC 2409 appendix B."""
    last_blocks: tuple[bytes, ...]
    """Last CBC block of phase 1: phase 2 IVs begin from it (RFC 2409 appendix B).

    A responder also holds the block before its last message, which it cannot know to have arrived: an initiator
    that gave up waiting for it says Delete from there.
    """
    exchange: ExchangeType = ExchangeType.MAIN_MODE
    nat: NatTraversal | None = None
    """None: one of the peers does not speak NAT traversal."""
    peer_vendors: tuple[str, ...] = ()
    """Names of the peer's vendor IDs, in the order in which they came."""
    dpd: bool = False
    """Did the peer announce dead peer detection (RFC 3706)?"""
    contacted: bool = False
    """Did the peer say in phase 1, encrypted, that it holds nothing else with us (INITIAL-CONTACT)?"""
    claims: bool = False
    """Has the initiator, which is the peer, proposed a longer life? Then it is told of ours."""

    @property
    def our_cookie(self) -> bytes:
        """The cookie that this side minted."""
        return self.cookies.initiator if self.initiator else self.cookies.responder


@frozen
class EspKeys:
    """Of one direction of an IPsec SA pair. The kernel alone keeps them: an SA that it lost is never added again."""

    encryption: Secret
    """The cipher's key, with its salt where there is one."""
    integrity: Secret
    """Empty where the cipher authenticates by itself."""


NO_KEY = EspKeys(Secret(b""), Secret(b""))
"""Of IPComp, which keeps no secret."""


@frozen
class Share:
    """The selectors of another child of ours that a pair carries, too."""

    child: str
    local: TrafficSelector
    remote: TrafficSelector


@frozen
class AskedFor:
    """What the peer asked for, and holds the pair to be for, where no child has exactly that."""

    local: TrafficSelector
    remote: TrafficSelector
    also: tuple[Share, ...] = ()
    """What other children have of it."""


@frozen
class Cpis:
    """The compression parameter indexes (RFC 3173) of a pair whose packets are compressed before ESP encrypts them."""

    inbound: Spi
    """Ours: what the peer compresses bears it."""
    outbound: Spi


@frozen
class IpsecSa:
    """A pair of ESP or AH SAs, both directions, agreed in one Quick Mode; their keys travel beside it (`EspKeys`)."""

    child: str
    reqid: int
    local: Address
    remote: Address
    local_selector: TrafficSelector
    remote_selector: TrafficSelector
    suite: IpsecSuite
    lifetime: Lifetime
    replay_window: int
    inbound: Spi
    """Ours: the peer sends to it."""
    outbound: Spi
    """The peer's: we send to it."""
    initiator: bool
    """Did we start the Quick Mode?"""
    encap: UdpEncapsulation | None = None
    """None: ESP travels as its own IP protocol."""
    icv_bits: int | None = None
    """Length of the integrity check value where it is not the usual one of the suite."""
    asked: AskedFor | None = None
    """None: its selectors."""
    cpis: Cpis | None = None
    """None: nothing is compressed."""

    @property
    def inbound_spis(self) -> tuple[Spi, ...]:
        """Of all SAs that its packets come by."""
        return (self.inbound,) if self.cpis is None else (self.cpis.inbound, self.inbound)

    @property
    def outbound_spis(self) -> tuple[Spi, ...]:
        """Of all SAs that its packets leave by, in their order."""
        return (self.outbound,) if self.cpis is None else (self.cpis.outbound, self.outbound)

    @property
    def selectors(self) -> tuple[TrafficSelector, TrafficSelector]:
        """Local and remote."""
        return self.local_selector, self.remote_selector
