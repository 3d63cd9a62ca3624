"""The interface of a connection: what is routed to it takes the tunnels of its children, and they take nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from enum import Enum
from ipaddress import IPv4Interface, IPv6Interface

from ikevd.frozen import frozen
from ikevd.policy.marks import Mark
from ikevd.policy.selectors import Network

MAIN_TABLE = 254
"""`main` of iproute2."""
NUMBERS_FIRST, NUMBERS_LAST = 0x696B0001, 0x696BFFFF
"""Of interfaces for which the file names none; the one before is for trials."""


class InterfaceKind(Enum):
    """What the kernel makes of it."""

    XFRM = "xfrm"
    """An XFRM interface (Linux 4.19): SAs and policies bear its number as if_id."""
    VTI = "vti"
    """A virtual tunnel interface (Linux 3.6): policies are for packets with its number as mark."""


@frozen
class Interface:
    """As the file has it."""

    name: str
    number: int
    """See `InterfaceKind`; never 0."""
    kind: InterfaceKind | None = None
    """None: the first that the kernel has."""
    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()
    routes: tuple[Network, ...] = ()
    """What is routed through it while a tunnel stands."""
    unreachable: tuple[Network, ...] = ()
    """What more is unreachable where no other route leads there, as that of a routing daemon."""
    table: int = MAIN_TABLE
    metric: int = 0
    """0: the kernel's own."""
    mtu: int | None = None
    """None: what fits into the tunnel."""
    namespace: str = ""
    """The network namespace in which it stands, as `ip netns` names it; empty: ours."""


def bearing(interface: Interface) -> tuple[int, Mark | None]:
    """if_id and mark of the policies of its tunnels."""
    if interface.kind is InterfaceKind.VTI:
        return 0, Mark(interface.number)
    return interface.number, None


def distinct_numbers(names: Iterable[str], taken: Iterable[int]) -> Mapping[str, int]:
    """A number for each of these connections, none of which is `taken`: as long as no two want the same one, each
    depends on the name alone."""
    used, found = set(taken), dict[str, int]()
    for name in sorted(names):
        room = NUMBERS_LAST - NUMBERS_FIRST + 1
        wish = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % room
        while NUMBERS_FIRST + wish in used:
            wish = (wish + 1) % room
        found[name] = NUMBERS_FIRST + wish
        used.add(found[name])
    return found
