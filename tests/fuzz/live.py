"""A live conversation after authentication, attacked by a man in the middle who holds the keys; a third party must keep
its tunnel, and nothing may be left after the end.

python -m tests.fuzz.live --messages 100000
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import random
import time
from dataclasses import dataclass, field, replace

from ikevd.addresses import Endpoint, Path
from ikevd.facts import Failed
from ikevd.negotiation.session import Session
from ikevd.policy.child import Child
from ikevd.policy.lives import Lifetime
from tests.builders import ALICE, BOB, child, connection, mirrored
from tests.duet import Network
from tests.fuzz.middle import Middle
from tests.gateways import Gateway, World
from tests.hostile.scene import CAROL, CAROLS
from tests.virtual_time import run

STEPS = 60
FOR_EVER = Lifetime(10 * 86400)
PAUSES = (0.0, 0.05, 0.5, 2.0, 20.0, 90.0, 3700.0)
ADDITIONS = ("add_sa", "put_policy", "reserve_spi")
DELETIONS = ("delete_sa", "delete_policy")
CAROLS_FOR_EVER = replace(
    CAROLS,
    lifetime=FOR_EVER,
    children=tuple(replace(each, lifetime=FOR_EVER) for each in CAROLS.children),
)


@dataclass
class Outcome:
    """What one story came to."""

    seed: int
    messages: int = 0
    opened: int = 0
    forged: int = 0
    deletions_refused: int = 0
    left: list[str] = field(default_factory=list)
    """What stood in a kernel after the end."""


class Story:
    """One seed: Alice and Bob with the man between them, Bob and Carol without."""

    def __init__(self, seed: int, *, refuse_deletions: bool) -> None:
        self.dice = random.Random(seed)
        self.outcome = Outcome(seed)
        self._refuse_deletions = refuse_deletions
        self._names = [f"c{number}" for number in range(3)]
        view = connection(name="bob", children=self._children(), lifetime=Lifetime(self.dice.choice((300, 86400))))
        world = World(Network(jitter=0.02, seed=seed))
        self.alice = world.gateway(ALICE, view, seed=seed)
        theirs = replace(mirrored(view), name="alice"), replace(mirrored(CAROLS_FOR_EVER), name="carol")
        self.bob = world.gateway(BOB, *theirs, seed=seed + 1)
        self.carol = world.gateway(CAROL, CAROLS_FOR_EVER, seed=seed + 2)
        self.middle = Middle(self.alice, self.bob, self.dice)
        world.network.tamper = self.middle

    def _children(self) -> tuple[Child, ...]:
        return tuple(
            child(
                name=name,
                reqid=0x696B0000 + number,
                local=f"10.1.{number}.0/24",
                remote=f"10.2.{number}.0/24",
                lifetime=Lifetime(self.dice.choice((120, 3600))),
            )
            for number, name in enumerate(self._names)
        )

    async def tell(self) -> Outcome:
        """The whole of it; raises AssertionError where a promise is broken."""
        await self._session(self.carol).want("carol-lan")
        await asyncio.sleep(1)
        before = self._of_carol()
        for _ in range(STEPS):
            await asyncio.sleep(self.dice.choice(PAUSES) * self.dice.random())
            self._disturb()
        self.middle.active = False
        await asyncio.sleep(30)
        assert self._of_carol() == before, "Carol's tunnel stands as it did"
        self._no_bug()
        self._no_more_faults()
        for gateway in (self.alice, self.bob, self.carol):
            await gateway.engine.stop()
            await asyncio.sleep(60)
            gateway.kernel.tick()
        return self._counted()

    def _session(self, gateway: Gateway) -> Session:
        return gateway.engine.session(gateway.engine._config.connections[0])

    def _disturb(self) -> None:
        gateway = self.dice.choice((self.alice, self.bob))
        session, name, chance = self._session(gateway), self.dice.choice(self._names), self.dice.random()
        if chance < 0.5:
            session.want(name).add_done_callback(lambda done: done.cancelled() or done.exception())
        elif chance < 0.62:
            session.unwant(name)
        elif chance < 0.66:
            session.end()
        elif chance < 0.78:
            self._fault(gateway)
        else:
            self._replay()

    def _fault(self, gateway: Gateway) -> None:
        operations = (*ADDITIONS, *(DELETIONS if self._refuse_deletions else ()))
        operation = self.dice.choice(operations)
        self.outcome.deletions_refused += operation in DELETIONS
        gateway.kernel.fail(operation, errno.ENOMEM, self.dice.randrange(1, 4))

    def _replay(self) -> None:
        """An old datagram once more, perhaps from other ports."""
        if not self.middle.remembered:
            return
        receiver, datagram = self.dice.choice(self.middle.remembered)
        gateway, other = (self.alice, BOB) if receiver == "alice" else (self.bob, ALICE)
        ports = self.dice.choice(((500, 500), (4500, 4500), (500, 4500), (4500, 61234), (500, 1)))
        path = Path(Endpoint(gateway.address, ports[0]), Endpoint(other, ports[1]))
        gateway.engine.datagram(datagram, path)
        self.middle.seen += 1

    def _of_carol(self) -> object:
        pair = {CAROL, BOB}
        sas = {key: sa for key, sa in self.bob.kernel.sas.items() if {sa.source, sa.destination} == pair}
        return sas, dict(self.carol.kernel.sas), dict(self.carol.kernel.policies)

    def _no_bug(self) -> None:
        for gateway in (self.alice, self.bob, self.carol):
            assert "bug: datagram dropped" not in gateway.counters.as_dict()
            facts = [entry.fact for record in gateway.history.find() for entry in record.entries]
            assert not [fact for fact in facts if isinstance(fact, Failed) and fact.error == "InternalError"]

    def _no_more_faults(self) -> None:
        for gateway in (self.alice, self.bob, self.carol):
            gateway.kernel.heal()

    def _counted(self) -> Outcome:
        middle, outcome = self.middle, self.outcome
        outcome.messages, outcome.opened, outcome.forged = middle.seen, middle.opened, middle.forged
        for name, gateway in (("alice", self.alice), ("bob", self.bob), ("carol", self.carol)):
            kernel = gateway.kernel
            outcome.left += [f"{name}: {sa}" for sa in (*kernel.sas, *kernel.larval)]
            outcome.left += [f"{name}: {policy}" for policy in kernel.policies]
        return outcome


def tell(seed: int, *, refuse_deletions: bool = False) -> Outcome:
    """Run one story in virtual time."""

    async def whole() -> Outcome:
        return await Story(seed, refuse_deletions=refuse_deletions).tell()

    return run(whole())


def main() -> None:
    """Stories until so many messages were seen; every other one with deletions that the kernel refuses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begin, messages, opened, forged, refused, seed = time.monotonic(), 0, 0, 0, 0, options.seed
    while messages < options.messages:
        outcome = tell(seed, refuse_deletions=bool(seed % 2))
        assert not outcome.left, outcome
        refused += outcome.deletions_refused
        messages, opened, forged = messages + outcome.messages, opened + outcome.opened, forged + outcome.forged
        seed += 1
    print(
        f"live: {messages:,} messages, {opened:,} opened, {forged:,} forged in {seed - options.seed:,} stories, "
        f"{time.monotonic() - begin:.0f} s, {refused:,} deletions refused; Carol's tunnel stood in all, "
        "nothing was left"
    )


if __name__ == "__main__":
    main()
