"""A file that is read again: no packet leaves in the clear, nothing is left, and who is as before does not notice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ikevd.host.policies import Action
from ikevd.kernel.memory import MemoryKernel
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.policy.lives import Lifetime
from ikevd.policy.settings import Limits
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE, BOB, ESP_AES256_SHA1, connection, psk, selector
from tests.gateways import World, reload
from tests.negotiation.guarded import CHANGED, DMZ, LAN, SETTINGS, VIEW, both_up, of, of_children, out, waiting
from tests.negotiation.mortal import kinds
from tests.virtual_time import run

ALWAYS = connection(children=tuple(replace(one, start=Start.ALWAYS) for one in (LAN, DMZ)))


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("after", CHANGED.values(), ids=CHANGED)
def test_at_no_moment_a_selector_is_without_a_policy_and_nothing_is_left(
    after: tuple[Connection, ...], settings: dict[str, Any]
) -> None:
    async def story() -> None:
        _, hers, _, bob = await both_up(**settings)
        hers.guarded = frozenset(out(hers.kernel.policies.values()))
        alice = hers.gateway
        assert alice is not None
        await reload(alice, *after)
        await asyncio.sleep(30)
        gates = out(hers.kernel.policies.values())
        assert gates.keys() == hers.guarded
        numbers = {child.reqid for one in alice.engine.config.connections for child in one.children}
        assert {one.reqid for one in hers.kernel.policies.values() if one.reqid} == numbers
        pairs = [pair for session in alice.engine.sessions() for one in session.states.values() for pair in one.pairs]
        assert len(hers.kernel.sas) == 2 * len(pairs)
        assert alice.pairs == bob.pairs
        assert alice.troubles == []
        assert not hers.disk.placed.keys() - {"outside", *(f"gates of {view.name}" for view in after)}

    run(story())


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_of_a_connection_that_is_gone_from_the_file_nothing_is_left(settings: dict[str, Any]) -> None:
    async def story() -> None:
        world, hers, _, bob = await both_up(**settings)
        alice, began = hers.gateway, now()
        assert alice is not None
        await reload(alice)
        assert not hers.kernel.sas
        assert of_children(hers.kernel) == []
        await asyncio.sleep(30)
        assert bob.nothing_installed
        assert kinds(world, began) == {ExchangeType.INFORMATIONAL}
        assert alice.troubles == []
        assert not hers.disk.peers
        assert not list(alice.engine.sessions())
        assert alice.engine.dismissed == []

    run(story())


def test_a_child_that_is_gone_goes_alone() -> None:
    async def story() -> None:
        world, hers, _, bob = await both_up()
        alice, began = hers.gateway, now()
        assert alice is not None
        before = dict(out(hers.kernel.policies.values()))
        await reload(alice, replace(VIEW, children=(LAN,)))
        await asyncio.sleep(5)
        assert out(hers.kernel.policies.values()) == {name: before[name] for name in of(alice, "lan")}
        assert alice.pairs == bob.pairs == 1
        assert kinds(world, began) == {ExchangeType.INFORMATIONAL}
        assert not hers.disk.placed.keys() - {"outside", "gates of bob"}

    run(story())


def test_a_new_child_comes_up_under_the_isakmp_sa_that_stands() -> None:
    async def story() -> None:
        world, hers, _, bob = await both_up(replace(VIEW, children=(LAN,)))
        alice, began = hers.gateway, now()
        assert alice is not None
        await reload(bob, waiting(VIEW))
        await reload(alice, replace(VIEW, children=(LAN, replace(DMZ, start=Start.ALWAYS))))
        await asyncio.sleep(5)
        assert alice.pairs == bob.pairs == 2
        assert kinds(world, began) == {ExchangeType.QUICK_MODE}

    run(story())


def test_a_new_connection_comes_up() -> None:
    async def story() -> None:
        world = World()
        alice, bob = world.gateway(ALICE), world.gateway(BOB)
        for gateway in (alice, bob):
            await gateway.engine.restore()
            gateway.engine.start()
        await reload(bob, waiting(replace(VIEW, children=(LAN,))))
        await reload(alice, connection(children=(replace(LAN, start=Start.ALWAYS),)))
        assert out(alice.kernel.policies.values()), "its gate stands at once"
        await asyncio.sleep(5)
        assert alice.pairs == bob.pairs == 1

    run(story())


@pytest.mark.parametrize(
    "change",
    [{"remote": selector("10.3.0.0/24")}, {"local": selector("10.1.4.0/24")}],
    ids=["remote", "local"],
)
def test_a_child_with_other_networks_begins_anew_and_its_sibling_stays(change: dict[str, Any]) -> None:
    async def story() -> None:
        world, hers, _, bob = await both_up(ALWAYS)
        alice, began = hers.gateway, now()
        assert alice is not None
        sibling = {name: hers.kernel.policies[name] for name in of(alice, "dmz")}
        after = replace(ALWAYS, children=(replace(ALWAYS.children[0], **change), ALWAYS.children[1]))
        await reload(bob, waiting(after))
        await reload(alice, after)
        await asyncio.sleep(5)
        assert {name: hers.kernel.policies[name] for name in sibling} == sibling
        assert alice.pairs == bob.pairs == 2
        assert kinds(world, began) == {ExchangeType.INFORMATIONAL, ExchangeType.QUICK_MODE}
        (gate,) = [hers.kernel.policies[name] for name in of(alice, "lan")]
        assert gate.action is Action.TUNNEL
        assert len(hers.kernel.sas) == 4
        assert alice.troubles == bob.troubles == []

    run(story())


@pytest.mark.parametrize(
    "change",
    [{"psk": psk("another one")}, {"lifetime": Lifetime(3000)}, {"aggressive": True}],
    ids=["another key", "another lifetime", "another mode"],
)
def test_other_settings_of_phase_1_are_negotiated_anew_while_what_stands_carries_on(change: dict[str, Any]) -> None:
    async def story() -> None:
        _, hers, his, bob = await both_up(ALWAYS)
        alice = hers.gateway
        assert alice is not None
        (old,) = (isakmp.sa.cookies for isakmp in alice.session.live)
        first = {pair.sa.inbound for one in alice.session.states.values() for pair in one.pairs}
        after = replace(ALWAYS, **change)
        carried = _Carried(hers.kernel, his.kernel)
        await reload(bob, waiting(after))
        await reload(alice, after)
        for _ in range(1200):
            await asyncio.sleep(0.1)
            carried.look()
        fresh = [live.sa for live in alice.session.live if live.sa.cookies != old]
        assert {sa.lifetime for sa in fresh} == {after.lifetime}, "two, where both ends call at once"
        now = {pair.sa.inbound for one in alice.session.states.values() for pair in one.pairs}
        assert len(now) == 2
        assert not now & first, "every child was negotiated under the new settings"
        assert len(hers.kernel.sas) == len(his.kernel.sas) == 4

    run(story())


def test_while_the_peer_does_not_know_of_the_new_key_what_stands_carries_on() -> None:
    async def story() -> None:
        _, hers, his, bob = await both_up(ALWAYS)
        alice = hers.gateway
        assert alice is not None
        carried = _Carried(hers.kernel, his.kernel)
        after = replace(ALWAYS, psk=psk("another one"))
        await reload(alice, after)
        for _ in range(600):
            await asyncio.sleep(0.1)
            carried.look()
        assert alice.pairs == bob.pairs == 2
        first = {pair.sa.inbound for one in alice.session.states.values() for pair in one.pairs}
        await reload(bob, waiting(after))
        for _ in range(4000):
            await asyncio.sleep(0.1)
            carried.look()
        now = {pair.sa.inbound for one in alice.session.states.values() for pair in one.pairs}
        assert len(now) == 2
        assert not now & first

    run(story())


def test_other_proposals_of_a_child_are_negotiated_anew_while_its_pair_carries_on() -> None:
    async def story() -> None:
        world, hers, his, bob = await both_up(ALWAYS)
        alice, began = hers.gateway, now()
        assert alice is not None
        carried = _Carried(hers.kernel, his.kernel)
        lan, dmz = ALWAYS.children
        after = replace(ALWAYS, children=(replace(lan, suites=(ESP_AES256_SHA1,)), dmz))
        (sibling,) = alice.session.states["dmz"].pairs
        await reload(bob, waiting(after))
        await reload(alice, after)
        for _ in range(1200):
            await asyncio.sleep(0.1)
            carried.look()
        assert {pair.sa.suite for pair in alice.session.states["lan"].pairs} == {ESP_AES256_SHA1}
        assert alice.session.states["dmz"].pairs == (sibling,)
        assert kinds(world, began) <= {ExchangeType.QUICK_MODE, ExchangeType.INFORMATIONAL}
        assert len(hers.kernel.sas) == len(his.kernel.sas) == 4

    run(story())


@pytest.mark.parametrize(
    "change", [{"nat_keepalive": 33.0}, {"location": replace(VIEW.location, line=99)}], ids=["a setting", "its place"]
)
def test_what_the_peer_has_no_part_in_is_changed_without_a_word(change: dict[str, Any]) -> None:
    async def story() -> None:
        world, hers, _, _ = await both_up()
        alice, began, before = hers.gateway, now(), (set(hers.kernel.sas), dict(hers.kernel.policies))
        assert alice is not None
        after = replace(VIEW, **change)
        await reload(alice, after)
        await asyncio.sleep(10)
        assert (set(hers.kernel.sas), dict(hers.kernel.policies)) == before
        assert kinds(world, began) == set()
        assert alice.session.connection == after
        assert alice.session.connection.location == after.location
        hers.connections = (after,)
        alice = await hers.restart()
        assert alice.pairs == 2, "the store knows of it"
        assert kinds(world, began) == set()

    run(story())


def test_what_the_operator_took_down_stays_down() -> None:
    async def story() -> None:
        _, hers, _, bob = await both_up(ALWAYS)
        alice = hers.gateway
        assert alice is not None
        alice.session.unwant("lan")
        await asyncio.sleep(1)
        await reload(alice, replace(ALWAYS, psk=psk("another one")))
        await reload(bob, waiting(replace(ALWAYS, psk=psk("another one"))))
        await asyncio.sleep(60)
        assert not alice.session.states["lan"].pairs
        assert alice.session.states["dmz"].pairs

    run(story())


def test_a_child_that_was_brought_up_by_command_comes_back() -> None:
    async def story() -> None:
        _, hers, _, bob = await both_up(VIEW)
        alice = hers.gateway
        assert alice is not None
        after = replace(VIEW, children=(replace(LAN, remote=selector("10.3.0.0/24")), DMZ))
        await reload(bob, waiting(after))
        await reload(alice, after)
        await asyncio.sleep(5)
        assert alice.pairs == 2

    run(story())


def test_to_leave_and_to_come_back_at_once_ends_well() -> None:
    async def story() -> None:
        _, hers, _, bob = await both_up(ALWAYS)
        alice = hers.gateway
        assert alice is not None
        await reload(alice)
        await reload(alice, ALWAYS)
        await asyncio.sleep(60)
        assert alice.pairs == bob.pairs == 2
        assert len(hers.disk.peers) == 1
        hers.connections = alice.engine.config.connections
        alice = await hers.restart()
        assert alice.pairs == 2

    run(story())


def test_limits_are_those_of_the_new_file() -> None:
    async def story() -> None:
        world = World()
        alice = world.gateway(ALICE, VIEW)
        await reload(alice, VIEW, limits=Limits(half_open=7))
        assert alice.engine.config.limits.half_open == 7

    run(story())


def test_what_has_not_changed_is_not_kept_twice() -> None:
    async def story() -> None:
        alice = World().gateway(ALICE, VIEW)
        await alice.engine.restore()
        alice.engine.start()
        moved = replace(connection(children=(replace(LAN), replace(DMZ))), location=replace(VIEW.location, line=99))
        await reload(alice, moved)
        (kept,) = alice.engine.config.connections
        assert kept.children is VIEW.children
        assert kept.location == moved.location

    run(story())


class _Carried:
    """Packets of every child cross at any moment, both ways: what leaves finds its SA at the other end."""

    def __init__(self, *kernels: MemoryKernel) -> None:
        self._kernels = kernels

    def look(self) -> None:
        """The SA that an out policy leads to is the newest outbound one of its reqid."""
        one, other = self._kernels
        for ours, theirs in ((one, other), (other, one)):
            for policy in out(ours.policies.values()).values():
                assert policy.action is Action.TUNNEL
                assert policy.template is not None
                sas = [name for name, sa in ours.sas.items() if sa.reqid == policy.reqid]
                assert any(name in theirs.sas for name in sas if name.destination == policy.template.destination)
