"""Diffie-Hellman key pairs over the octets of KE payloads (RFC 2409 sections 5 and 6, RFC 8031)."""

from __future__ import annotations

from abc import ABC, abstractmethod

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from ikevd.crypto import modp
from ikevd.crypto.secret import Secret
from ikevd.errors import InvalidKey
from ikevd.wire.registry import Group

SUPPORTED = frozenset({*modp.PARAMETERS, Group.CURVE25519})
CURVE25519_SIZE = 32


def public_size(group: Group) -> int:
    """Octets of the public value in a KE payload of this group."""
    return CURVE25519_SIZE if group == Group.CURVE25519 else _parameters(group).size


def generate(group: Group) -> KeyPair:
    """A fresh key pair, for one exchange."""
    if group == Group.CURVE25519:
        return Curve25519KeyPair(X25519PrivateKey.generate())
    return ModpKeyPair(group, modp.new_key(_parameters(group)))


class KeyPair(ABC):
    """Our half of one Diffie-Hellman exchange."""

    __slots__ = ("group", "public")

    def __init__(self, group: Group, public: bytes) -> None:
        self.group = group
        self.public = public
        """g^x as in the KE payload, padded to `public_size`."""

    def shared(self, peer_public: bytes) -> Secret:
        """g^xy, padded on the left to the length of the group. Raises InvalidKey, cheaply where it can."""
        wanted = public_size(self.group)
        if len(peer_public) != wanted:
            raise InvalidKey(f"KE of {self.group} has {len(peer_public)} octets, not {wanted}")
        return Secret(self._agree(peer_public))

    @abstractmethod
    def _agree(self, peer_public: bytes) -> bytes:
        """g^xy; the length of `peer_public` is right."""

    def __repr__(self) -> str:
        return f"<KeyPair {self.group}>"


class ModpKeyPair(KeyPair):
    """A key pair of one of the MODP groups."""

    __slots__ = ("_key",)

    def __init__(self, group: Group, key: modp.Key) -> None:
        super().__init__(group, key.public.to_bytes(public_size(group), "big"))
        self._key = key

    def _agree(self, peer_public: bytes) -> bytes:
        peer = int.from_bytes(peer_public, "big")
        if not 1 < peer < _parameters(self.group).prime - 1:
            raise InvalidKey(f"KE of {self.group} is not between 1 and p - 1")
        return self._key.shared(peer).to_bytes(len(peer_public), "big")


class Curve25519KeyPair(KeyPair):
    """X25519: 32 octets each way, as they are (RFC 8031 section 3.1)."""

    __slots__ = ("_private",)

    def __init__(self, private: X25519PrivateKey) -> None:
        super().__init__(Group.CURVE25519, private.public_key().public_bytes_raw())
        self._private = private

    def _agree(self, peer_public: bytes) -> bytes:
        try:
            return self._private.exchange(X25519PublicKey.from_public_bytes(peer_public))
        except ValueError:  # the all-zero secret (RFC 7748 section 6.1)
            raise InvalidKey(f"KE of {self.group} is a point of small order") from None


def _parameters(group: Group) -> modp.Parameters:
    parameters = modp.PARAMETERS.get(group)
    if parameters is None:
        raise ValueError(f"group {group} is not supported")
    return parameters
