"""A peer that rekeys whenever it likes, answers whatever comes, deletes nothing, and sends through what it made last.

As responder it installs the new pair only when message 3 comes, as strongSwan and Cisco do. Packets cross both ways.
"""

from __future__ import annotations

import asyncio
from typing import Self

from ikevd.host.policies import Action, Direction
from ikevd.host.sas import SaId
from ikevd.policy.lives import Lifetime
from ikevd.sa.model import Spi
from tests.builders import ALICE, BOB, NO_DPD
from tests.gateways import Gateway, World
from tests.persona.live import LiveRouter
from tests.persona.meetings import SECRET, ours, seen_from_bob
from tests.persona.octets import DELETE
from tests.persona.router import Router, RouterPair

PACKETS = 0.1
"""Seconds between two of them."""
DELAY = 0.01


class Careless:
    """A router at Alice's address, to Bob's ikevd; a context manager, while which packets cross."""

    def __init__(self, bob: Gateway, router: LiveRouter) -> None:
        self.lost: list[float] = []
        self.most = 0
        """Bob's pairs at one moment."""
        self._begun: list[asyncio.Future[RouterPair]] = []
        self._bob = bob
        self._router = router

    async def __aenter__(self) -> Self:
        self._task = asyncio.ensure_future(self._send())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    def rekey(self) -> None:
        """Begin a Quick Mode, come what may."""
        self._begun.append(asyncio.ensure_future(self._router.quick_mode()))

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._obey()
            now, kernel = loop.time(), self._bob.kernel
            sas = kernel.sas
            self.most = max(self.most, sum(sa.source == BOB for sa in sas.values()))
            theirs = SaId(BOB, _spi(self._router.pairs[-1].spis[1]))
            loop.call_later(DELAY, self._to_bob, theirs, now)
            (out,) = [one for one in kernel.policies.values() if one.id.direction is Direction.OUT]
            spi = out.template.spi if out.action is Action.TUNNEL and out.template else None
            if spi is not None and SaId(ALICE, spi) in sas:
                loop.call_later(DELAY, self._to_router, spi, now)
            else:
                self.lost.append(now)
            await asyncio.sleep(PACKETS)

    def _obey(self) -> None:
        """What Bob deletes is gone."""
        gone = {body[at : at + 4] for body in self._router.heard(DELETE) for at in range(8, len(body), 4)}
        self._router.pairs[:] = [pair for pair in self._router.pairs if not {*pair.spis} & gone]
        self._router.told.clear()

    def _to_bob(self, name: SaId, left: float) -> None:
        if name not in self._bob.kernel.sas:
            self.lost.append(left)

    def _to_router(self, spi: Spi, left: float) -> None:
        if all(_spi(pair.spis[0]) != spi for pair in self._router.pairs):
            self.lost.append(left)


def _spi(octets: bytes) -> Spi:
    return Spi(int.from_bytes(octets, "big"))


async def careless_at_alice(seed: int) -> tuple[Gateway, Careless]:
    """The tunnel is up."""
    router, world = Router(SECRET), World()
    view = seen_from_bob(ours(router, dpd=NO_DPD, lifetime=Lifetime(2**31)))
    bob = world.gateway(BOB, view, seed=seed)
    alice = LiveRouter(world, ALICE, router)
    await alice.call(BOB)
    await alice.quick_mode()
    await asyncio.sleep(1)
    assert bob.pairs == 1
    return bob, Careless(bob, alice)
