"""Bob is attacked; beside the attacker, who has a connection and a key of its own, Bob has an honest peer, Carol.

Whatever the attacker did: Carol's tunnel stands as before, another one of hers comes up, and no bug was met.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from ikevd.addresses import Path
from ikevd.facts import Dropped, Fact, Failed
from ikevd.negotiation.session import Session
from ikevd.observe.history import Record
from ikevd.policy.connection import Connection
from tests.builders import ALICE, BOB, child, connection, mirrored, psk
from tests.gateways import Gateway, World
from tests.hostile.mallory import Mallory, mallory_at
from tests.virtual_time import run

CAROL = ip_address("192.0.2.77")
MALLORY = ALICE
ELSEWHERE = ip_address("203.0.113.66")
CAROLS_CHILDREN = (
    child(name="carol-lan", reqid=0x696B0010, local="10.3.0.0/24"),
    child(name="carol-dmz", reqid=0x696B0011, local="10.3.9.0/24"),
)
MALLORYS = connection(name="bob", psk=psk("m4rked-secret of Mallory"))
CAROLS = connection(name="bob", local=CAROL, psk=psk("m4rked-secret of Carol"), children=CAROLS_CHILDREN)


@dataclass
class Scene:
    """What a test can see and do."""

    world: World
    bob: Gateway
    carol: Gateway
    mallory: Mallory
    counted_before: dict[str, int]

    @property
    def session(self) -> Session:
        """Bob's session with Mallory."""
        (found,) = [s for s in self.bob.engine.sessions() if s.connection.name == "mallory"]
        return found

    def initiate(self) -> asyncio.Future[None]:
        """Bob begins: Mallory is the responder."""
        (view,) = [c for c in self.bob.engine._config.connections if c.name == "mallory"]
        future = self.bob.engine.session(view).want("lan")
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return future

    def counted(self) -> dict[str, int]:
        """Bob's counters since the attack began."""
        now = self.bob.counters.as_dict()
        return {name: count - self.counted_before.get(name, 0) for name, count in now.items()} | {}

    def new_counts(self) -> dict[str, int]:
        """Those that moved."""
        return {name: count for name, count in self.counted().items() if count}

    def records(self) -> list[Record]:
        """Bob's evidence of Mallory."""
        return list(self.bob.history.find(peer=str(MALLORY)))

    def facts(self, kind: type[Fact]) -> list[Any]:
        return [entry.fact for record in self.records() for entry in record.entries if isinstance(entry.fact, kind)]

    def refusals(self) -> list[tuple[str, str]]:
        """Label and error class of every message that was dropped."""
        return [(fact.label, fact.error) for fact in self.facts(Dropped)]

    def failures(self) -> list[str]:
        """Error class of every exchange that failed."""
        return [fact.error for fact in self.facts(Failed)]

    @property
    def tunnels(self) -> int:
        """IPsec SA pairs of Bob's with Mallory's address in the kernel."""
        return len([sa for sa in self.bob.kernel.sas if sa.destination == MALLORY])


def attack(
    story: Callable[[Scene], Coroutine[Any, Any, None]],
    *,
    view: Connection = MALLORYS,
) -> None:
    """Run the attack in virtual time, then see whether Carol suffered."""

    async def whole() -> None:
        scene = await _prepared(view)
        before = _of_carol(scene)
        await story(scene)
        assert _of_carol(scene) == before, "Carol's tunnel stands as it did"
        await asyncio.wait_for(_want(scene.carol, "carol-dmz"), 20)
        assert "bug: datagram dropped" not in scene.bob.counters.as_dict()
        assert not [fact for fact in scene.facts(Failed) if fact.error == "InternalError"]

    run(whole())


async def _prepared(view: Connection) -> Scene:
    world = World()
    his = replace(mirrored(view), name="mallory")
    bob = world.gateway(BOB, his, replace(mirrored(CAROLS), name="carol"))
    carol = world.gateway(CAROL, CAROLS, seed=5)
    await _want(carol, "carol-lan")
    await asyncio.sleep(1)
    return Scene(
        world,
        bob,
        carol,
        Mallory(view, mallory_at(MALLORY, BOB), bob.engine.datagram, _Ear(world)),
        bob.counters.as_dict(),
    )


async def _want(carol: Gateway, name: str) -> None:
    await carol.engine.session(CAROLS).want(name)


def _of_carol(scene: Scene) -> object:
    (session,) = [s for s in scene.bob.engine.sessions() if s.connection.name == "carol"]
    ours = {CAROL, BOB}
    sas = {key: sa for key, sa in scene.bob.kernel.sas.items() if sa.source in ours and sa.destination in ours}
    return dict(session.states), [live.sa for live in session.live], sas, dict(scene.carol.kernel.sas)


class _Ear:
    """What Bob sent to Mallory since the last call."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen = len(world.wire)

    def __call__(self) -> list[bytes]:
        new, self._seen = self._world.wire[self._seen :], len(self._world.wire)
        return [octets for _, path, octets in new if _is_mallorys(path)]


def _is_mallorys(path: Path) -> bool:
    return path.local.address == BOB and path.remote.address != CAROL
