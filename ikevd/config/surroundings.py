"""What `ikevd check` knows about the machine that it runs on; read by `kernel.surroundings`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from functools import partial

from ikevd.addresses import Address, Path
from ikevd.config.nat_rules import NatTable
from ikevd.frozen import frozen, replace
from ikevd.policy.selectors import Network


@frozen
class InterfaceAddress:
    """One address of this machine, with the network to which it is connected there."""

    interface: str
    address: Address
    network: Network


@frozen
class FirstHop:
    """Where the way to an address begins."""

    interface: str | None
    gateway: Address | None
    """None: the address is on the link itself, or this machine's own."""
    source: Address | None = None
    """Of what goes there, where nothing else was chosen."""


def no_way(destination: Address, vrf: str = "") -> FirstHop | None:
    """Where the ways are not known."""
    return None


@frozen
class Surroundings:
    """Facts of one network namespace at one moment."""

    addresses: tuple[InterfaceAddress, ...] = ()
    forwards: Mapping[int, bool] = field(default_factory=dict)
    """By IP version: does any interface forward? Without an entry: not known."""
    drops_waiting: bool | None = None
    """Does the kernel drop packets that wait for an SA (net.core.xfrm_larval_drop)? None: not known."""
    plain_swaps: tuple[str, ...] = ()
    """Swap areas that are not encrypted."""

    resolvers: tuple[Address, ...] = ()
    """Whom this machine asks for names, in the order in which it does."""
    session: Path | None = None
    """The way of the operator's SSH session, seen from here; None: there is none, or it is not known."""

    first_hop: Callable[..., FirstHop | None] = field(default=no_way, compare=False)
    """Where the way to an address begins now, of a VRF (`vrf=`) or of none; None: there is none, or it is not known."""
    strict: frozenset[str] = frozenset()
    """Interfaces that take a packet only where the way back to its sender begins (rp_filter is 1)."""

    nat: tuple[NatTable, ...] = ()
    """What translates source addresses behind routing, as far as it is known."""

    links: Mapping[str, str | None] | None = None
    """The driver of each interface, as far as it is known (vrf, veth, …); None: not known."""
    namespaces: frozenset[str] | None = None
    """Other network namespaces, as `ip netns` names them; None: not known."""
    lacks_nft: bool = False
    """Is there no program nft?"""

    def in_vrf(self, vrf: str | None) -> Surroundings:
        """The same, with the ways of that VRF."""
        return replace(self, first_hop=partial(self.first_hop, vrf=vrf)) if vrf else self

    def interface_of(self, address: Address) -> str | None:
        """The interface that has this very address."""
        return next((own.interface for own in self.addresses if own.address == address), None)
