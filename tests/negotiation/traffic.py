"""A tunnel between two gateways with packets that flow both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from tests.gateways import Gateway, World, bring_up
from tests.negotiation.flow import Flow


@dataclass
class Traffic:
    """Both ways, while it is entered."""

    alice: Gateway
    bob: Gateway
    octets: int = 1000
    """In each packet."""

    async def __aenter__(self) -> Traffic:
        self.flows = [Flow(*ends, octets=self.octets) for ends in ((self.alice, self.bob), (self.bob, self.alice))]
        self._tasks = [asyncio.ensure_future(flow.run()) for flow in self.flows]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()

    @property
    def most(self) -> int:
        """Inbound SAs at one moment."""
        return max(flow.most for flow in self.flows)

    @property
    def lost(self) -> list[float]:
        return [when for flow in self.flows for when in (*flow.lost, *flow.clear)]


async def until(condition: Callable[[], bool]) -> None:
    """For a quarter of an hour at most."""
    for _ in range(9000):
        if condition():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("never")


async def tunnel(world: World, alice: Gateway, bob: Gateway) -> Traffic:
    """It is up at both ends."""
    await bring_up(alice)
    await until(lambda: bool(alice.pairs and bob.pairs))
    return Traffic(alice, bob)


def spis(gateway: Gateway) -> list[int]:
    return [pair.sa.inbound for pair in gateway.session.states["lan"].standing]
