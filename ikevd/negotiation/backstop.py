"""The time limits of SAs in the kernel, when one process ends and the next one begins.

While ikevd runs it measures itself when a pair ends, and the kernel has a far backstop. For the time in which no
process runs, each SA gets what is left of its life. There a soft limit stands before the hard one: where both are set
the kernel tells a clock that was set from a life that is over. Only in the first second after that, and once the soft
limit is reached, does a jump of the clock end an SA.
"""

from __future__ import annotations

from collections.abc import Iterable

from ikevd.errors import IkeError
from ikevd.host.interface import Kernel
from ikevd.host.sas import FoundSa, SaId
from ikevd.negotiation.paced import paced
from ikevd.peer.child_state import Half, PairState
from ikevd.peer.state import PeerState
from ikevd.peer.timing import BACKSTOP

FAR = BACKSTOP / 2
"""Seconds: no hand-over limits an SA to so many."""
AGAIN = 60.0
"""Seconds until the kernel is asked again for what it refused."""


def sas_of(pair: PairState) -> list[SaId]:
    """Those that stand in the kernel, inbound first."""
    sas = [SaId(pair.sa.local, spi) for spi in pair.sa.inbound_spis]
    if pair.half is Half.BOTH:
        sas += [SaId(pair.sa.remote, spi) for spi in pair.sa.outbound_spis]
    return sas


def is_limited(pairs: Iterable[PairState], found: Iterable[FoundSa]) -> bool:
    """Has one of them the limit of a hand-over?"""
    ours = {sa for pair in pairs for sa in sas_of(pair)}
    return any(sa.ends_in is not None and sa.ends_in < FAR and sa.id in ours for sa in found)


async def hand_over(kernel: Kernel, state: PeerState, now: float) -> list[IkeError]:
    """Let no SA outlive its time unattended. Gives what the kernel refused."""
    refusals = list[IkeError]()
    async for pair in paced(pair for child in state.children.values() for pair in child.standing):
        refusals += await _limit(kernel, pair, max(1, round(pair.expires - now)))
    return refusals


async def lift(kernel: Kernel, pairs: Iterable[PairState]) -> list[IkeError]:
    """From here on it is measured again when they end. Gives what the kernel refused."""
    refusals = list[IkeError]()
    for pair in pairs:
        refusals += await _limit(kernel, pair, BACKSTOP)
    return refusals


async def _limit(kernel: Kernel, pair: PairState, seconds: int) -> list[IkeError]:
    refusals = list[IkeError]()
    for name in sas_of(pair):
        try:
            await kernel.limit_sa(name, seconds)
        except IkeError as refusal:
            refusals.append(refusal)
    return refusals
