"""What one peer's exchanges do to one another: nothing, unless they should."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ikevd.errors import Abandoned, IkeError, KernelRefused, NoAnswer, PeerRefused
from ikevd.facts import Sent
from ikevd.host.sas import SaId
from ikevd.observe.words import say_error
from ikevd.peer.timing import PACE
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection, Resend
from ikevd.policy.lives import Lifetime
from ikevd.sa.model import Spi
from ikevd.wire.registry import ExchangeType
from tests.builders import BOB, NO_DPD, child, connection, mirrored
from tests.duet import Network
from tests.gateways import Gateway, alice_and_bob, bring_up, silence
from tests.negotiation.kernel_steps import INBOUND, OUTBOUND, Role, Step, refuse
from tests.virtual_time import run

EXCHANGE, MESSAGE_ID = 18, slice(20, 24)
QUICK = Resend(interval=1, factor=1.5, sends=3)


def two_children(**changes: object) -> Connection:
    lan = child(name="lan")
    dmz = child(name="dmz", reqid=0x696B0001, local="10.1.9.0/24", remote="10.2.9.0/24")
    return connection(children=(lan, dmz), resend=QUICK, **changes)


class LoseQuickMode:
    """Loses every message of the n-th Quick Mode on the wire."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._ids: list[bytes] = []

    def __call__(self, sender: str, datagram: bytes) -> list[bytes]:
        if datagram[EXCHANGE] != ExchangeType.QUICK_MODE:
            return [datagram]
        if datagram[MESSAGE_ID] not in self._ids:
            self._ids.append(datagram[MESSAGE_ID])
        return [] if self._ids.index(datagram[MESSAGE_ID]) == self._number - 1 else [datagram]


def outbound_spis(gateway: Gateway) -> set[int]:
    return {int(sa.spi) for sa in gateway.kernel.sas if sa.destination != gateway.address}


def test_an_unanswered_quick_mode_harms_neither_the_isakmp_sa_nor_its_siblings() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob(Network(tamper=LoseQuickMode(2)), two_children())
        session = alice.engine.session(two_children())
        outcomes = await asyncio.gather(session.want("lan"), session.want("dmz"), return_exceptions=True)
        await asyncio.sleep(60)
        assert outcomes[0] is None
        assert isinstance(outcomes[1], NoAnswer)
        assert alice.pairs == bob.pairs == 1
        assert len(session.live) == 1
        assert not session.live[0].unresponsive

    run(story())


def test_an_isakmp_sa_that_the_peer_lost_is_replaced_at_the_next_attempt() -> None:
    async def story() -> None:
        view = connection(children=(child(start=Start.ALWAYS),), resend=QUICK)
        world, alice, bob = alice_and_bob(view=view)
        alice.engine.start()
        await asyncio.sleep(100)
        reborn = world.gateway(BOB, *bob.engine._config.connections, seed=5)
        (inbound,) = [sa for sa in alice.kernel.sas if sa.destination == alice.address]
        alice.session.gone("lan", inbound, expired=True)
        await asyncio.sleep(60)
        assert alice.pairs == reborn.pairs == 1
        assert len(alice.session.live) == 1

    run(story())


def test_a_quick_mode_that_stays_unanswered_delays_its_siblings_by_a_second_and_no_more() -> None:
    async def story() -> None:
        view = two_children()
        _, alice, bob = alice_and_bob(Network(tamper=LoseQuickMode(1)), view)
        session = alice.engine.session(view)
        outcomes = [session.want("lan"), session.want("dmz")]
        await outcomes[1]
        assert asyncio.get_running_loop().time() == pytest.approx(PACE, abs=0.2)
        assert not outcomes[0].done()
        with pytest.raises(NoAnswer):
            await outcomes[0]
        assert alice.pairs == bob.pairs == 1

    run(story())


def test_quick_modes_begin_one_after_the_other_while_the_peer_answers() -> None:
    """strongSwan, as responder, forgets a Quick Mode in progress when another one fails."""

    async def story() -> None:
        view = two_children()
        world, alice, _ = alice_and_bob(view=view)
        session = alice.engine.session(view)
        await asyncio.gather(session.want("lan"), session.want("dmz"))
        quick = [octets[MESSAGE_ID] for _, _, octets in world.wire if octets[EXCHANGE] == ExchangeType.QUICK_MODE]
        assert quick[:3] == [quick[0]] * 3
        assert quick[3:] == [quick[3]] * len(quick[3:])

    run(story())


def test_many_quick_modes_run_at_once_each_with_its_own_message_id() -> None:
    async def story() -> None:
        children = tuple(
            child(name=f"c{n}", reqid=0x696B0000 + n, local=f"10.1.{n}.0/24", remote=f"10.2.{n}.0/24")
            for n in range(20)
        )
        view = connection(children=children)
        world, alice, bob = alice_and_bob(view=view)
        session = alice.engine.session(view)
        await asyncio.gather(*(session.want(c.name) for c in children))
        await asyncio.sleep(1)
        assert alice.pairs == bob.pairs == 20
        ids = {octets[MESSAGE_ID] for _, _, octets in world.wire if octets[EXCHANGE] == ExchangeType.QUICK_MODE}
        assert len(ids) == 20

    run(story())


def test_a_child_that_the_peer_refuses_ends_at_once_while_the_other_lives() -> None:
    async def story() -> None:
        view = two_children()
        other = mirrored(replace(view, children=view.children[:1]))
        _, alice, bob = alice_and_bob(view=view, other=other)
        session = alice.engine.session(view)
        before = asyncio.get_running_loop().time()
        outcomes = await asyncio.gather(session.want("lan"), session.want("dmz"), return_exceptions=True)
        assert asyncio.get_running_loop().time() - before < 1
        assert outcomes[0] is None
        assert isinstance(outcomes[1], PeerRefused)
        assert "INVALID_ID_INFORMATION" in say_error(outcomes[1])
        await asyncio.sleep(60)
        assert alice.pairs == bob.pairs == 1
        assert len(alice.kernel.sas) == 2

    run(story())


def test_crossing_main_modes_both_run_to_the_end() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob()
        await asyncio.gather(bring_up(alice), bring_up(bob))
        await asyncio.sleep(10)
        assert len(alice.session.live) == len(bob.session.live) == 2
        assert alice.pairs == bob.pairs == 2
        assert len(alice.kernel.sas) == 4

    run(story())


def test_a_peer_that_starts_anew_with_another_cookie_completes_while_its_old_attempt_still_retransmits() -> None:
    async def story() -> None:
        world, old, bob = alice_and_bob()
        attempt = asyncio.ensure_future(bring_up(old))
        await asyncio.sleep(0.025)  # MM3 is on its way
        new = world.gateway(old.address, *old.engine._config.connections, seed=99)
        await bring_up(new)

        world.gateways[old.address] = old
        await attempt
        await asyncio.sleep(10)
        assert old.pairs == 1
        assert bob.pairs == 2, "the second attempt did not cut the first, nor the other way round"

    run(story())


def test_a_delete_from_the_peer_removes_the_pair_and_only_that() -> None:
    async def story() -> None:
        view = two_children()
        _, alice, bob = alice_and_bob(view=view)
        session = alice.engine.session(view)
        await asyncio.gather(session.want("lan"), session.want("dmz"))
        await asyncio.sleep(1)
        session.unwant("lan")
        await asyncio.sleep(20)
        assert [name for name, state in bob.session.states.items() if state.standing] == ["dmz"]
        assert len(bob.kernel.sas) == 2
        assert len(bob.session.live) == 1

    run(story())


def test_the_end_of_the_isakmp_sa_cuts_no_ipsec_sa() -> None:
    async def story() -> None:
        view = connection(lifetime=Lifetime(120), dpd=NO_DPD)
        world, alice, bob = alice_and_bob(view=view)
        await bring_up(alice)
        await silence(world, 200)
        assert not alice.session.live
        assert not bob.session.live
        assert alice.pairs == bob.pairs == 1

    run(story())


def test_a_persistent_child_is_retried_with_back_off_until_the_peer_answers() -> None:
    async def story() -> None:
        view = connection(children=(child(start=Start.ALWAYS),), resend=QUICK)
        world, alice, bob = alice_and_bob(Network(loss=1.0), view)
        alice.engine.start()
        await asyncio.sleep(600)
        assert alice.session.states["lan"].failures > 3
        world.network.loss = 0.0
        await asyncio.sleep(301)
        assert alice.pairs == bob.pairs == 1

    run(story())


def test_a_manual_child_is_tried_once_per_command() -> None:
    async def story() -> None:
        world, alice, _ = alice_and_bob(Network(loss=1.0), connection(resend=QUICK))
        with pytest.raises(NoAnswer):
            await bring_up(alice)
        sent = len(world.wire)
        await asyncio.sleep(1000)
        assert len(world.wire) == sent

    run(story())


def test_a_pair_whose_lifetime_ends_is_removed_on_both_sides_and_replaced_where_it_is_wanted() -> None:
    async def story() -> None:
        view = connection(children=(child(start=Start.ALWAYS),))
        _, alice, bob = alice_and_bob(view=view)
        alice.engine.start()
        await asyncio.sleep(1)
        before = outbound_spis(alice)
        (inbound,) = [sa for sa in alice.kernel.sas if sa.destination == alice.address]
        alice.session.gone("lan", inbound, expired=True)
        await asyncio.sleep(20)
        assert alice.pairs == bob.pairs == 1
        assert outbound_spis(alice).isdisjoint(before)

    run(story())


@pytest.mark.parametrize("when", ["it stands", "it is down", "it is being negotiated"])
def test_a_command_up_right_after_a_command_down_is_told_its_own_outcome(when: str) -> None:
    async def story() -> None:
        _, alice, _ = alice_and_bob()
        first = alice.engine.session(connection()).want("lan")
        if when == "it is being negotiated":
            await asyncio.sleep(0.05)
        else:
            await first
        if when == "it is down":
            alice.session.unwant("lan")
            await asyncio.sleep(1)
        alice.session.unwant("lan")
        await alice.session.want("lan")
        assert alice.pairs == 1
        if when == "it is being negotiated":
            assert isinstance(first.exception(), Abandoned)

    run(story())


def test_a_command_down_while_negotiating_ends_the_attempt_and_leaves_nothing() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob(Network(jitter=0.5))
        attempt = asyncio.ensure_future(bring_up(alice))
        await asyncio.sleep(1.4)
        alice.session.unwant("lan")
        with pytest.raises(Abandoned):
            await attempt
        await asyncio.sleep(200)
        assert alice.nothing_installed
        assert bob.nothing_installed
        assert not alice.kernel.larval

    run(story())


@pytest.mark.parametrize("role", ["initiator", "responder"])
@pytest.mark.parametrize("step", [*INBOUND, *OUTBOUND])
def test_a_refusal_of_the_kernel_leaves_nothing_on_either_side(role: Role, step: Step) -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob(view=connection(resend=QUICK))
        faulty = alice if role == "initiator" else bob
        refuse(faulty.kernel, role, step)
        try:
            await bring_up(alice)
        except IkeError as error:
            told = KernelRefused if role == "initiator" else PeerRefused | NoAnswer
            assert isinstance(error, told)  # noqa: PT017
        await asyncio.sleep(60)
        assert alice.nothing_installed, "nothing stays where it failed, and the peer was told"
        assert bob.nothing_installed
        assert alice.pairs == bob.pairs == 0

    run(story())


def test_a_second_peer_cannot_take_over_the_selectors_of_the_first() -> None:
    async def story() -> None:
        anyone = replace(mirrored(connection()), remote=None, remote_id=None)
        world, alice, bob = alice_and_bob(other=anyone)
        await bring_up(alice)
        await asyncio.sleep(1)
        mallory = world.gateway(BOB + 1, connection(local=BOB + 1, resend=QUICK))
        with pytest.raises(IkeError):
            await bring_up(mallory)
        await asyncio.sleep(60)
        assert bob.tunnel_ends <= {alice.address, BOB}
        assert bob.pairs == 1

    run(story())


def test_a_delete_is_sent_a_few_times_and_no_more() -> None:
    async def story() -> None:
        _, alice, _ = alice_and_bob()
        await bring_up(alice)
        alice.session.unwant("lan")
        await asyncio.sleep(100)
        (deletes,) = [r for r in alice.history.find(connection="bob") if r.kind == ExchangeType.INFORMATIONAL]
        assert [entry.fact.copy for entry in deletes.entries if isinstance(entry.fact, Sent)] == [1, 2, 3, 4, 5]

    run(story())


def test_sas_of_other_daemons_are_never_touched() -> None:
    async def story() -> None:
        _, alice, _ = alice_and_bob()
        alice.kernel.plant_sa(SaId(alice.address, Spi(0xC0FFEE00)), 7)
        await bring_up(alice)
        await alice.engine.stop()
        assert [found.reqid for found in await alice.kernel.dump_sas()] == [7]

    run(story())
