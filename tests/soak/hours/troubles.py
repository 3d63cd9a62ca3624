"""What may happen to two gateways, the network between them, and the NAT in front of one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address

from ikevd.errors import KernelRefused
from ikevd.peer.command_facts import Reset
from ikevd.policy.lives import Lifetime
from ikevd.store.memory import Killed
from tests.gateways import reload
from tests.negotiation.test_behind_a_nat import PUBLIC
from tests.soak.hours.life import CLEARED, Life, retrieve
from tests.soak.machine import MortalMachine

OTHER_PUBLIC = ip_address("203.0.113.77")
DAY, LONG = 86_400.0, 600
PAUSES = (5.0, 30.0, 120.0, 300.0)
Trouble = Callable[[Life, MortalMachine], float | None]
"""Gives the seconds for which it goes on."""


def weather(life: Life, _: MortalMachine) -> None:
    """The network gets better or worse, for all that follows. A life of minutes leaves no time to send again and
    again."""
    dice, network = life.dice, life.network
    network.loss = dice.choice((0.0, 0.0, 0.05, 0.2)) if life.child_life >= LONG else 0.0
    network.duplicate = dice.choice((0.0, 0.1))
    network.jitter = dice.choice((0.0, 0.05, 0.3))
    network.delay = dice.choice((0.01, 0.15))


def blackout(life: Life, _: MortalMachine) -> float:
    """Nothing arrives for seconds or minutes."""
    seconds = life.dice.choice((5.0, 20.0, 60.0, 300.0))
    life.go_dark(seconds)
    life.excuse(seconds + CLEARED)
    return seconds


def kill(life: Life, machine: MortalMachine) -> None:
    """kill -9, at once or at a point to come; the next process goes on with the store."""
    life.dice.choice((machine.kill_now, machine.arm))()


def crash(life: Life, machine: MortalMachine) -> None:
    """The same, and the store is lost."""
    life.excuse(CLEARED)
    machine.lose_store()


def reboot(life: Life, machine: MortalMachine) -> None:
    """The machine comes back after seconds or minutes, and knows nothing."""
    seconds = life.dice.choice((5.0, 60.0, 240.0))
    life.excuse(seconds + CLEARED)
    life.watch.open(machine.address)
    machine.reboot(seconds)


def hand_over(life: Life, machine: MortalMachine) -> None:
    """SIGTERM: the process ends in order, and another one goes on."""
    if gateway := machine.running:

        async def end() -> None:
            with suppress(Killed):
                await gateway.engine.hand_over()
                if machine.gateway is gateway:
                    machine.kill()

        life.surely(end())


def flush(life: Life, machine: MortalMachine) -> None:
    """Somebody flushes the SAs, the policies, or removes one SA."""
    life.excuse(CLEARED)
    kind = life.dice.randrange(3)
    if kind == 0:
        machine.kernel.flush_sas()
    elif kind == 1:
        life.watch.open(machine.address)
        machine.kernel.flush_policies()
    elif machine.kernel.sas:
        machine.kernel.remove_sa(life.dice.choice(sorted(machine.kernel.sas, key=lambda name: name.spi)))


def refuse(life: Life, machine: MortalMachine) -> None:
    """The kernel has no memory for one of the next calls."""
    life.excuse(CLEARED)
    machine.refuse()


def overflow(life: Life, machine: MortalMachine) -> None:
    """The events of some moments are lost."""
    with machine.kernel.deaf():
        machine.kernel.tick()


def clock_step(life: Life, machine: MortalMachine) -> None:
    """The clock of the machine is set: hours, or a day, forward or back. Not while an SA has the limit of a hand-over:
    the kernel in memory does not tell a clock that was set from a life that is over, as Linux does."""
    if all(sa.ends_in is None or sa.ends_in > 2 * DAY for sa in machine.kernel._table.found_all()):
        life.clocks[machine.address].error = life.dice.choice((-DAY, -3600.0, 0.0, 3600.0, DAY))
        machine.kernel.tick()


def new_port(life: Life, _: MortalMachine) -> None:
    """The NAT forgets what it knew."""
    if life.nat:
        life.excuse(CLEARED)
        life.nat.forget(life.alice.address)


def new_address(life: Life, _: MortalMachine) -> None:
    """The NAT has another public address."""
    if life.nat:
        life.excuse(CLEARED)
        life.nat.public = PUBLIC if life.nat.public == OTHER_PUBLIC else OTHER_PUBLIC
        life.nat.forget(life.alice.address)


def edit(life: Life, machine: MortalMachine) -> None:
    """Another file, read again: other lifetimes, another pause of dead peer detection."""
    gateway, dice = machine.running, life.dice
    if gateway is None:
        return
    (before,) = machine.connections
    lifetime = Lifetime(dice.choice((life.child_life, life.child_life // 2)))
    children = tuple(replace(one, lifetime=lifetime) if dice.random() < 0.5 else one for one in before.children)
    after = replace(before, children=children, dpd=replace(before.dpd, delay=dice.choice((10.0, 30.0))))
    machine.connections = (after,)

    async def read() -> None:
        life.editing.add(machine.address)
        try:
            await reload(gateway, after)
        except KernelRefused:
            machine.connections = (before,)
        except Killed:
            return
        life.editing.discard(machine.address)

    life.surely(read())


def command(life: Life, machine: MortalMachine) -> None:
    """down and up, rekey, reset; or the whole connection goes down and comes up."""
    session, name, dice = machine.session, f"c{life.dice.randrange(3)}", life.dice
    if session is None:
        return
    kind = dice.randrange(5)
    if kind == 0:
        life.excuse(CLEARED)
        life.soon(lambda: session.unwant(name))
    elif kind == 1:
        life.soon(lambda: retrieve(session.want(name)))
    elif kind == 2:
        phase1 = dice.random() < 0.5
        life.soon(lambda: retrieve(*session.rekey([name], phase1=phase1)))
    elif kind == 3:
        life.excuse(CLEARED)
        life.soon(lambda: session.post(Reset()))
    else:
        life.excuse(CLEARED)
        life.soon(session.end)
        life.soon(lambda: life.bring_up(session))


ALL: tuple[Trouble, ...] = (
    weather,
    blackout,
    kill,
    kill,
    crash,
    reboot,
    hand_over,
    flush,
    refuse,
    overflow,
    clock_step,
    new_port,
    new_address,
    edit,
    command,
    command,
)
GENTLE: tuple[Trouble, ...] = (weather, kill, kill, hand_over, overflow, clock_step, edit)
"""Of which none may cut anything."""


async def trouble(life: Life) -> None:
    """One of them, and a pause."""
    kind = life.dice.choice(GENTLE if life.gentle else ALL)
    life.troubles[kind.__name__] += 1
    seconds = kind(life, life.dice.choice(life.machines)) or 0.0
    await asyncio.sleep(seconds * life.dice.random() + life.dice.choice(PAUSES) * life.dice.random())
