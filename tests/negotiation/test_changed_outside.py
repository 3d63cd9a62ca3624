"""What passes outside, and what stood before any ikevd ran, when the file is another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ikevd.host.policies import Action
from ikevd.policy.settings import Listen, Shunt
from tests.builders import ALICE, selector
from tests.gateways import World, reload
from tests.negotiation.guarded import DMZ, LAN, SETTINGS, VIEW, Watched, both_up, out, renamed
from tests.negotiation.mortal import Machine
from tests.virtual_time import run

PRINTERS = Shunt("printers", selector("10.1.0.0/24"), selector("10.2.0.8/29"))


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
        lan = Shunt("lan", LAN.local, LAN.remote)
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


def test_a_reload_turns_a_bypass_into_a_drop_and_back_and_a_drop_that_is_gone_goes() -> None:
    async def story() -> None:
        world = World()
        alice = world.gateway(ALICE, VIEW, settings={"bypasses": (PRINTERS,)})
        await alice.engine.restore()
        alice.engine.start()
        before = set(alice.kernel.policies)

        def printers() -> set[Action]:
            (network,) = PRINTERS.remote.networks
            ends = ((policy.id.source, policy.id.destination, policy) for policy in alice.kernel.policies.values())
            return {policy.action for source, destination, policy in ends if network in (source, destination)}

        for settings, actions in (
            ({"bypasses": (), "drops": (PRINTERS,)}, {Action.BLOCK}),
            ({"bypasses": (PRINTERS,), "drops": ()}, {Action.BYPASS}),
            ({"bypasses": (), "drops": (PRINTERS,)}, {Action.BLOCK}),
        ):
            await reload(alice, VIEW, **settings)
            assert printers() == actions
            assert set(alice.kernel.policies) == before
        await reload(alice, VIEW, drops=())
        assert printers() == set()
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
