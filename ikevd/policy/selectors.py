"""Traffic selectors: which packets an IPsec SA protects (RFC 2407 section 4.6.2, RFC 2409 section 5.5)."""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from ikevd.addresses import Address
from ikevd.errors import InvalidId, Malformed
from ikevd.frozen import frozen
from ikevd.wire.payloads import IdPayload
from ikevd.wire.registry import IdType

Network = IPv4Network | IPv6Network

PROTOCOL_NAMES = {1: "icmp", 4: "ipip", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 58: "ipv6-icmp", 132: "sctp"}
PROTOCOL_NUMBERS = {"any": 0} | {name: number for number, name in PROTOCOL_NAMES.items()}
PROTOCOLS_WITH_PORTS = (6, 17, 132)

_NOTATION = re.compile(r"([^\[\]]*)(?:\[([^\[\]]*)\])?")
_EXAMPLES = "10.1.0.0/24, 10.1.0.5, 10.1.0.10-10.1.0.20 or 10.1.0.0/24[tcp/443]"


@frozen
class TrafficSelector:
    """The addresses `first` to `last`, one IP protocol (0: any) and one port (0: any).

    An address equals its /32 (or /128), a subnet equals the range of the same addresses.
    """

    first: Address
    last: Address
    protocol: int = 0
    port: int = 0

    @classmethod
    def of(cls, network: Network, protocol: int = 0, port: int = 0) -> TrafficSelector:
        """The selector of a subnet."""
        return cls(network[0], network[-1], protocol, port)

    @classmethod
    def of_address(cls, address: Address) -> TrafficSelector:
        """The selector of one host, any protocol: what absent Quick Mode IDs mean (RFC 2409 section 5.5)."""
        return cls(address, address)

    @classmethod
    def parse(cls, text: str) -> TrafficSelector:
        """Read the operator's notation, which is strongSwan's.

        `10.1.0.0/24`, `10.1.0.5`, `10.1.0.10-10.1.0.20`, IPv6 likewise, each with an optional `[protocol]` or
        `[protocol/port]`, for example `[icmp]`, `[47]`, `[tcp/443]`. Raises ValueError, which says what would be right.
        """
        match = _NOTATION.fullmatch(text.strip())
        if not match or not match[1].strip():
            raise ValueError(f"{_shown(text)} is no traffic selector; wanted for example {_EXAMPLES}")
        first, last = _parse_range(match[1].strip())
        protocol, port = (0, 0) if match[2] is None else _parse_protocol(text, match[2].strip())
        return cls(first, last, protocol, port)

    def at(self, address: Address) -> TrafficSelector:
        """The same protocol and port of one host."""
        return TrafficSelector(address, address, self.protocol, self.port)

    @property
    def networks(self) -> tuple[Network, ...]:
        """The fewest subnets that make up the range: what a kernel policy can hold."""
        one = self._network
        return _summarized(self.first, self.last) if one is None else (one,)

    def holds_part(self, other: TrafficSelector) -> bool:
        """Is `other` within it, and can the kernel tell the policies of the two apart by their subnets?"""
        alike = (other.protocol, other.port, other.first.version) == (self.protocol, self.port, self.first.version)
        inside = alike and int(self.first) <= int(other.first) and int(other.last) <= int(self.last)
        return inside and not set(self.networks) & set(other.networks)

    def meet(self, other: TrafficSelector) -> TrafficSelector | None:
        """What both select; None: nothing."""
        if other.first.version != self.first.version:
            return None
        first, last = max(self.first, other.first, key=int), min(self.last, other.last, key=int)
        alike = _both(self.protocol, other.protocol), _both(self.port, other.port)
        if int(first) > int(last) or None in alike:
            return None
        return TrafficSelector(first, last, alike[0] or 0, alike[1] or 0)

    @property
    def _network(self) -> Network | None:
        """The one subnet that is the range, or None."""
        bits = self._prefix
        if bits is None:
            return None
        low = int(self.first)
        return IPv4Network((low, bits)) if isinstance(self.first, IPv4Address) else IPv6Network((low, bits))

    @property
    def _prefix(self) -> int | None:
        """The length of its prefix, likewise."""
        low = int(self.first)
        hosts = low ^ int(self.last)
        if hosts & (hosts + 1) or low & hosts:
            return None
        return self.first.max_prefixlen - hosts.bit_length()

    @classmethod
    def from_id(cls, payload: IdPayload) -> TrafficSelector:
        """Read an IDci or IDcr payload; raises `InvalidId` for a type that selects no traffic.

        Allow-list of types: CVE-2023-38711 was a Quick Mode ID of type FQDN.
        """
        first, last = _range_of(payload)
        if int(first) > int(last):
            raise InvalidId(f"traffic selector range ends before it begins: {first}-{last}")
        return cls(first, last, payload.protocol, payload.port)

    def to_id(self) -> IdPayload:
        """The shortest ID payload for this selector: an address, a subnet, or else a range."""
        four, bits = self.first.version == 4, self._prefix
        if bits == self.first.max_prefixlen:
            kind, data = IdType.IPV4_ADDR if four else IdType.IPV6_ADDR, self.first.packed
        elif bits is not None:
            kind = IdType.IPV4_SUBNET if four else IdType.IPV6_SUBNET
            data = self.first.packed + _netmask(bits, self.first.max_prefixlen)
        else:
            kind = IdType.IPV4_RANGE if four else IdType.IPV6_RANGE
            data = self.first.packed + self.last.packed
        return IdPayload(type=kind, protocol=self.protocol, port=self.port, data=data)

    def __str__(self) -> str:
        bits = self._prefix
        text = f"{self.first}-{self.last}" if bits is None else f"{self.first}/{bits}"
        return f"{text}{_in_brackets(self)}"


@frozen
class Dynamic(TrafficSelector):
    """One end of an SA in transport mode, whatever its address is: the unspecified one stands for it."""

    @classmethod
    def of_end(cls, address: Address, protocol: int = 0, port: int = 0) -> Dynamic:
        """`address`: the unspecified one of the IP version that is likely."""
        return cls(address, address, protocol, port)

    @property
    def everywhere(self) -> TrafficSelector:
        """Whatever address it may be."""
        return TrafficSelector.of(ip_network((self.first, 0)), self.protocol, self.port)

    def __str__(self) -> str:
        return f"dynamic{_in_brackets(self)}"


def _in_brackets(selector: TrafficSelector) -> str:
    """Its protocol and port."""
    if not selector.protocol and not selector.port:
        return ""
    protocol = PROTOCOL_NAMES.get(selector.protocol, str(selector.protocol))
    return f"[{protocol}/{selector.port}]" if selector.port else f"[{protocol}]"


Selectors = tuple[TrafficSelector, TrafficSelector]
"""Local and remote."""


def _both(one: int, other: int) -> int | None:
    """Of a protocol or a port, where 0 is any."""
    return one or other if one == other or 0 in (one, other) else None


def _netmask(bits: int, size: int) -> bytes:
    """Of a prefix of so many bits, in an address of `size`."""
    return ((1 << size) - (1 << size - bits)).to_bytes(size // 8, "big")


def _summarized(first: Address, last: Address) -> tuple[Network, ...]:
    if isinstance(first, IPv4Address) and isinstance(last, IPv4Address):
        return tuple(ipaddress.summarize_address_range(first, last))
    assert isinstance(first, IPv6Address)
    assert isinstance(last, IPv6Address)
    return tuple(ipaddress.summarize_address_range(first, last))


def _range_of(payload: IdPayload) -> tuple[Address, Address]:
    if payload.type in _SUBNETS:
        return _subnet(payload)
    if payload.type in _ADDRESSES:
        address = _address(payload, payload.data)
        return address, address
    if payload.type in _RANGES:
        half = len(payload.data) // 2
        return _address(payload, payload.data[:half]), _address(payload, payload.data[half:])
    raise InvalidId(f"identification type {payload.type} selects no traffic; an address, subnet or range does")


_ADDRESSES = IdType.IPV4_ADDR, IdType.IPV6_ADDR
_SUBNETS = IdType.IPV4_SUBNET, IdType.IPV6_SUBNET
_RANGES = IdType.IPV4_RANGE, IdType.IPV6_RANGE
_SIZE = {
    IdType.IPV4_ADDR: 4,
    IdType.IPV4_SUBNET: 4,
    IdType.IPV4_RANGE: 4,
    IdType.IPV6_ADDR: 16,
    IdType.IPV6_SUBNET: 16,
    IdType.IPV6_RANGE: 16,
}


def _address(payload: IdPayload, octets: bytes) -> Address:
    size = _SIZE[payload.type]
    if len(octets) != size:
        raise Malformed(f"{payload.type} holds an address of {len(octets)} octets, not {size}")
    return IPv4Address(octets) if size == 4 else IPv6Address(octets)


def _subnet(payload: IdPayload) -> tuple[Address, Address]:
    half = len(payload.data) // 2
    low = _address(payload, payload.data[:half])
    address, mask = int.from_bytes(payload.data[:half], "big"), int.from_bytes(payload.data[half:], "big")
    hosts = mask ^ ((1 << low.max_prefixlen) - 1)
    if len(payload.data) != 2 * half or hosts & (hosts + 1):
        netmask = _address(payload, payload.data[half:])  # raises where its length is wrong
        raise InvalidId(f"netmask {netmask} of {payload.type} is not contiguous")
    kind = type(low)
    return low if not address & hosts else kind(address & mask), kind(address | hosts)


def _shown(text: str) -> str:
    return repr(text[:80])


def _parse_range(text: str) -> tuple[Address, Address]:
    if "/" in text:
        network = _parse_subnet(text)
        return network[0], network[-1]
    first, dash, last = text.partition("-")
    if not dash:
        address = _parse_address(text, text)
        return address, address
    low, high = _parse_address(text, first.strip()), _parse_address(text, last.strip())
    if low.version != high.version:
        raise ValueError(f"the range {_shown(text)} begins in IPv{low.version} and ends in IPv{high.version}")
    if int(low) > int(high):
        raise ValueError(f"the range {_shown(text)} ends before it begins; wanted {high}-{low}")
    return low, high


def _parse_address(whole: str, text: str) -> Address:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        pass
    else:
        if "%" not in text:  # no scoped IPv6 addresses: an SA has no interface
            return address
    raise ValueError(f"{_shown(whole)} is no address, subnet or range; {_meant(whole)}")


def _meant(text: str) -> str:
    """Cisco writes `10.1.0.0 255.255.255.0`, or `10.1.0.0 0.0.0.255`, and many write `any`."""
    if text.strip().lower() in ("any", "all", "%any", "*"):
        return "for every address, did you mean 0.0.0.0/0 or ::/0?"
    try:
        return f"did you mean {ipaddress.IPv4Network('/'.join(text.split()))}?"
    except ValueError:
        return f"wanted for example {_EXAMPLES}"


def _parse_subnet(text: str) -> Network:
    host, _, prefix = text.partition("/")
    address = _parse_address(text, host)
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{_shown(text)} has the prefix length {_shown(prefix)}; wanted a number from 0 to {address.max_prefixlen}"
        ) from None
    if network[0] != address:
        raise ValueError(f"{_shown(text)} has host bits set; wanted the subnet {network}, or the one host {address}")
    return network


def _parse_protocol(whole: str, text: str) -> tuple[int, int]:
    name, slash, port_text = text.partition("/")
    number = PROTOCOL_NUMBERS.get(name.lower())
    if number is None:
        if not re.fullmatch("[0-9]{1,3}", name) or int(name) > 255:
            raise ValueError(
                f"{_shown(whole)} has the unknown protocol {_shown(name)}; "
                f"wanted a number from 0 to 255 or one of {', '.join(PROTOCOL_NUMBERS)}"
            )
        number = int(name)
    if not slash:
        return number, 0
    if not re.fullmatch("[0-9]{1,5}", port_text) or int(port_text) > 65535:
        raise ValueError(f"{_shown(whole)} has the port {_shown(port_text)}; wanted one number from 0 (any) to 65535")
    port = int(port_text)
    if port and number not in PROTOCOLS_WITH_PORTS:
        raise ValueError(f"{_shown(whole)} names a port, but only tcp, udp and sctp have ports")
    return number, port
