"""Ten minutes in which everything goes wrong, then calm: what do the two ends agree on?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ikevd.peer import command_facts, kernel_facts
from ikevd.peer.child import MAX_PAIRS
from ikevd.peer.desired import desired_child
from ikevd.peer.due import lasts, serves
from ikevd.peer.facts import Fact
from ikevd.peer.state import PeerState
from ikevd.policy.child import Child, Start
from ikevd.policy.connection import Connection
from ikevd.policy.lives import Lifetime
from ikevd.sa.model import Spi
from tests.builders import child, connection, mirrored
from tests.peer.soak.side import Side, pairs
from tests.peer.soak.world import World

TROUBLE = 600.0
CALM = 420.0
"""Longer than the longest lifetime and the longest pause between two attempts."""
MOST_SERVING = 3


@dataclass(frozen=True)
class Outcome:
    """`wrong`: in what they do not agree, and what should never have been."""

    wrong: tuple[str, ...]
    facts: int
    kills: int


def story(seed: int) -> Outcome:
    """Trouble and calm. Then somebody removes an SA, one end takes everything down, and Quick Modes are refused or
    taken down at any moment: the other end learns of it at once, long before a lifetime ends."""
    world = World(seed)
    plain = connection(children=_children(world), lifetime=Lifetime(world.dice.choice((70, 3600))))
    alice = Side(world, _started(world, plain), alice=True)
    bob = Side(world, _started(world, mirrored(plain)), alice=False)
    alice.other, bob.other = bob, alice
    for side in (alice, bob):
        for configured in side.connection.children:
            if configured.start is Start.ALWAYS:
                world.after(3 * world.dice.random(), _posts(side, command_facts.Wanted(configured.name)))
    for _ in range(25):
        world.after(TROUBLE * world.dice.random(), _disturbance(world, world.dice.choice((alice, bob))))
    world.at(TROUBLE, world.calm)
    world.at(TROUBLE + 20, _posts(alice, command_facts.Wanted("c0")))
    world.run_until(TROUBLE + CALM)
    wrong = [f"after calm: {what}" for what in _wrong(world, alice, bob)]
    _remove(world, alice)
    world.run_until(world.now + 10)
    wrong += [f"after a removal: {what}" for what in _wrong(world, alice, bob)]
    alice.post(command_facts.Ended())
    world.run_until(world.now + 10)
    wrong += [f"after the end: {what}" for what in _wrong(world, alice, bob)]
    _start_badly(world, alice, bob)
    wrong += [f"after a bad start: {what}" for what in _wrong(world, alice, bob)]
    tallies = (alice.tally, bob.tally)
    return Outcome(tuple(wrong), sum(tally["facts"] for tally in tallies), sum(tally["kills"] for tally in tallies))


def _children(world: World) -> tuple[Child, ...]:
    lifetime = Lifetime(world.dice.choice((60, 400)))
    networks = [(f"10.1.{n}.0/24", f"10.2.{n}.0/24") for n in range(3)]
    return tuple(child(*both, name=f"c{n}", reqid=0x696B0000 + n, lifetime=lifetime) for n, both in enumerate(networks))


def _started(world: World, view: Connection) -> Connection:
    children = (replace(child, start=world.dice.choice(list(Start))) for child in view.children)
    return replace(view, children=tuple(children))


# -- what happens


def _posts(side: Side, fact: Fact) -> Callable[[], None]:
    return lambda: side.post(fact)


def _disturbance(world: World, side: Side) -> Callable[[], None]:
    name, chance = f"c{world.dice.randrange(3)}", world.dice.random()
    if chance < 0.45:
        return _posts(side, command_facts.Wanted(name))
    if chance < 0.65:
        return _posts(side, command_facts.Unwanted((name,)))
    if chance < 0.75:
        return _posts(side, command_facts.Ended())
    if chance < 0.85:
        return lambda: _cut(world, side, name)
    if chance < 0.95:
        return lambda: _remove(world, side)
    return _posts(side, kernel_facts.Acquired(name))


def _cut(world: World, side: Side, name: str) -> None:
    """Nothing arrives for a while. One end takes everything down meanwhile, unheard, and begins anew."""
    if world.now < TROUBLE - 60:
        world.cut_until = world.now + world.dice.choice((5, 20, 60))
        side.post(command_facts.Ended(announce=False))
        world.at(world.cut_until, _posts(side, command_facts.Wanted(name)))


def _start_badly(world: World, alice: Side, bob: Side) -> None:
    world.refusals = 0.2
    for number in range(3):
        alice.post(command_facts.Wanted(f"c{number}"))
        side = world.dice.choice((alice, bob))
        world.after(0.5 * world.dice.random(), _posts(side, command_facts.Unwanted((f"c{number}",))))
    world.run_until(world.now + 5)
    world.refusals = 0.0
    world.run_until(world.now + 10)


def _remove(world: World, side: Side) -> None:
    """Somebody removes an SA from the kernel."""
    names = sorted(name.spi for held in side.kernel.sas.values() for name in held)
    if names:
        side.lose(Spi(world.dice.choice(names)), kernel_facts.Vanished)


# -- what came of it


def _wrong(world: World, alice: Side, bob: Side) -> Iterator[str]:
    if not _wait_until_quiet(world, alice, bob):
        yield "something is under way for ever"
    ours = {(sa.inbound, sa.outbound) for sa in pairs(alice)}
    if ours != {(sa.outbound, sa.inbound) for sa in pairs(bob)}:
        yield "the two ends disagree"
    if alice.kernel.stands != bob.kernel.stands:
        yield "the two kernels disagree"
    yield from _wrong_isakmp(world, alice, bob)
    yield from world.wrong
    for side in (alice, bob):
        yield from side.kernel.wrong
        yield from _wrong_of(side)


def _wrong_isakmp(world: World, alice: Side, bob: Side) -> Iterator[str]:
    """Two that crossed and the one that they replace may serve for a while."""
    ours, theirs = (
        {key for key, known in side.state.isakmp.items() if serves(known) and lasts(known, world.now)}
        for side in (alice, bob)
    )
    if max(len(ours), len(theirs)) > MOST_SERVING:
        yield f"{len(ours)} and {len(theirs)} ISAKMP SAs serve"
    if ours and theirs and not ours & theirs:
        yield "the two ends have ISAKMP SAs, and none in common"


def _wait_until_quiet(world: World, alice: Side, bob: Side) -> bool:
    """Nothing is under way, and for two seconds nothing happened."""
    for _ in range(60):
        before = (alice.tally["facts"], bob.tally["facts"])
        world.run_until(world.now + 2)
        if alice.quiet and bob.quiet and before == (alice.tally["facts"], bob.tally["facts"]):
            return True
    return False


def _wrong_of(side: Side) -> Iterator[str]:
    if side.tally["pairs"] > MAX_PAIRS:
        yield f"{side.tally['pairs']} pairs of one child"
    for configured in side.connection.children:
        state = side.state.children.get(configured.name)
        if state is None:
            continue
        view = desired_child(side.connection, configured, state)
        if (view.sas, view.policies) != (side.kernel.sas[configured.name], side.kernel.policies[configured.name]):
            yield "the kernel is no view of the state"
        if state.wanted and not state.standing and not _is_tried(side.state, configured.name):
            yield "a child is wanted, and nobody tries"


def _is_tried(state: PeerState, name: str) -> bool:
    """Is a child under way, in its turn, or will it be at some time?"""
    child = state.children[name]
    return child.attempt is not None or name in state.waiting or child.retry_at is not None
