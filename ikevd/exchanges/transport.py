"""Transport mode: its traffic is that of the two peers themselves, for whose addresses a NAT shows others."""

from __future__ import annotations

from collections.abc import Sequence

from ikevd.addresses import Address
from ikevd.errors import NoProposalChosen
from ikevd.exchanges import nat
from ikevd.exchanges.selection import Selected
from ikevd.frozen import replace
from ikevd.path_findings import AhBehindNat
from ikevd.policy.child import Child, Selection
from ikevd.policy.selectors import Selectors, TrafficSelector
from ikevd.policy.suites import TUNNEL
from ikevd.sa.model import AskedFor, IsakmpSa
from ikevd.wire.nat import NatOaPayload
from ikevd.wire.registry import Protocol

AH = Protocol.AH


def placed(child: Child, local: Address, remote: Address) -> Child:
    """The child between the ends of the SA that is to be made: in transport mode these are its selectors."""
    if not child.transport:
        return child
    return replace(child, local=child.local.at(local), remote=child.remote.at(remote))


def seen(sa: IsakmpSa, child: Child, selectors: Selectors, local: Address, remote: Address) -> Selectors:
    """What the peer calls the two ends, as we see them: behind a NAT it has another address for itself, and for us.
    strongSwan takes them so, too, and even answers so, not as it was asked."""
    if not child.transport or sa.nat is None or not sa.nat.encapsulates:
        return selectors
    ours, theirs = selectors
    return _of_host(ours, local), _of_host(theirs, remote)


def selected(
    sa: IsakmpSa, children: Sequence[Child], asked: Selectors, local: Address, remote: Address
) -> Selected | None:
    """The child in transport mode that the peer asks for; None: none is. Where its `selection` is narrow the peer may
    name a protocol or port that the child leaves open, as a client of L2TP the port that it calls from."""
    narrower = None
    for child in children:
        if child.suites[0].mode is not TUNNEL and child.transport:  # there may be a thousand
            between, wanted = placed(child, local, remote), seen(sa, child, asked, local, remote)
            if (between.local, between.remote) == wanted:
                return Selected(between)
            if narrower is None and child.selection is Selection.NARROW and _holds(between, wanted):
                narrower = Selected(replace(between, local=wanted[0], remote=wanted[1]), AskedFor(*asked))
    return narrower


def _holds(child: Child, wanted: Selectors) -> bool:
    return (child.local.meet(wanted[0]), child.remote.meet(wanted[1])) == wanted


def original_addresses(sa: IsakmpSa, child: Child, initiator: Address, responder: Address) -> tuple[NatOaPayload, ...]:
    """NAT-OAi and NAT-OAr (RFC 3947 section 5.2)."""
    return nat.original_addresses(sa.nat, initiator, responder) if child.transport else ()


def check_protocol(sa: IsakmpSa, child: Child) -> None:
    """AH passes no NAT. Raises `NoProposalChosen`."""
    if child.protocol == AH and sa.nat is not None and sa.nat.encapsulates:
        raise NoProposalChosen(AhBehindNat(child.name, sa.nat.local, sa.nat.remote))


def _of_host(selector: TrafficSelector, address: Address) -> TrafficSelector:
    """A network stays one, which no child in transport mode has."""
    return selector.at(address) if selector.first == selector.last else selector
