"""A process that starts with another file than the one before it: no packet leaves in the clear, nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from ikevd.host.interface import Action, Direction, KernelPolicy, PolicyId
from ikevd.kernel.memory import MemoryKernel
from ikevd.peer import facts
from ikevd.policy.model import Bypass, Child, Connection, Lifetime, Listen, Start
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE, BOB, child, connection, mirrored, selector
from tests.gateways import Gateway, World, bring_up
from tests.negotiation.mortal import Machine
from tests.virtual_time import run

EXCHANGE = 18
LAN = child()
DMZ = child(name="dmz", reqid=0x696B0001, local="10.1.9.0/24", remote="10.2.9.0/24")
VIEW = connection(children=(LAN, DMZ))
SETTINGS: dict[str, dict[str, Any]] = {
    "alone": {},
    "remove_unknown: false": {"remove_unknown": False},
    "listen.addresses": {"listen": Listen((ALICE,))},
}
"""Of the file."""
CAROL, DAVE = ALICE + 1, BOB + 1


class Watched(Machine):
    """At each step of its process every policy of `guarded` must stand, in whatever form."""

    guarded: frozenset[PolicyId] = frozenset()

    def strikes(self, point: str) -> bool:
        """See `Machine.strikes`."""
        assert self.guarded <= self.kernel.policies.keys(), f"clear text {point}"
        return super().strikes(point)


def out(policies: Iterable[KernelPolicy]) -> dict[PolicyId, KernelPolicy]:
    return {one.id: one for one in policies if one.id.direction is Direction.OUT and one.action is not Action.BYPASS}


async def both_up(view: Connection = VIEW, **settings: Any) -> tuple[World, Watched, Machine, Gateway]:
    """Alice has called Bob for both children. His machine never changes."""
    world = World()
    hers, his = Watched(world, ALICE, view), Machine(world, BOB, mirrored(view))
    hers.settings = settings
    alice, bob = hers.boot(), his.boot()
    for gateway in (alice, bob):
        await gateway.engine.restore()
        gateway.engine.start()
    for name in [one.name for one in view.children]:
        await bring_up(alice, name)
    await asyncio.sleep(1)
    assert len(hers.kernel.sas) == 2 * len(view.children)
    return world, hers, his, bob


def renamed(children: Iterable[Child], base: int) -> tuple[Child, ...]:
    return tuple(replace(one, name=f"new {one.name}", reqid=base + n) for n, one in enumerate(children))


CHANGED: dict[str, tuple[Connection, ...]] = {
    "a key of it": (replace(VIEW, nat_keepalive=33.0),),
    "its name": (replace(VIEW, name="robert", children=tuple(replace(c, reqid=c.reqid + 9) for c in VIEW.children)),),
    "the names of its children": (replace(VIEW, children=renamed(VIEW.children, 0x696B0100)),),
    "both": (replace(VIEW, name="robert", children=renamed(VIEW.children, 0x696B0100)),),
    "a number that another child had": (replace(VIEW, name="robert", children=renamed(VIEW.children, DMZ.reqid)),),
    "the networks of two children are exchanged": (
        replace(
            VIEW,
            children=(
                replace(LAN, local=DMZ.local, remote=DMZ.remote),
                replace(DMZ, local=LAN.local, remote=LAN.remote),
            ),
        ),
    ),
    "its address": (replace(VIEW, remote=DAVE),),
    "a child each of two connections": (
        replace(VIEW, children=(LAN,)),
        replace(VIEW, name="robert", remote=DAVE, children=(replace(DMZ, reqid=0x696B0100),)),
    ),
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("after", CHANGED.values(), ids=CHANGED)
def test_what_stands_is_turned_into_blocks_and_at_no_moment_a_selector_is_without_one(
    after: tuple[Connection, ...], settings: dict[str, Any]
) -> None:
    async def story() -> None:
        _, hers, _, bob = await both_up(**settings)
        hers.guarded = frozenset(out(hers.kernel.policies.values()))
        hers.connections = after
        alice = await hers.restart()
        gates = out(hers.kernel.policies.values())
        assert {one.action for one in gates.values()} == {Action.BLOCK}
        assert {one.reqid for one in gates.values()} == {c.reqid for view in after for c in view.children}
        assert not hers.kernel.sas
        await asyncio.sleep(30)
        assert out(hers.kernel.policies.values()) == gates
        assert bob.nothing_installed, "the peer was told"
        assert alice.troubles == []
        assert not hers.disk.placed.keys() - {"outside", *(f"gates of {view.name}" for view in after)}

    run(story())


@pytest.mark.parametrize("after", CHANGED.values(), ids=CHANGED)
def test_also_where_the_store_is_lost_and_ikevd_is_alone(after: tuple[Connection, ...]) -> None:
    async def story() -> None:
        _, hers, _, _ = await both_up()
        hers.guarded = frozenset(out(hers.kernel.policies.values()))
        hers.connections = after
        hers.disk.peers.clear()
        hers.disk.placed.clear()
        await hers.restart()
        gates = out(hers.kernel.policies.values())
        assert {one.action for one in gates.values()} == {Action.BLOCK}
        assert {one.reqid for one in gates.values()} == {c.reqid for view in after for c in view.children}
        assert not hers.kernel.sas

    run(story())


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
def test_of_a_connection_that_is_gone_from_the_file_nothing_is_left(settings: dict[str, Any], up: bool) -> None:
    async def story() -> None:
        world, hers, _, bob = await both_up(**settings)
        if not up:
            for name in ("lan", "dmz"):
                bob.session.unwant(name)
            await asyncio.sleep(20)
        hers.connections = ()
        now = asyncio.get_running_loop().time()
        alice = await hers.restart()
        assert not hers.kernel.sas
        assert not [one for one in hers.kernel.policies.values() if one.action is not Action.BYPASS]
        await asyncio.sleep(30)
        assert bob.nothing_installed
        assert {octets[EXCHANGE] for at, _, octets in world.wire if at > now} <= {ExchangeType.INFORMATIONAL}
        assert alice.troubles == []
        assert not hers.disk.peers

    run(story())


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_of_a_child_that_is_gone_from_the_file_nothing_is_left(settings: dict[str, Any]) -> None:
    async def story() -> None:
        _, hers, _, bob = await both_up(**settings)
        hers.connections = (replace(VIEW, children=(LAN,)),)
        alice = await hers.restart()
        await asyncio.sleep(30)
        assert {one.reqid for one in out(hers.kernel.policies.values()).values()} == {LAN.reqid}
        assert not hers.kernel.sas
        assert bob.nothing_installed
        assert alice.troubles == []

    run(story())


POINTS = [
    f"{when} {call}"
    for call in ("place", "put", "put_policy", "delete_policy", "delete_sa")
    for when in ("before", "after")
]


@pytest.mark.parametrize("passes", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("after", ["both", "the networks of two children are exchanged", "gone"])
def test_whoever_is_killed_meanwhile_leaves_the_rest_to_the_next_process(after: str, point: str, passes: int) -> None:
    async def story() -> None:
        _, hers, _, bob = await both_up(listen=Listen((ALICE,)))
        hers.connections = CHANGED.get(after, ())
        wanted = out(hers.kernel.policies.values()) if hers.connections else {}
        hers.guarded = frozenset(wanted)
        hers.kill()
        killed = hers.boot()
        hers.kill_at(point, passes)
        restoring = asyncio.ensure_future(killed.engine.restore())
        await asyncio.sleep(0.5)
        restoring.cancel()
        await hers.restart()
        await asyncio.sleep(60)
        gates = out(hers.kernel.policies.values())
        assert gates.keys() == wanted.keys()
        assert {one.action for one in gates.values()} <= {Action.BLOCK}
        assert {one.reqid for one in gates.values()} == {c.reqid for view in hers.connections for c in view.children}
        assert not hers.kernel.sas
        assert bob.nothing_installed

    run(story())


# -- what the peer is told ----------------------------------------------------------------------------------------


SHORT = connection(lifetime=Lifetime(60), children=(LAN,))
"""Its ISAKMP SA ends long before its IPsec SAs."""


def test_without_an_isakmp_sa_the_peer_of_a_changed_connection_is_told_under_the_next_one() -> None:
    async def story() -> None:
        _, hers, his, bob = await both_up(SHORT)
        await asyncio.sleep(100)
        assert not bob.session.live
        old = set(his.kernel.sas)
        hers.connections = (replace(SHORT, nat_keepalive=33.0),)
        alice = await hers.restart()
        await bring_up(alice)
        await asyncio.sleep(10)
        assert alice.pairs == bob.pairs == 1
        assert not old & set(his.kernel.sas)
        assert hers.kernel.keys == his.kernel.keys

    run(story())


@pytest.mark.parametrize("deleted", [False, True], ids=["none is left", "the peer has just deleted it"])
def test_also_where_the_connection_with_that_peer_has_another_name(deleted: bool) -> None:
    async def story() -> None:
        _, hers, his, bob = await both_up(SHORT)
        if deleted:
            (isakmp,) = bob.session.live
            bob.session.post(facts.Worn(isakmp.sa.cookies))
            await asyncio.sleep(1)
        else:
            await asyncio.sleep(100)
        old = set(his.kernel.sas)
        hers.connections = (replace(SHORT, name="robert"),)
        alice = await hers.restart()
        await asyncio.sleep(30)
        assert not old & set(his.kernel.sas)
        assert not hers.disk.peers.keys() - {alice.session.state.key}

    run(story())


def test_without_an_isakmp_sa_nobody_is_called_for_a_connection_that_is_gone() -> None:
    """Least of all with an empty key."""

    async def story() -> None:
        world, hers, _, _ = await both_up(SHORT)
        await asyncio.sleep(100)
        now = asyncio.get_running_loop().time()
        hers.connections = ()
        await hers.restart()
        await asyncio.sleep(100)
        assert not [octets for at, _, octets in world.wire if at > now]
        assert not hers.kernel.sas
        assert not hers.disk.peers

    run(story())


@pytest.mark.parametrize("quickly", [True, False], ids=["at once", "later"])
def test_what_comes_up_under_the_changed_connection_stays_at_the_next_restart(quickly: bool) -> None:
    async def story() -> None:
        world, hers, _, bob = await both_up(SHORT)
        hers.connections = (replace(SHORT, nat_keepalive=33.0),)
        alice = await hers.restart()
        await asyncio.sleep(0.1 if quickly else 30)
        await bring_up(alice)
        await asyncio.sleep(30)
        before, now = set(hers.kernel.sas), asyncio.get_running_loop().time()
        alice = await hers.restart()
        await asyncio.sleep(10)
        assert set(hers.kernel.sas) == before
        assert alice.pairs == bob.pairs == 1
        assert not [octets for at, _, octets in world.wire if at > now]

    run(story())


# -- what passes outside ------------------------------------------------------------------------------------------


PRINTERS = Bypass("printers", selector("10.1.0.0/24"), selector("10.2.0.8/29"))


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_bypass_that_is_gone_from_the_file_goes_and_what_another_ikevd_lets_pass_stays(
    settings: dict[str, Any],
) -> None:
    async def story() -> None:
        _, hers, _, _ = await both_up(**settings, bypasses=(PRINTERS,))
        before = set(hers.kernel.policies)
        hers.settings = {**settings}
        alice = await hers.restart()
        gone = {one for one in before if str(one.source) == "10.2.0.8/29" or str(one.destination) == "10.2.0.8/29"}
        assert len(gone) == 3
        assert set(hers.kernel.policies) == before - gone
        assert alice.troubles == []

    run(story())


@pytest.mark.parametrize("turns", ["a bypass into a block", "a block into a bypass"])
def test_a_selector_may_change_between_outside_and_a_tunnel(turns: str) -> None:
    async def story() -> None:
        lan = Bypass("lan", LAN.local, LAN.remote)
        settings: dict[str, Any] = {"listen": Listen((ALICE,))}
        _, hers, _, _ = await both_up(replace(VIEW, children=(DMZ,)), **settings, bypasses=(lan,))
        without, without_lan = (VIEW,), (replace(VIEW, children=(DMZ,)),)
        hers.connections, hers.settings = without, settings
        alice = await hers.restart()
        if turns == "a block into a bypass":
            hers.guarded = frozenset(out(hers.kernel.policies.values()))
            hers.connections, hers.settings = without_lan, {**settings, "bypasses": (lan,)}
            alice = await hers.restart()
        (network,) = LAN.remote.networks
        (policy,) = [one for one in hers.kernel.policies.values() if one.id.destination == network]
        assert policy.action is (Action.BYPASS if turns == "a block into a bypass" else Action.BLOCK)
        assert alice.troubles == []

    run(story())


# -- before any ikevd ran -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_blocks_of_a_former_configuration_from_the_start_of_the_machine_are_turned_or_go(
    settings: dict[str, Any],
) -> None:
    async def story() -> None:
        world = World()
        former = Machine(world, ALICE, VIEW)
        await former.restart()
        boot = tuple(former.kernel.policies.values())
        former.kill()
        hers = Watched(world, ALICE, replace(VIEW, name="robert", children=renamed((LAN,), 0x696B0100)))
        hers.settings, hers.at_boot = settings, boot
        for policy in boot:
            await hers.kernel.put_policy(policy)
        (network,) = LAN.remote.networks
        hers.guarded = frozenset(one for one in out(boot) if one.destination == network)
        alice = await hers.restart()
        assert {one.reqid for one in out(hers.kernel.policies.values()).values()} == {0x696B0100}
        assert alice.troubles == []

    run(story())


# -- two ikevd in one network namespace ---------------------------------------------------------------------------


async def neighbours(kernel: MemoryKernel) -> tuple[World, Watched, Watched]:
    """Alice and Carol have one kernel, and connections, children and reqids of one name, each to a peer of her own."""
    world = World()
    lan = child(local="10.7.0.0/24", remote="10.8.0.0/24", start=Start.AUTO)
    views = {ALICE: connection(children=(replace(LAN, start=Start.AUTO),))}
    views[CAROL] = connection(local=CAROL, remote=DAVE, children=(lan,))
    machines = []
    for here, view in views.items():
        machine = Watched(world, here, view, kernel=kernel)
        machine.settings = {"listen": Listen((here,))}
        waits = replace(mirrored(view), children=tuple(replace(c, start=Start.MANUAL) for c in mirrored(view).children))
        assert view.remote is not None
        await Machine(world, view.remote, waits).restart()
        await machine.restart()
        machines.append(machine)
    await asyncio.sleep(10)
    assert len(kernel.sas) == 4
    return world, machines[0], machines[1]


@pytest.mark.parametrize("what", ["as it was", "changed", "gone", "without its store", "fought"])
def test_two_ikevd_with_connections_of_one_name_leave_each_others_sas_and_policies_alone(what: str) -> None:
    async def story() -> None:
        kernel = MemoryKernel(asyncio.get_running_loop().time)
        _, hers, carols = await neighbours(kernel)
        assert carols.gateway is not None
        mine = {name for name in kernel.sas if CAROL in (name.destination, kernel.sas[name].source)}
        theirs = {
            policy.id
            for policy in kernel.policies.values()
            if policy.template and CAROL in (policy.template.source, policy.template.destination)
        }
        carols.guarded = hers.guarded = frozenset(theirs)
        match what:
            case "changed":
                hers.connections = (replace(hers.connections[0], nat_keepalive=33.0),)
            case "gone":
                hers.connections = ()
            case "without its store":
                hers.disk.peers.clear()
                hers.disk.placed.clear()
        alice = await hers.restart()
        if what == "fought":
            kernel.remove_policy(next(one.id for one in kernel.policies.values() if one.id not in theirs))
        await asyncio.sleep(30)
        assert mine <= set(kernel.sas)
        assert len(mine) == 2
        assert {kernel.policies[name].action for name in theirs} == {Action.TUNNEL}
        assert carols.gateway.pairs == 1
        assert alice.troubles == carols.gateway.troubles == []
        if what == "gone":
            assert set(kernel.sas) == mine

    run(story())
