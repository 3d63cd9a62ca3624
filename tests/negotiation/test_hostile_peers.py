"""What a peer that knows its key, or sits on the path, must not be able to do; and ends at awkward moments."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import Raised
from ikevd.conversation.timing import Timing
from ikevd.errors import Abandoned, InternalError, Said
from ikevd.exchanges.link import Link, Situation
from ikevd.host.sas import SaId
from ikevd.kernel.memory import MemoryKernel
from ikevd.policy.connection import Unique
from ikevd.policy.lives import Lifetime
from ikevd.sa.model import Cookies, Spi
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE, ALICE_TO_BOB, BOB, NO_DPD, child, connection, fqdn, mirrored, psk
from tests.gateways import World, alice_and_bob, bring_up, silence
from tests.virtual_time import run

ATTACKER = ip_address("203.0.113.66")
DMZ = child(name="dmz", reqid=0x696B0001, local="10.1.9.0/24", remote="10.2.9.0/24")


class ChosenSpi:
    """What a kernel draws its SPIs from: a peer calls its own whatever it likes."""

    def __init__(self, spi: Spi) -> None:
        self._octets = ((spi & 0x0FFFFFFF) << 4).to_bytes(4, "big")

    def octets(self, count: int) -> bytes:
        return self._octets[:count]


def test_a_peer_cannot_remove_another_peers_sa_by_choosing_its_spi() -> None:
    async def story() -> None:
        world = World()
        good = connection(name="good", local_id=fqdn("good.example"), psk=psk("m4rked-secret one"), dpd=NO_DPD)
        bad = connection(
            name="bad",
            local_id=fqdn("bad.example"),
            psk=psk("m4rked-secret two"),
            children=(child(name="m", reqid=0x696B0009, local="10.9.0.0/24"),),
        )
        bob = world.gateway(BOB, replace(mirrored(good), name="good"), replace(mirrored(bad), name="bad"))
        victim = world.gateway(ALICE, good)
        await bring_up(victim)
        await asyncio.sleep(1)
        (taken,) = [sa.spi for sa in bob.kernel.sas if sa.destination == ALICE]
        mallory = world.gateway(ALICE, bad, seed=99, spis=ChosenSpi(taken))
        await bring_up(mallory, "m")
        await asyncio.sleep(100)
        assert mallory.pairs == 0, "it was told by a Delete"
        assert [sa.spi for sa in bob.kernel.sas if sa.destination == ALICE] == [taken]

    run(story())


def test_a_copied_message_from_another_address_moves_no_tunnel() -> None:
    async def story() -> None:
        world, alice, _ = alice_and_bob()
        attempt = asyncio.ensure_future(bring_up(alice))
        elsewhere = Path(Endpoint(ALICE, 500), Endpoint(ATTACKER, 500))
        for _ in range(200):
            await asyncio.sleep(0.002)
            for _, path, octets in world.wire[-1:]:
                if path.local.address == BOB:
                    alice.engine.datagram(octets, elsewhere)
        await attempt
        assert {sa.destination for sa in alice.kernel.sas} == {ALICE, BOB}

    run(story())


@pytest.mark.parametrize("moment", [0.062, 0.068, 0.072, 0.078, 0.085])
def test_an_end_at_any_moment_of_a_quick_mode_leaves_no_side_up_alone(moment: float) -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob()
        attempt = asyncio.ensure_future(bring_up(alice))
        attempt.add_done_callback(lambda future: future.exception())
        await asyncio.sleep(moment)
        await bob.engine.stop()
        await asyncio.sleep(60)
        assert alice.pairs == bob.pairs == 0
        assert bob.nothing_installed

    run(story())


def test_nothing_comes_up_while_the_daemon_stops() -> None:
    async def story() -> None:
        view = connection(children=(child(), DMZ))
        _, alice, bob = alice_and_bob(view=view)
        session = alice.engine.session(view)
        await session.want("lan")
        await asyncio.sleep(100)
        stopping = asyncio.ensure_future(bob.engine.stop())
        await asyncio.sleep(0.5)
        session.want("dmz").add_done_callback(lambda future: future.exception())
        await stopping
        assert bob.nothing_installed
        with pytest.raises(Abandoned):
            bob.engine.session(mirrored(view))

    run(story())


class DeafKernel(MemoryKernel):
    """Never comes back from the removal of an SA."""

    async def delete_sa(self, sa: SaId) -> None:
        await asyncio.sleep(1000)


def test_stopping_ends_in_time_although_the_kernel_does_not_answer() -> None:
    async def story() -> None:
        world = World()
        alice = world.gateway(ALICE, connection(), kernel=DeafKernel(asyncio.get_running_loop().time))
        world.gateway(BOB, mirrored(connection()))
        await bring_up(alice)
        await asyncio.sleep(1)
        before = asyncio.get_running_loop().time()
        await alice.engine.stop()
        assert asyncio.get_running_loop().time() - before < 5
        assert "the kernel is slow" in alice.troubles[-1]

    run(story())


def test_a_delete_is_said_although_the_isakmp_sa_has_ended() -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob(view=connection(lifetime=Lifetime(100), dpd=NO_DPD))
        await bring_up(alice)
        await silence(world, 200)
        assert not alice.session.live
        alice.session.unwant("lan")
        await asyncio.sleep(60)
        assert alice.pairs == bob.pairs == 0
        assert not alice.session.live, "the ISAKMP SA was there to say Delete"

    run(story())


def test_a_delete_left_unsaid_does_not_end_the_isakmp_sa_that_the_peer_makes() -> None:
    async def story() -> None:
        anywhere = replace(mirrored(connection(lifetime=Lifetime(100))), remote=None, remote_id=fqdn("alice.example"))
        view = connection(lifetime=Lifetime(100), local_id=fqdn("alice.example"))
        world, alice, bob = alice_and_bob(view=view, other=anywhere)
        await bring_up(alice)
        await silence(world, 200)
        bob.session.unwant("lan")
        reborn = world.gateway(ALICE, view, seed=3)
        await bring_up(reborn)
        await asyncio.sleep(60)
        assert reborn.pairs == bob.pairs == 1

    run(story())


def test_down_ends_a_quick_mode_that_the_peer_began() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob()
        attempt = asyncio.ensure_future(bring_up(alice))
        attempt.add_done_callback(lambda future: future.exception())
        await asyncio.sleep(0.075)
        assert bob.kernel.sas
        bob.session.unwant("lan")
        await bob.session.settled()
        assert bob.nothing_installed
        await asyncio.sleep(60)
        assert alice.pairs == bob.pairs == 0

    run(story())


@pytest.mark.long
def test_hundreds_of_children_come_up() -> None:
    async def story() -> None:
        children = tuple(
            child(name=f"c{n}", reqid=0x696B0000 + n, local=f"10.1.{n % 256}.0/24", remote=f"10.{2 + n // 256}.0.0/24")
            for n in range(300)
        )
        view = connection(children=children)
        _, alice, bob = alice_and_bob(view=view)
        session = alice.engine.session(view)
        await asyncio.gather(*(session.want(c.name) for c in children))
        await asyncio.sleep(1)
        assert alice.pairs == bob.pairs == 300
        session.unwant("c0")
        await asyncio.sleep(10)
        assert bob.pairs == 299

    run(story())


def test_policies_follow_the_pair_that_is_left() -> None:
    async def story() -> None:
        world = World()
        view = connection(local_id=fqdn("alice.example"))
        bob = world.gateway(BOB, replace(mirrored(view), remote=None, unique=Unique.NEVER))
        await bring_up(world.gateway(ALICE, view))
        await asyncio.sleep(1)
        other = world.gateway(ALICE, view, seed=1)
        await bring_up(other)
        await asyncio.sleep(1)
        other.session.unwant("lan")
        await asyncio.sleep(5)
        ends = bob.tunnel_ends
        assert ends == {sa.destination for sa in bob.kernel.sas} == {ALICE, BOB}
        assert bob.pairs == 1

    run(story())


def test_a_bug_in_an_exchange_ends_that_exchange_and_says_so() -> None:
    async def buggy(link: Link) -> None:
        await link.note(Said("so far so good"))
        raise ValueError("a bug")

    situation = Situation(Cookies(b"initiato"), 0, ALICE_TO_BOB)
    core = Conversation(buggy(Link(situation)), ExchangeType.MAIN_MODE, situation, Timing(), initiator=True)
    raised = core.start(0.0)[-1]
    assert isinstance(raised, Raised)
    assert isinstance(raised.error, InternalError)
    assert core.ended
    assert core.deadline is None
