"""Where a CRL may be: on another machine. Else a certificate could make us ask what only we can reach."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from ikevd.addresses import Address

NAT64 = IPv6Network("64:ff9b::/96")


def forbidden(address: Address) -> str | None:
    """Why it is not asked, or None. Private networks are allowed: CAs of companies are there."""
    for one in (address, *_within(address)):
        if one.is_loopback or one.is_unspecified:
            return f"{address} is this machine itself"
        if one.is_link_local:
            return f"{address} is link-local"
        if one.is_multicast or one == IPv4Address("255.255.255.255"):
            return f"{address} is no address of one machine"
    return None


def _within(address: Address) -> list[IPv4Address]:
    """IPv4 addresses that this one leads to."""
    if not isinstance(address, IPv6Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64 or int(address) >> 32 == 0:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in found if one is not None]


def literal(host: str) -> Address | None:
    """The address that a URL itself names, if it does."""
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
