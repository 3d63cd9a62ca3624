"""A bug in the rules of a peer's life: it costs the negotiation in which it was met, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from ikevd.errors import IkeError
from ikevd.negotiation import learner
from ikevd.peer import command_facts, effects, exchange_facts, facts, kernel_facts, message_facts
from ikevd.peer.decide import decide
from ikevd.peer.effects import Effect
from ikevd.peer.facts import Fact
from ikevd.peer.state import PeerState
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.policy.lives import Lifetime
from tests.builders import BOB, child, connection
from tests.gateways import Gateway, alice_and_bob
from tests.mutant import Mutant
from tests.virtual_time import run

ALWAYS = connection(children=(child(start=Start.ALWAYS),))


class Bug(Exception):
    """Of ikevd itself."""


class Bugs:
    """The rules of one gateway, which fail where they meet certain facts, so many times."""

    def __init__(self, of: Gateway, kind: type[Any], times: int = 1) -> None:
        self.local, self.kind, self.times = of.address, kind, times
        self.met = 0
        self.reported: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.reported.append(context["message"]))

    def decide(self, view: Connection, state: PeerState, fact: Fact, now: float, salt: bytes) -> Any:
        """Stands for the rules of every gateway."""
        if isinstance(fact, self.kind) and view.local == self.local and self.met < self.times:
            self.met += 1
            raise Bug
        return decide(view, state, fact, now, salt)

    def planted(self) -> AbstractContextManager[None]:
        """For a while."""
        return rules(self.decide)


def rules(planted: Callable[[Connection, PeerState, Fact, float, bytes], Any]) -> AbstractContextManager[None]:
    """For a while, in the place of those of every gateway."""
    return Mutant("the rules have a bug", learner, "decide", lambda _: planted).planted()


def nothing_is_left(gateway: Gateway) -> bool:
    """Of exchanges that have failed."""
    for each in gateway.engine.sessions():
        under_way = each.state.quick_modes or each.state.phase1 is not None or each.at_work.under_way
        if under_way or set(each.at_work._under) != set(each.state.isakmp):
            return False
        if any(pair.attempt for known in each.states.values() for pair in known.pairs):
            return False
    return len(gateway.kernel.sas) == 2 * gateway.pairs


AT_UP = (
    exchange_facts.PhaseOneUp,
    exchange_facts.QuickModeBegan,
    exchange_facts.Reserved,
    exchange_facts.Opening,
    exchange_facts.QuickModeUp,
    message_facts.Heard,
)


@pytest.mark.parametrize("kind", AT_UP, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("whose", ["initiator", "responder"])
def test_a_negotiation_that_meets_a_bug_ends_and_the_next_one_brings_the_tunnel_up(
    kind: type[Fact], whose: str
) -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob(view=ALWAYS)
        ill = alice if whose == "initiator" else bob
        bugs = Bugs(ill, kind)
        with bugs.planted():
            alice.engine.start()
            await asyncio.sleep(240)
        never_met = kind is exchange_facts.QuickModeBegan and whose == "initiator"  # the responder learns it
        assert (bugs.met, len(bugs.reported)) == ((0, 0) if never_met else (1, 1))
        assert ill.counters["bug: a fact was not learnt"] == bugs.met
        assert alice.pairs == bob.pairs == 1
        assert nothing_is_left(alice)
        assert nothing_is_left(bob)

    run(story())


FAILING = exchange_facts.PhaseOneFailed, exchange_facts.QuickModeFailed, kernel_facts.KernelRefused


@pytest.mark.parametrize("kind", FAILING, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("whose", ["initiator", "responder"])
def test_a_bug_at_the_end_of_what_has_failed_leaves_nothing_either(kind: type[Fact], whose: str) -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob(view=ALWAYS)
        ill = alice if whose == "initiator" else bob
        bugs = Bugs(ill, kind)
        if kind is exchange_facts.PhaseOneFailed:
            del world.gateways[BOB]
        else:
            ill.kernel.fail("add_sa", 12)
        with bugs.planted():
            alice.engine.start()
            await asyncio.sleep(120)
            world.gateways[BOB] = bob
            await asyncio.sleep(600)
        never_met = kind is exchange_facts.PhaseOneFailed and whose == "responder"  # the initiator learns it
        assert bugs.met == (0 if never_met else 1)
        assert alice.pairs == bob.pairs == 1, "after the longest pause"
        assert nothing_is_left(alice)
        assert nothing_is_left(bob)

    run(story())


def test_what_is_due_is_done_later_and_an_sa_that_is_over_ends_in_any_case() -> None:
    async def story() -> None:
        short = replace(ALWAYS, children=(replace(ALWAYS.children[0], lifetime=Lifetime(600)),))
        _, alice, bob = alice_and_bob(view=short)
        alice.engine.start()
        await asyncio.sleep(5)
        (before,) = alice.session.states["lan"].standing
        bugs = Bugs(alice, facts.Due, times=10**6)
        with bugs.planted():
            bob.session.end()
            await asyncio.sleep(700)
        assert before not in alice.session.states["lan"].pairs
        assert bugs.met < 700, "no spin"

    run(story())


def test_of_several_children_that_are_due_one_is_concerned() -> None:
    async def story() -> None:
        dmz = child(name="dmz", reqid=0x696B0001, local="10.1.9.0/24", remote="10.2.9.0/24", start=Start.ALWAYS)
        view = replace(ALWAYS, children=(*ALWAYS.children, dmz))
        _, alice, _ = alice_and_bob(view=view)
        met = list[Fact]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: None)

        def lan_is_ill(view: Connection, state: PeerState, fact: Fact, now: float, salt: bytes) -> Any:
            if isinstance(fact, facts.Due) and fact.children and "lan" in fact.children:
                met.append(fact)
                raise Bug
            return decide(view, state, fact, now, salt)

        alice.engine.start()
        await asyncio.sleep(5)
        with rules(lan_is_ill):
            alice.session.post(facts.Due(("lan", "dmz")))
        assert met == [facts.Due(("lan", "dmz")), facts.Due(("lan",))]

    run(story())


def test_who_waits_for_a_command_is_told() -> None:
    async def story() -> None:
        _, alice, _ = alice_and_bob()
        with Bugs(alice, command_facts.Wanted).planted(), pytest.raises(IkeError, match="a fault of ikevd itself"):
            await asyncio.wait_for(alice.engine.session(connection()).want("lan"), 1)

    run(story())


def test_of_the_effects_of_one_fact_the_others_are_carried_out() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob(view=ALWAYS)
        reported = list[str]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["message"]))
        at_work = alice.engine.session(ALWAYS).at_work
        times = [0]

        def fails_once(carry_out: Callable[[PeerState, Effect], Any]) -> Any:
            def fails(state: PeerState, effect: Effect) -> Any:
                if isinstance(effect, effects.BeginQuickMode) and not times[0]:
                    times[0] = 1
                    raise Bug
                return carry_out(state, effect)

            return fails

        with Mutant("an effect has a bug", at_work, "carry_out", fails_once).planted():
            alice.engine.start()
            await asyncio.sleep(10)
        assert reported == ["internal error in the session of bob: BeginQuickMode was not done"]
        assert alice.pairs == bob.pairs == 1
        assert nothing_is_left(alice)

    run(story())
