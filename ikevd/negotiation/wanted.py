"""Which policies shall stand in the kernel, of all that this daemon has to do with."""

from __future__ import annotations

from collections.abc import Mapping

from ikevd.host.policies import KernelPolicy, PolicyId
from ikevd.negotiation.outside import Outside
from ikevd.negotiation.paced import paced
from ikevd.negotiation.peers import Peers


async def wanted(peers: Peers, outside: Outside) -> Mapping[PolicyId, KernelPolicy]:
    """What passes outside, the gates of all configured children, and what the peers have."""
    found = dict(outside.policies)
    async for _ in paced(peers.gatekeepers()):
        pass
    async for policies in paced(policies for session in peers for policies in session.policies):
        found.update(policies)
    return found
