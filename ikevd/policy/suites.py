"""Cipher suites: what one line of `ike_proposals` or `esp_proposals` means."""

from __future__ import annotations

from ikevd.frozen import frozen
from ikevd.wire.registry import AuthMethod, Cipher, Encapsulation, EspTransform, Group, Hash, Integrity


@frozen
class IkeSuite:
    """One phase 1 transform: what `aes256-sha256-modp2048` means for IKE."""

    cipher: Cipher
    key_bits: int
    hash: Hash
    group: Group
    auth: AuthMethod = AuthMethod.PSK


@frozen
class EspSuite:
    """One phase 2 transform: what `aes256-sha256` or, with PFS, `aes256-sha256-modp2048` means for ESP."""

    transform: EspTransform
    key_bits: int
    integrity: Integrity
    group: Group | None = None
    """The PFS group, or None for a Quick Mode without KE."""
    mode: Encapsulation = Encapsulation.TUNNEL
