"""What a kernel tells unasked. What this process did itself is not told, only what others did or time."""

from __future__ import annotations

from collections.abc import Callable

from ikevd.addresses import Address, Endpoint
from ikevd.frozen import frozen
from ikevd.host.policies import PolicyId
from ikevd.host.sas import SaId


@frozen
class SaExpired:
    """The kernel ended an SA (`hard`), or says that its soft limit is reached."""

    id: SaId
    reqid: int
    hard: bool


@frozen
class SaMapped:
    """A packet of the peer came by an inbound SA of ESP in UDP, authenticated, but not from where the SA has its peer.
    Told once a second for each SA and port where the kernel can count (Linux 5.17), else for each packet."""

    id: SaId
    reqid: int
    now: Endpoint


@frozen
class SaRemoved:
    """Somebody removed an SA before its time."""

    id: SaId
    reqid: int


@frozen
class SasFlushed:
    """Somebody removed all SAs."""


@frozen
class PolicyChanged:
    """Somebody installed a policy of that selector, or changed the one that stood. Whose it was is not told."""

    id: PolicyId


@frozen
class PolicyRemoved:
    """Somebody removed the policy of that selector."""

    id: PolicyId


@frozen
class PoliciesFlushed:
    """Somebody removed all policies."""


@frozen
class WaysChanged:
    """Addresses, links or routes of this machine are others now; which is not told."""


@frozen
class Lost:
    """Some of these were lost, since too many came at once (ENOBUFS): only a dump tells what stands."""


@frozen
class Packet:
    """What the kernel tells of a packet that waits for an SA."""

    source: Address
    destination: Address
    protocol: int
    port: int
    """Of its destination; 0: its protocol has none."""


@frozen
class SaAsked:
    """A packet has met a tunnel that has no SA (XFRM_MSG_ACQUIRE). The kernel keeps a larval SA with SPI 0 for it, and
    asks for no second one under this reqid until that ends, 30 s later, or makes way for an SA that is installed."""

    reqid: int
    packet: Packet | None = None
    """None: it was asked for before anybody listened."""


SaEvent = SaExpired | SaMapped | SaRemoved | SaAsked | SasFlushed
PolicyEvent = PolicyChanged | PolicyRemoved | PoliciesFlushed
KernelEvent = SaEvent | PolicyEvent | WaysChanged | Lost
Listener = Callable[[KernelEvent], None]
