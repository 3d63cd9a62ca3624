"""Two whole engines over a network in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from ikevd.addresses import Path
from ikevd.errors import NoAnswer
from ikevd.negotiation.router import clear_notification
from ikevd.peer.notices import r_u_there
from ikevd.wire.registry import NotifyType
from tests.duet import Network
from tests.gateways import alice_and_bob, bring_up
from tests.negotiation.roaming import informational
from tests.sayings import raises_saying
from tests.virtual_time import run


def test_a_tunnel_comes_up_with_the_same_keys_on_both_sides() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob()
        await bring_up(alice)
        await asyncio.sleep(1)
        assert alice.kernel.keys == bob.kernel.keys
        assert len(alice.kernel.sas) == 2
        assert len(alice.kernel.policies) == len(bob.kernel.policies) == 3

    run(story())


@pytest.mark.parametrize("message_id", [0, 0x1C2B3A49], ids=["without message ID", "with one, as strongSwan"])
def test_a_refusal_in_the_clear_is_named_when_no_answer_comes(message_id: int) -> None:
    async def story() -> None:
        world, alice, _ = alice_and_bob()
        world.network.tamper = lambda sender, datagram: []
        attempt = asyncio.ensure_future(bring_up(alice))
        await asyncio.sleep(0.1)
        _, path, first = world.wire[0]
        said = clear_notification(first[:8], NotifyType.NO_PROPOSAL_CHOSEN)
        said = said[:20] + message_id.to_bytes(4, "big") + said[24:]
        alice.engine.datagram(said, path)
        with raises_saying(NoAnswer, "the peer says, unauthenticated: NO_PROPOSAL_CHOSEN"):
            await attempt

    run(story())


@pytest.mark.parametrize(("quick_mode", "answers"), [(False, 1), (True, 0)], ids=["before", "after"])
def test_message_5_is_answered_again_until_the_peer_has_shown_that_it_got_message_6(
    quick_mode: bool, answers: int
) -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob(Network(delay=0.1))
        wanted = asyncio.create_task(bring_up(alice))
        await asyncio.sleep(0.55)  # message 6 is on its way
        if quick_mode:
            await wanted
        _, path, fifth = world.wire[4]
        said = len(world.wire)
        bob.engine.datagram(fifth, Path(path.remote, path.local))
        assert [octets for _, _, octets in world.wire[said:]] == [world.wire[5][2]] * answers
        await wanted

    run(story())


def test_a_peer_that_says_something_before_it_has_message_6_gets_that_again() -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob(Network(delay=0.1))
        wanted = asyncio.create_task(bring_up(alice))
        await asyncio.sleep(0.55)  # message 6 is on its way
        (known,) = bob.session.state.isakmp.values()
        _, path, fifth = world.wire[4]
        back, question = Path(path.remote, path.local), r_u_there(known.sa.cookies, 5)
        bob.engine.datagram(informational(known.sa, question, after=fifth[-16:]), back)
        said = len(world.wire)
        bob.engine.datagram(fifth, back)
        assert [octets for _, _, octets in world.wire[said:]] == [world.wire[5][2]]
        await wanted

    run(story())


def test_stopping_leaves_nothing_on_either_side() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob()
        await bring_up(alice)
        await asyncio.sleep(1)
        await alice.engine.stop()
        await asyncio.sleep(1)
        assert alice.nothing_installed
        assert bob.nothing_installed

    run(story())
