"""Where a datagram comes from and goes to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from ikevd.frozen import frozen

Address = IPv4Address | IPv6Address


@frozen
class Endpoint:
    """A UDP endpoint: address and port."""

    address: Address
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{host}:{self.port}"


@frozen
class Path:
    """The two endpoints of a datagram, seen from this machine."""

    local: Endpoint
    remote: Endpoint

    def __str__(self) -> str:
        return f"{self.local} - {self.remote}"
