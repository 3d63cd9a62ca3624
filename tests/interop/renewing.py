"""What the tests of renewal share: no packet is lost, the pair of IPsec SAs stays; and a renewal that we begin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ikevd.peer.due import serves
from ikevd.peer.isakmp_state import IsakmpState
from tests.eventually import eventually_async
from tests.gateways import ripen
from tests.interop.flood_ping import FloodPing
from tests.interop.inprocess import EngineInNamespace, engine_in, loaded
from tests.interop.sites import Site
from tests.interop.topology import Topology

LAST_WORDS = 3
"""Seconds in which a peer has acted upon a Delete."""
UNTIL = [
    pytest.param(False, id="at once"),
    pytest.param(True, id="until the former one is told Delete", marks=pytest.mark.soak),
]


def spis(topology: Topology) -> set[int]:
    """Of the SAs in both kernels."""
    return {state.spi for node in (topology.gw_a, topology.gw_b) for state in node.xfrm_state()}


@contextmanager
def no_packet_is_lost(topology: Topology) -> Iterator[None]:
    """Nor is an IPsec SA added or removed."""
    before = spis(topology)
    with FloodPing(topology.host_a, topology.host_b.address) as ping:
        yield
        assert ping.lost() == 0
    assert spis(topology) == before


async def we_renew_it(
    topology: Topology,
    site: Site,
    folder: Path,
    *,
    until_its_delete: bool,
    peer_too: Callable[[], None] = lambda: None,
) -> None:
    """`until_its_delete`: until the former one is told Delete, and the peer has acted upon that. `peer_too`: lets the
    peer renew it at the same time."""
    async with engine_in(topology.gw_a, loaded(site.ikevd(), folder / "a")) as alice:
        await alice.up()
        await eventually_async(lambda: len(spis(topology)) == 2)
        (first,) = _serving(alice)
        lossless = no_packet_is_lost(topology)
        await asyncio.to_thread(lossless.__enter__)
        ripen(alice.engine.session(alice.connection))
        await asyncio.to_thread(peer_too)
        await eventually_async(lambda: _serving(alice)[-1].sa.cookies != first.sa.cookies)
        if until_its_delete:
            await eventually_async(lambda: len(_serving(alice)) == 1)
            await asyncio.sleep(LAST_WORDS)
        await asyncio.to_thread(lossless.__exit__, None, None, None)


def _serving(alice: EngineInNamespace) -> list[IsakmpState]:
    return [one for one in alice.engine.session(alice.connection).live if serves(one)]
