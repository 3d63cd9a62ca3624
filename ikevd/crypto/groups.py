"""Diffie-Hellman key pairs over the octets of KE payloads (RFC 2409 sections 5 and 6): every group behind one door."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from ikevd.crypto import curves, ecp, modp
from ikevd.crypto.private_values import Octets
from ikevd.crypto.secret import Secret
from ikevd.errors import InvalidKey
from ikevd.frozen import frozen
from ikevd.wire.registry import Group


class Half(Protocol):
    """Our private value in one kind of group."""

    @property
    def public(self) -> bytes:
        """Our public value as in the KE payload."""

    def agree(self, peer_public: bytes) -> bytes:
        """The shared secret, as long as the group tells. The length of `peer_public` is right.

        Raises ValueError, its text an end of the sentence `KE of GROUP is ...`.
        """


@frozen
class _Row:
    public_size: int
    generate: Callable[[Octets], Half]


_GROUPS: Mapping[Group, _Row] = {
    **{group: _Row(row.size, partial(modp.ModpHalf.generate, row)) for group, row in modp.PARAMETERS.items()},
    **{
        group: _Row(2 * ecp.coordinate_size(curve), partial(ecp.EcpHalf.generate, curve))
        for group, curve in ecp.CURVES.items()
    },
    Group.CURVE25519: _Row(curves.X25519_SIZE, lambda octets: curves.x25519(octets(curves.X25519_SIZE))),
    Group.CURVE448: _Row(curves.X448_SIZE, lambda octets: curves.x448(octets(curves.X448_SIZE))),
}

SUPPORTED = frozenset(_GROUPS)


def public_size(group: Group) -> int:
    """Octets of the public value in a KE payload of this group."""
    return _row(group).public_size


def check_size(group: Group, public: bytes) -> None:
    """Raises InvalidKey unless `public` has the length of the group's public values: what costs nothing comes first."""
    wanted = public_size(group)
    if len(public) != wanted:
        raise InvalidKey(f"KE of {group} has {len(public)} octets, not {wanted}")


def generate(group: Group, octets: Octets) -> KeyPair:
    """A fresh key pair, for one exchange: the same `octets` give the same."""
    return KeyPair(group, _row(group).generate(octets))


class KeyPair:
    """Our half of one Diffie-Hellman exchange."""

    __slots__ = ("_half", "group", "public")

    def __init__(self, group: Group, half: Half) -> None:
        self.group = group
        self._half = half
        self.public = half.public
        """Our public value as in the KE payload, `public_size` octets."""

    def shared(self, peer_public: bytes) -> Secret:
        """g^xy, padded on the left to the length of the group. Raises InvalidKey, cheaply where it can."""
        check_size(self.group, peer_public)
        try:
            return Secret(self._half.agree(peer_public))
        except ValueError as error:
            raise InvalidKey(f"KE of {self.group} is {error}") from None

    def __repr__(self) -> str:
        return f"<KeyPair {self.group}>"


def _row(group: Group) -> _Row:
    row = _GROUPS.get(group)
    if row is None:
        raise ValueError(f"group {group} is not supported")
    return row
