"""Cipher suites: what one line of `ike_proposals`, `esp_proposals` or `ah_proposals` means."""

from __future__ import annotations

from dataclasses import field

from ikevd.frozen import frozen
from ikevd.wire.registry import AuthMethod, Cipher, Encapsulation, EspTransform, Group, Hash, Integrity, Protocol

TUNNEL = Encapsulation.TUNNEL
TRANSPORTS = (Encapsulation.TRANSPORT, Encapsulation.UDP_TRANSPORT, Encapsulation.UDP_TRANSPORT_DRAFT)
"""The encapsulation modes that protect packets of the two peers themselves; the others are tunnels."""


@frozen
class IkeSuite:
    """One phase 1 transform: what `aes256-sha256-modp2048` means for IKE."""

    cipher: Cipher
    key_bits: int
    hash: Hash
    group: Group
    auth: AuthMethod = AuthMethod.PSK


@frozen
class IpsecSuite:
    """One phase 2 transform: what `aes256-sha256` or, with PFS, `aes256-sha256-modp2048` means for ESP, or `sha256` for
    AH."""

    transform: EspTransform
    """AH: NULL, as it encrypts nothing."""
    key_bits: int
    integrity: Integrity
    group: Group | None = None
    """The PFS group, or None for a Quick Mode without KE."""
    mode: Encapsulation = TUNNEL
    protocol: Protocol = field(default=Protocol.ESP, hash=False)
    """Or AH or IPComp. No part of the hash, as the next one: that of an enum's member is dear, and few suites differ
    in these."""
    esn: bool = field(default=False, hash=False)
    """Sequence numbers of 64 bits (RFC 4304)."""

    @property
    def transport(self) -> bool:
        """Does it protect packets of the two peers themselves, and no tunnel?"""
        return self.mode is not TUNNEL and self.mode in TRANSPORTS


DEFLATE = IpsecSuite(EspTransform.NULL, 0, Integrity.NONE, protocol=Protocol.IPCOMP)
"""IPComp (RFC 3173) with deflate, which stands beside the suite of ESP: it has no key, and so no transform of ESP."""
