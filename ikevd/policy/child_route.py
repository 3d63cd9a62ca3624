"""A route to what a policy-based child protects on the other side: it gives the gateway's own packets a source address
that the tunnel carries, and tells routing daemons of the network."""

from __future__ import annotations

from ikevd.addresses import Address
from ikevd.frozen import frozen
from ikevd.policy.interface import MAIN_TABLE


@frozen
class ChildRoute:
    """As the file has it."""

    sources: tuple[Address, ...] = ()
    """The first of them that lies within the local network; empty: any address of this machine that does."""
    table: int = MAIN_TABLE
    """Of any other one than `main` there is a rule, too."""
    metric: int = 0
    """0: the kernel's own."""
    mtu: int | None = None
    """The longest packet that goes there whole; None: the kernel finds out."""
