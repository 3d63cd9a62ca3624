"""What is configured on the router, and what its release makes of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from ikevd.addresses import Path
from ikevd.crypto.ciphers import CbcCipher, key_length
from ikevd.crypto.secret import Secret
from ikevd.wire.registry import Cipher, Group, Hash
from tests.persona import octets
from tests.persona.formulas import Keys, digest

HASH_NAMES = {Hash.MD5: "md5", Hash.SHA1: "sha1", Hash.SHA2_256: "sha256"}
NAT_D = {octets.RFC_3947: 20, octets.DRAFT_07: 15, octets.DRAFT_03: 130, octets.DRAFT_02: 130}
UDP_TUNNEL = {octets.RFC_3947: 3, octets.DRAFT_07: 3, octets.DRAFT_03: 61443, octets.DRAFT_02: 61443}
TUNNEL = 1


@dataclass(frozen=True)
class Policy:
    """`crypto isakmp policy`: one transform of phase 1."""

    cipher: Cipher = Cipher.AES_CBC
    key_bits: int = 128
    hash: Hash = Hash.SHA1
    group: Group = Group.MODP_1024
    life: int = 86400

    @property
    def hash_name(self) -> str:
        return HASH_NAMES[self.hash]

    def transform(self, number: int) -> bytes:
        """The attributes in the order of the captures."""
        length = (octets.attribute(14, self.key_bits),) if self.key_bits else ()
        return octets.transform(
            number,
            1,
            octets.attribute(1, self.cipher),
            *length,
            octets.attribute(2, self.hash),
            octets.attribute(4, self.group),
            octets.attribute(3, 1),
            octets.attribute(11, 1),
            octets.attribute(12, self.life),
        )

    def is_in(self, numbers: dict[int, int]) -> bool:
        """Does a transform with these attributes ask for it? The life does not matter."""
        wanted = {1: int(self.cipher), 2: int(self.hash), 3: 1, 4: int(self.group)} | (
            {14: self.key_bits} if self.key_bits else {}
        )
        return {k: v for k, v in numbers.items() if k in (1, 2, 3, 4, 14)} == wanted

    def cbc(self, keys: Keys) -> CbcCipher:
        octets = key_length(self.cipher, self.key_bits)
        return CbcCipher(self.cipher, Secret(keys.cipher_key(octets)))


@dataclass(frozen=True)
class Release:
    """What differs between IOS releases on the wire."""

    announces: tuple[bytes, ...]
    """Vendor IDs of message 1: ways of NAT traversal, best first."""
    unity_as_initiator: bool
    numbers_of: bytes | None = None
    """The way whose numbers it uses whatever was agreed: routers that get RFC 3947 wrong."""

    def nat_d(self, agreed: bytes) -> int:
        return NAT_D[self.numbers_of or agreed]

    def udp_tunnel(self, agreed: bytes) -> int:
        return UDP_TUNNEL[self.numbers_of or agreed]


IOS_12 = Release((octets.DRAFT_07, octets.DRAFT_03, octets.DRAFT_02), unity_as_initiator=True)
"""The capture of 2008."""
IOS_15 = Release((octets.RFC_3947, octets.DRAFT_07, octets.DRAFT_03, octets.DRAFT_02), unity_as_initiator=False)
"""The capture of 2015."""


@dataclass(frozen=True)
class Router:
    """One IOS router as seen by us. `group_name` makes it begin Aggressive Mode with ID_KEY_ID; `hostname` is what it
    calls itself after `crypto isakmp identity hostname`."""

    psk: bytes
    release: Release = IOS_15
    policies: tuple[Policy, ...] = (Policy(),)
    group_name: str | None = None
    hostname: str | None = None
    local_lan: tuple[bytes, bytes] = (bytes([10, 1, 0, 0]), bytes([255, 255, 255, 0]))
    remote_lan: tuple[bytes, bytes] = (bytes([10, 2, 0, 0]), bytes([255, 255, 255, 0]))
    seconds: int = 3600
    kilobytes: int = 4_608_000
    pfs: Group | None = None
    claims: int | None = None
    """As responder of a Quick Mode: the seconds of its RESPONDER-LIFETIME."""
    isakmp_claims: int | None = None
    """The same as responder of phase 1, in its last message."""
    name: bytes = b"router"

    def random(self, what: str, count: int) -> bytes:
        """The same octets for the same router: nonces."""
        return hashlib.shake_128(self.name + what.encode()).digest(count)

    def offer(self) -> bytes:
        """Every policy by priority, numbered from 1."""
        transforms = [policy.transform(number) for number, policy in enumerate(self.policies, start=1)]
        return octets.sa(octets.ISAKMP, b"", transforms)

    def identity(self, path: Path) -> bytes:
        """17/500, or 17/0 once it speaks on port 4500."""
        port = 500 if path.local.port == 500 else 0
        if self.group_name is not None:
            return octets.identity(octets.ID_KEY_ID, self.group_name.encode(), octets.UDP, port)
        if self.hostname is not None:
            return octets.identity(octets.ID_FQDN, self.hostname.encode(), octets.UDP, port)
        return octets.identity(octets.ID_IPV4, path.local.address.packed, octets.UDP, port)

    def vendor_ids(self, cookie: bytes, *, initiator: bool) -> tuple[bytes, ...]:
        """What it says of itself: in messages 3 and 4 of Main Mode, 1 and 2 of Aggressive Mode."""
        unity = () if initiator and not self.release.unity_as_initiator else (octets.UNITY,)
        return *unity, octets.DPD, octets.ios_vendor_id(cookie), octets.XAUTH


@dataclass(frozen=True)
class RouterSa:
    """The router's ISAKMP SA."""

    router: Router
    policy: Policy
    cookies: tuple[bytes, bytes]
    keys: Keys
    last_block: bytes
    path: Path
    peer_id: bytes
    udp_tunnel: int | None
    """The encapsulation mode where a NAT was found."""

    def chain(self, message_id: int) -> octets.AlwaysPadded:
        """Appendix B: the IV of phase 2."""
        cipher = self.policy.cbc(self.keys)
        iv = digest(self.keys.name, self.last_block, message_id.to_bytes(4, "big"))
        return octets.AlwaysPadded(cipher, iv[: cipher.block_size])


@dataclass
class RouterPair:
    """The router's IPsec SAs of one Quick Mode."""

    spis: tuple[bytes, bytes]
    """Its own, the peer's."""
    inbound: bytes = field(repr=False)
    outbound: bytes = field(repr=False)
    notified: list[bytes] = field(default_factory=list)
