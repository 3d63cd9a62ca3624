"""`rekey` and `reset` on a pair of engines: what they wait for, and what stays."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ikevd.control.interface import UnknownName
from ikevd.errors import IkeError, ProbablePskMismatch
from ikevd.policy.child import Start
from tests.builders import mirrored, psk
from tests.control.controlled import BOTH, controlled, ignore, pair
from tests.gateways import Gateway, alice_and_bob, reload
from tests.virtual_time import run


def spis(gateway: Gateway, child: str) -> set[int]:
    """Inbound ones of the pairs that stand."""
    return {one.sa.inbound for one in gateway.session.states[child].standing}


def cookies(gateway: Gateway) -> list[object]:
    return [live.sa.cookies for live in gateway.session.live]


def test_rekey_of_a_child_makes_a_pair_beside_the_old_one_and_touches_no_sibling() -> None:
    async def story() -> None:
        alice, _, controller = pair()
        await controller.up("bob", ignore)
        before, sibling, isakmp = spis(alice, "lan"), spis(alice, "dmz"), cookies(alice)
        await controller.rekey("lan", ignore)
        assert spis(alice, "lan") > before, "make before break"
        assert (spis(alice, "dmz"), cookies(alice)) == (sibling, isakmp)
        await asyncio.sleep(60)
        assert not spis(alice, "lan") & before

    run(story())


def test_rekey_of_a_connection_makes_an_isakmp_sa_and_under_it_every_child() -> None:
    async def story() -> None:
        alice, _, controller = pair()
        await controller.up("bob", ignore)
        (old,) = cookies(alice)
        before = spis(alice, "lan") | spis(alice, "dmz")
        await controller.rekey("bob", ignore)
        new = cookies(alice)[-1]
        assert new != old
        await asyncio.sleep(100)
        pairs = [one for state in alice.session.states.values() for one in state.standing]
        assert len(pairs) == 2
        assert {one.under for one in pairs} == {new}
        assert not before & {one.sa.inbound for one in pairs}

    run(story())


def test_rekey_of_a_child_with_its_isakmp_sa() -> None:
    async def story() -> None:
        alice, _, controller = pair()
        await controller.up("lan", ignore)
        (old,) = cookies(alice)
        await controller.rekey("lan", ignore, phase1=True)
        assert cookies(alice)[-1] != old

    run(story())


def test_rekey_of_what_is_not_up_says_so() -> None:
    async def story() -> None:
        _, _, controller = pair()
        with pytest.raises(IkeError, match="bob is not up: `ikevd up bob` brings it up"):
            await controller.rekey("bob", ignore)
        await controller.up("lan", ignore)
        with pytest.raises(IkeError, match="dmz is not up"):
            await controller.rekey("dmz", ignore)

    run(story())


def test_a_rekey_that_fails_tells_the_cause_and_what_stands_carries_on() -> None:
    async def story() -> None:
        alice, bob, controller = pair()
        await controller.up("lan", ignore)
        before = spis(alice, "lan")
        await reload(bob, replace(mirrored(BOTH), psk=psk("another one")))
        with pytest.raises(ProbablePskMismatch):
            await controller.rekey("bob", ignore)
        assert spis(alice, "lan") == before

    run(story())


def test_a_reset_ends_all_and_brings_up_what_was_wanted() -> None:
    async def story() -> None:
        alice, bob, controller = pair()
        await controller.up("lan", ignore)
        (old,), before = cookies(alice), spis(alice, "lan")
        await controller.reset("bob", ignore)
        assert spis(alice, "lan")
        assert not spis(alice, "lan") & before
        assert not alice.session.states["dmz"].standing
        await asyncio.sleep(30)
        assert old not in cookies(alice)
        assert alice.kernel.sas.keys() == bob.kernel.sas.keys()

    run(story())


def test_after_a_reset_what_the_peer_wants_comes_back_by_the_peer() -> None:
    async def story() -> None:
        always = replace(BOTH, children=tuple(replace(one, start=Start.ALWAYS) for one in BOTH.children))
        _, alice, bob = alice_and_bob(None, always, mirrored(BOTH))
        alice.engine.start()
        await asyncio.sleep(5)
        assert alice.pairs == bob.pairs == 2
        await controlled(bob).reset("alice", ignore)
        assert bob.pairs == 0
        await asyncio.sleep(30)
        assert alice.pairs == bob.pairs == 2

    run(story())


def test_a_reset_is_for_a_connection() -> None:
    async def story() -> None:
        _, _, controller = pair()
        with pytest.raises(UnknownName, match="no connection is named lan; configured: bob"):
            controller.expect_connection("lan")

    run(story())
