"""Phase 1 identities: the contents of IDii and IDir (RFC 2407 section 4.6.2)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from ikevd.addresses import Address
from ikevd.wire.payloads import IdPayload
from ikevd.wire.registry import IdType

MAX_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Identity:
    """An identification type with its data octets, compared octet by octet."""

    type: IdType
    data: bytes

    @classmethod
    def of_address(cls, address: Address) -> Identity:
        """ID_IPV4_ADDR or ID_IPV6_ADDR."""
        return cls(IdType.IPV4_ADDR if address.version == 4 else IdType.IPV6_ADDR, address.packed)

    @classmethod
    def parse(cls, text: str) -> Identity:
        """Read the operator's notation.

        `192.0.2.1`, `2001:db8::1` (address), `gw.example.net` or `@gw.example.net` (FQDN),
        `user@example.net` (USER_FQDN), `keyid:group` (KEY_ID). Raises ValueError for an empty text.
        """
        if not text.strip():
            raise ValueError("an identity cannot be empty")
        if text.startswith("keyid:"):
            return cls(IdType.KEY_ID, text.removeprefix("keyid:").encode())
        if text.startswith("@"):
            return cls(IdType.FQDN, text.removeprefix("@").encode())
        try:
            return cls.of_address(ip_address(text))
        except ValueError:
            return cls(IdType.USER_FQDN if "@" in text else IdType.FQDN, text.encode())

    @classmethod
    def from_payload(cls, payload: IdPayload) -> Identity:
        """The identity in a received ID payload; protocol and port are not part of it.

        Peers send 17/500, 0/0 and, after NAT float, 17/0: all are accepted.
        """
        return cls(payload.type, payload.data)

    def to_payload(self) -> IdPayload:
        """The payload to send, with protocol and port 0 (RFC 2407 section 4.6.2: both zero, or UDP and 500)."""
        return IdPayload(type=self.type, protocol=0, port=0, data=self.data)

    def __str__(self) -> str:
        if self.type == IdType.IPV4_ADDR and len(self.data) == 4:
            return str(IPv4Address(self.data))
        if self.type == IdType.IPV6_ADDR and len(self.data) == 16:
            return str(IPv6Address(self.data))
        if self.type in (IdType.FQDN, IdType.USER_FQDN) and self.data.isascii() and self.data.decode().isprintable():
            return self.data.decode()[:MAX_SHOWN]
        return f"{self.type}:{self.data.hex()[:MAX_SHOWN]}"
