"""Two ends, and a kernel in the namespace of one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from ikevd.addresses import Address
from ikevd.kernel.adapter import XfrmKernel
from ikevd.sa.model import Spi
from tests.kernel.namespaces import Namespace

LEFT, RIGHT = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
TO_RIGHT, TO_LEFT = Spi(0xC0000001), Spi(0xC0000002)
LEFT6, RIGHT6 = IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2")
Pair = tuple[Namespace, Namespace]
Ends = tuple[Address, Address]


def kernel_in(namespace: Namespace, event_buffer: int = 1 << 20) -> XfrmKernel:
    with namespace.entered():
        return XfrmKernel(event_buffer=event_buffer)
