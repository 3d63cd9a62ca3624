"""IPComp in Quick Mode: packets are compressed before ESP encrypts them (RFC 3173), where both ends can.

It is a wish: a pair stands without it where the peer does without, or something on the way forbids it.
"""

from __future__ import annotations

from ikevd.addresses import Address
from ikevd.exchanges.link import Host, Link
from ikevd.path_findings import NotCompressed, Obstacle
from ikevd.policy import compression
from ikevd.policy.child import Child
from ikevd.policy.choose import Phase2Choice
from ikevd.policy.suites import IpsecSuite
from ikevd.sa.model import Cpis, IpsecSa, IsakmpSa, Spi
from ikevd.wire.registry import Protocol
from ikevd.wire.sa import Proposal, SaPayload

IPCOMP = Protocol.IPCOMP


def is_wanted(sa: IsakmpSa, child: Child, local: Address) -> bool:
    """Is it to be used where the peer does so, too? `local`: our end of the pair."""
    return child.ipcomp and _obstacle(sa, child, local) is None


async def reserve(host: Host, child: Child, local: Address, remote: Address) -> Spi:
    """A CPI of ours."""
    return await host.reserve_spi(local, remote, child.reqid, IPCOMP)


def offered(offer: SaPayload, cpi: Spi | None, suite: IpsecSuite, child: Child) -> SaPayload:
    """The offer, with IPComp where there is a CPI. `suite`: any of it."""
    if cpi is None:
        return offer
    return compression.with_ipcomp(offer, suite.mode, child.lifetime, _on_wire(cpi))


def answered(choice: Phase2Choice, cpi: Spi | None) -> tuple[Proposal, ...]:
    """What stands beside the proposal of ESP in a responder's answer."""
    if choice.ipcomp is None or cpi is None:
        return ()
    return (Proposal(choice.ipcomp.number, IPCOMP, _on_wire(cpi), choice.ipcomp.transforms),)


def agreed(choice: Phase2Choice, cpi: Spi | None) -> Cpis | None:
    """Of the pair; None: nothing is compressed."""
    theirs = compression.cpi_of(choice.ipcomp) if choice.ipcomp is not None else None
    return Cpis(cpi, Spi.of(IPCOMP, theirs)) if cpi is not None and theirs is not None else None


async def note_lack(link: Link, sa: IsakmpSa, child: Child, pair: IpsecSa) -> None:
    """Why the pair is not compressed, though the file says so."""
    if child.ipcomp and pair.cpis is None:
        await link.note(NotCompressed(_obstacle(sa, child, pair.local) or Obstacle.PEER))


def _obstacle(sa: IsakmpSa, child: Child, local: Address) -> Obstacle | None:
    """strongSwan does without it where ESP travels in UDP. In the kernel the tunnel is that of IPComp; ESP around it is
    in transport mode, which is for packets of one IP version."""
    if sa.nat is not None and sa.nat.encapsulates:
        return Obstacle.NAT
    return Obstacle.IP_VERSION if child.local.first.version != local.version else None


def _on_wire(cpi: Spi) -> bytes:
    return cpi.octets[-compression.CPI_OCTETS :]
