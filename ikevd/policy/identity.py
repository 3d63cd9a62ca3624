"""Phase 1 identities: the contents of IDii and IDir (RFC 2407 section 4.6.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from ipaddress import ip_address

import ikevd.policy.distinguished_names as distinguished_names
from ikevd.addresses import Address
from ikevd.errors import InvalidId
from ikevd.frozen import frozen
from ikevd.wire.payloads import IdPayload
from ikevd.wire.registry import IdType

MAX_DATA = 1024
"""Octets; the longest distinguished names of certificates in use have some 300."""
MAX_SHOWN = 256
"""Characters of an identity in a message; what is longer is cut and ends in `...`."""
WANTED = "wanted an address, a host name, user@name, keyid:group or a distinguished name (CN=gw, O=Example)"

USUAL_PORTS = frozenset({(0, 0), (17, 0), (17, 500), (17, 4500)})
"""Protocol and port of a phase 1 ID payload: zero or UDP and 500 (RFC 2407 section 4.6.2). Cisco also sends 17/0 after
NAT float, others 17/4500. They name nobody, so that any other pair is odd and no more."""

PREFIXES: Mapping[str, IdType] = {
    "ipv4": IdType.IPV4_ADDR,
    "ipv6": IdType.IPV6_ADDR,
    "fqdn": IdType.FQDN,
    "email": IdType.USER_FQDN,
    "ipv4net": IdType.IPV4_SUBNET,
    "ipv6net": IdType.IPV6_SUBNET,
    "ipv4range": IdType.IPV4_RANGE,
    "ipv6range": IdType.IPV6_RANGE,
    "keyid": IdType.KEY_ID,
    "dn": IdType.DER_ASN1_DN,
    "gn": IdType.DER_ASN1_GN,
}
"""What forces a type; `0x` and hexadecimal digits may follow each."""
_ALIASES = {"dns": "fqdn", "rfc822": "email", "userfqdn": "email", "asn1dn": "dn", "asn1gn": "gn"}
_PREFIX_OF = {kind: prefix for prefix, kind in PREFIXES.items()}

_SIZES: Mapping[IdType, int] = {
    IdType.IPV4_ADDR: 4,
    IdType.IPV6_ADDR: 16,
    IdType.IPV4_SUBNET: 8,
    IdType.IPV6_SUBNET: 32,
    IdType.IPV4_RANGE: 8,
    IdType.IPV6_RANGE: 32,
}
_IPV4_ADDR, _IPV6_ADDR, _DN = IdType.IPV4_ADDR, IdType.IPV6_ADDR, IdType.DER_ASN1_DN
IPV4_OCTETS = 4
_OF_DNS = (IdType.FQDN, IdType.USER_FQDN)
_NAMES = (IdType.FQDN, IdType.USER_FQDN, IdType.KEY_ID)
_FORCED = re.compile(rf"({'|'.join((*PREFIXES, *_ALIASES))}):(.*)", re.DOTALL)
_LIKE_A_DN = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)+)\s*=.*", re.DOTALL)
_LIKE_AN_ADDRESS = re.compile(r"(?=[0-9]*\.)[0-9./-]+|(?=[0-9A-Fa-f]*:)[0-9A-Fa-f:./-]+")


@frozen
class Identity:
    """An identification type with its data octets, kept as they came.

    Two are equal octet by octet; distinguished names by what they say (RFC 5280 section 7.1); ID_FQDN and ID_USER_FQDN
    whatever the case of their ASCII letters (strongSwan, libreswan) and dots at the end (libreswan).
    """

    type: IdType
    data: bytes
    compared: object = field(init=False, repr=False)
    """What decides about equality, read once."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "compared", self._key())

    @classmethod
    def of_address(cls, address: Address) -> Identity:
        """ID_IPV4_ADDR or ID_IPV6_ADDR."""
        return _of_address(address.packed)

    @classmethod
    def parse(cls, text: str) -> Identity:
        """Read the operator's notation, each type of RFC 2407 section 4.6.2.1.

        `192.0.2.1`, `2001:db8::1` (address), `10.0.0.0/8` (subnet), `10.0.0.1-10.0.0.9` (range), `gw.example.net` or
        `@gw.example.net` (FQDN), `user@example.net` (USER_FQDN), `keyid:group` (KEY_ID), `CN=gw, O=Example`
        (DER_ASN1_DN), `gn:0x3082...` (DER_ASN1_GN). A prefix of `PREFIXES` forces the type; then hexadecimal digits
        after `0x` are the data itself. ValueError says what came and what would be right.
        """
        text = text.strip()
        if not text.isprintable():
            raise ValueError(f"{text[:80]!r} holds a control character; {WANTED}")
        if forced := _FORCED.fullmatch(text):
            return cls(*_forced(text, _ALIASES.get(forced[1], forced[1]), forced[2]))
        if text in ("", "@"):
            raise ValueError(f"{text!r} is empty; {WANTED}")
        if text.startswith("@"):
            return cls(IdType.FQDN, text.removeprefix("@").encode())
        if _LIKE_A_DN.fullmatch(text):
            return cls(IdType.DER_ASN1_DN, distinguished_names.encode(text))
        if found := _addresses(text):
            return cls(*found)
        if _LIKE_AN_ADDRESS.fullmatch(text):
            raise ValueError(f"{text[:80]!r} looks like an address but is none; {WANTED} (a name of digits: @{text})")
        return cls(IdType.USER_FQDN if "@" in text else IdType.FQDN, text.encode())

    @classmethod
    def from_payload(cls, payload: IdPayload) -> Identity:
        """The identity in a received ID payload of phase 1.

        Raises `InvalidId` for data that its type cannot have (CVE-2013-6075: too short).
        """
        if flaw := _flaw(payload.type, payload.data):
            raise InvalidId(flaw)
        return cls(payload.type, payload.data)

    def to_payload(self) -> IdPayload:
        """The payload to send, with protocol and port 0 (RFC 2407 section 4.6.2: both zero, or UDP and 500)."""
        return IdPayload(type=self.type, protocol=0, port=0, data=self.data)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Identity):
            return NotImplemented
        return self.type == other.type and self.compared == other.compared

    def __hash__(self) -> int:
        return hash(self.compared)  # the same data of two types is rare

    def _key(self) -> object:
        """What decides about equality."""
        if self.type == _DN:
            name = distinguished_names.read(self.data)
            return distinguished_names.folded(name) if name else self.data
        return self.data.lower().rstrip(b".") if self.type in _OF_DNS else self.data

    def __str__(self) -> str:
        """The notation that `parse` reads back; cut where it is very long."""
        text = _notation(self)
        return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


ANYONE = Identity(IdType(0), b"")
"""Whatever a peer calls itself: what no peer can, since type 0 is reserved and no identity is empty."""


@lru_cache(maxsize=1024)
def _of_address(octets: bytes) -> Identity:
    """Of 4 or 16 octets: one for all ISAKMP SAs of which an end has that address."""
    return Identity(_IPV4_ADDR if len(octets) == IPV4_OCTETS else _IPV6_ADDR, octets)


def _flaw(kind: IdType, data: bytes) -> str | None:
    """What is wrong with the length, by RFC 2407 section 4.6.2."""
    size = _SIZES.get(kind)
    if size is not None and len(data) != size:
        return f"the identity of type {kind} has {len(data)} octets; {size} are wanted"
    if len(data) > MAX_DATA:
        return f"the identity of type {kind} has {len(data)} octets; at most {MAX_DATA} are wanted"
    return None if data else f"the identity of type {kind} is empty"


def _forced(whole: str, prefix: str, value: str) -> tuple[IdType, bytes]:
    kind = PREFIXES[prefix]
    if not value:
        raise ValueError(f"{whole!r} is empty; {WANTED}")
    if value.startswith("0x"):
        return kind, _octets(whole, kind, value)
    if kind in _NAMES:
        return kind, value.encode()
    if kind == IdType.DER_ASN1_DN:
        return kind, distinguished_names.encode(value)
    found = _addresses(value.strip()) if kind in _SIZES else None
    if found is None or found[0] != kind:
        raise ValueError(f"{whole[:80]!r} is no identity of type {kind}; wanted it, or 0x and hexadecimal digits")
    return found


def _octets(whole: str, kind: IdType, value: str) -> bytes:
    try:
        data = bytes.fromhex(value.removeprefix("0x"))
    except ValueError:
        raise ValueError(f"{whole[:80]!r} has 0x before something else than pairs of hexadecimal digits") from None
    if flaw := _flaw(kind, data):
        raise ValueError(flaw)
    return data


def _addresses(text: str) -> tuple[IdType, bytes] | None:
    """An address, a subnet or a range; None for what is none of these."""
    if address := _address(text):
        return (IdType.IPV4_ADDR if address.version == 4 else IdType.IPV6_ADDR), address.packed
    if "/" in text:
        host, _, prefix = text.partition("/")
        return _subnet(_address(host), prefix)
    low, _, high = text.partition("-")
    first, last = _address(low.strip()), _address(high.strip())
    if first is None or last is None or first.version != last.version or int(first) > int(last):
        return None
    return (IdType.IPV4_RANGE if first.version == 4 else IdType.IPV6_RANGE), first.packed + last.packed


def _subnet(address: Address | None, prefix: str) -> tuple[IdType, bytes] | None:
    if address is None or not re.fullmatch("[0-9]{1,3}", prefix) or int(prefix) > address.max_prefixlen:
        return None
    bits = address.max_prefixlen
    mask = ((1 << bits) - 1) ^ ((1 << (bits - int(prefix))) - 1)
    data = address.packed + mask.to_bytes(bits // 8, "big")
    return (IdType.IPV4_SUBNET if address.version == 4 else IdType.IPV6_SUBNET), data


def _address(text: str) -> Address | None:
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None


def _notation(identity: Identity) -> str:
    """The shortest notation that says this very identity. Hexadecimal for what is not printable ASCII, or is long."""
    if identity.type == _IPV4_ADDR and len(identity.data) == IPV4_OCTETS:
        return ".".join(map(str, identity.data))
    if identity.type == _IPV6_ADDR and len(identity.data) == _SIZES[_IPV6_ADDR]:
        return str(ip_address(identity.data))
    prefix = _PREFIX_OF.get(identity.type)
    if identity == ANYONE:
        return "any"
    if prefix is None:
        return f"{identity.type}:0x{identity.data.hex()}"
    text = _plain(identity)
    for candidate in (text, f"{prefix}:{text}") if text else ():
        try:
            if Identity.parse(candidate) == identity:
                return candidate
        except ValueError:
            pass
    return f"{prefix}:0x{identity.data.hex()}"


def _plain(identity: Identity) -> str | None:
    kind, data = identity.type, identity.data
    if kind in _NAMES:
        readable = len(data) <= MAX_SHOWN and data.isascii() and data.decode().isprintable()
        return data.decode() if readable else None
    if kind == IdType.DER_ASN1_DN:
        return distinguished_names.text(data) if len(data) <= 2 * MAX_SHOWN else None
    if kind not in _SIZES or len(data) != _SIZES[kind]:
        return None
    if kind in (IdType.IPV4_ADDR, IdType.IPV6_ADDR):
        return str(ip_address(data))
    first, second = ip_address(data[: len(data) // 2]), ip_address(data[len(data) // 2 :])
    if kind in (IdType.IPV4_RANGE, IdType.IPV6_RANGE):
        return f"{first}-{second}"
    return f"{first}/{int(second).bit_count()}"
