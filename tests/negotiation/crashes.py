"""Two gateways of which one crashes: nothing of what it knew is left. And what was said and noted of that."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from ikevd.facts import Fact, Note, Sent
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.store.memory import Disk
from tests.builders import ALICE, BOB, child, connection, mirrored
from tests.gateways import Gateway, World
from tests.negotiation.mortal import Machine
from tests.sayings import said

AT_ONCE = 3.0
"""Seconds: three round trips, and a second in which the peer may begin itself."""
LAN, DMZ = (
    child(start=Start.ALWAYS),
    child("10.1.9.0/24", "10.2.9.0/24", name="dmz", reqid=0x696B0001, start=Start.ALWAYS),
)
BOTH = connection(children=(LAN, DMZ))


def facts_of(gateway: Gateway, kind: type[Fact]) -> list[Any]:
    entries = (entry for record in gateway.history.newest_first() for entry in record.entries)
    return [entry.fact for entry in entries if isinstance(entry.fact, kind)]


def greetings(gateway: Gateway) -> list[str]:
    """The messages in which it has said INITIAL-CONTACT, by their labels."""
    return [fact.label for fact in facts_of(gateway, Sent) if fact.label in ("MM5", "MM6") and "N" in fact.payloads]


def noted(gateway: Gateway, words: str) -> bool:
    return any(words in said(note) for note in facts_of(gateway, Note))


def only(view: Connection, *names: str) -> Connection:
    """Of its children these alone are started."""
    return replace(
        view, children=tuple(replace(c, start=Start.ALWAYS if c.name in names else Start.MANUAL) for c in view.children)
    )


async def machines(view: Connection = BOTH, other: Connection | None = None) -> tuple[Machine, Machine]:
    """Alice and Bob, their tunnels up for a minute."""
    world = World()
    both = Machine(world, ALICE, view), Machine(world, BOB, other or mirrored(view))
    for machine in both:
        machine.boot().engine.start()
    await asyncio.sleep(60)
    return both


async def crash(machine: Machine) -> Gateway:
    """Nothing of what it knew is left; the next process starts at once."""
    machine.kill()
    machine.disk = Disk()
    return await machine.restart()


def inbound(gateway: Gateway) -> set[int]:
    return {pair.sa.inbound for s in gateway.engine.sessions() for c in s.states.values() for pair in c.standing}


def agree(one: Gateway, other: Gateway) -> bool:
    """Do both have the same pairs, in their kernels as well?"""
    return one.pairs == other.pairs > 0 and set(one.kernel.keys.items()) == set(other.kernel.keys.items())
