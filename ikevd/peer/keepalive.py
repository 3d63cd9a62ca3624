"""NAT keepalives: which mapping of a NAT in front of us is to be kept (RFC 3948 section 4)."""

from __future__ import annotations

from ikevd.addresses import Endpoint, Path
from ikevd.peer.state import PeerState


def path_to_keep(state: PeerState) -> Path | None:
    """That of the newest ISAKMP SA which goes through a NAT of ours. IPsec SAs outlive their ISAKMP SA and need the
    mapping as much; None where nothing needs one."""
    for isakmp in reversed(tuple(state.isakmp.values())):
        if isakmp.sa.nat and (isakmp.sa.nat.local or isakmp.sa.nat.forced):
            return isakmp.path
    if state.isakmp:
        return None
    pairs = (pair.sa for child in state.children.values() for pair in child.standing if pair.sa.encap)
    sa = next(pairs, None)
    if sa is None or sa.encap is None:
        return None
    return Path(Endpoint(sa.local, sa.encap.local_port), Endpoint(sa.remote, sa.encap.remote_port))
