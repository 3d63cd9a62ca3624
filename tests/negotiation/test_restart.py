"""A killed process's tunnels go on in the next one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_network

import pytest

from ikevd.addresses import Address, Path
from ikevd.facts import Established
from ikevd.host.policies import Action
from ikevd.peer.notices import r_u_there
from ikevd.policy.child import Start
from ikevd.policy.dpd import Dpd, DpdMode
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE, BOB, child, connection, mirrored
from tests.duet import Network
from tests.gateways import Gateway, World, bring_up
from tests.negotiation.mortal import EXCHANGE, VIEW, Machine, kinds, tunnel
from tests.negotiation.roaming import informational
from tests.virtual_time import run


@pytest.mark.parametrize("who", ["initiator", "responder", "both"])
def test_a_kill_cuts_no_tunnel_and_the_peer_sees_nothing(who: str) -> None:
    async def story() -> None:
        world, hers, his, *_ = await tunnel()
        before = set(hers.kernel.sas), set(his.kernel.sas), dict(his.kernel.keys)
        now = asyncio.get_running_loop().time()
        for machine in {"initiator": [hers], "responder": [his], "both": [hers, his]}[who]:
            gateway = await machine.restart()
            assert gateway.pairs == 1
        await asyncio.sleep(100)
        assert (set(hers.kernel.sas), set(his.kernel.sas), dict(his.kernel.keys)) == before
        assert kinds(world, now) == set()

    run(story())


@pytest.mark.parametrize("who", ["initiator", "responder"])
def test_quick_modes_and_deletes_go_on_under_the_old_isakmp_sa(who: str) -> None:
    async def story() -> None:
        world, hers, his, alice, bob = await tunnel()
        now = asyncio.get_running_loop().time()
        if who == "initiator":
            alice = await hers.restart()
        else:
            bob = await his.restart()
        bob.session.unwant("lan")
        await asyncio.sleep(1)
        assert alice.nothing_installed
        assert bob.nothing_installed
        await bring_up(alice)
        await asyncio.sleep(1)
        assert alice.pairs == bob.pairs == 1
        assert kinds(world, now) == {ExchangeType.INFORMATIONAL, ExchangeType.QUICK_MODE}

    run(story())


@pytest.mark.parametrize("after", range(1, 9))
@pytest.mark.parametrize("who", ["initiator", "responder"])
def test_a_quick_mode_that_is_cut_in_the_middle_completes_or_is_undone_on_both_sides(who: str, after: int) -> None:
    """Killed when so many hundredths of a second of it have passed: a message takes one."""

    async def story() -> None:
        _, hers, his, alice, bob = await tunnel(connection(children=(child(start=Start.ALWAYS),)))
        alice.session.unwant("lan")
        await asyncio.sleep(20)
        attempt = asyncio.ensure_future(bring_up(alice))
        await asyncio.sleep(after / 200)
        if who == "initiator":
            alice = await hers.restart()
        else:
            bob = await his.restart()
        await asyncio.sleep(120)
        attempt.cancel()
        assert alice.pairs == bob.pairs == 1
        assert len(hers.kernel.sas) == len(his.kernel.sas) == 2
        assert hers.kernel.keys == his.kernel.keys
        assert not hers.kernel.larval
        assert not his.kernel.larval

    run(story())


@pytest.mark.parametrize("writes", range(1, 9))
def test_a_quick_mode_of_the_peer_completes_after_whichever_write_of_it_we_are_killed(writes: int) -> None:
    async def story() -> None:
        _, hers, his, alice, _ = await tunnel()
        alice.session.unwant("lan")
        await asyncio.sleep(20)
        attempt = asyncio.ensure_future(bring_up(alice))
        his.kill_after(writes)
        await asyncio.sleep(2)
        await his.restart()
        await asyncio.sleep(60)
        attempt.cancel()
        assert len(hers.kernel.sas) == len(his.kernel.sas) == 2
        assert hers.kernel.keys == his.kernel.keys

    run(story())


def test_a_connection_that_has_changed_meanwhile_is_told_delete_and_begins_anew() -> None:
    async def story() -> None:
        _, _, his, alice, _ = await tunnel()
        his.connections = (replace(his.connections[0], encap=VIEW.encap, nat_keepalive=33.0),)
        bob = await his.restart()
        await asyncio.sleep(30)
        assert alice.nothing_installed
        assert bob.nothing_installed
        await bring_up(alice)
        await asyncio.sleep(1)
        assert alice.pairs == bob.pairs == 1

    run(story())


def test_an_sa_that_the_kernel_has_lost_meanwhile_is_not_installed_again_but_negotiated_anew() -> None:
    async def story() -> None:
        _, hers, his, alice, _ = await tunnel(connection(children=(child(start=Start.ALWAYS),)))
        lost = next(sa for sa in hers.kernel.sas if sa.destination == BOB)
        hers.kill()
        hers.kernel.remove_sa(lost)
        alice = await hers.restart()
        await asyncio.sleep(30)
        assert alice.pairs == 1
        assert lost not in hers.kernel.sas
        assert hers.kernel.keys == his.kernel.keys

    run(story())


@pytest.mark.parametrize("writes", range(1, 9))
@pytest.mark.parametrize("after", ["add_sa", "put"])
@pytest.mark.parametrize("who", ["initiator", "responder"])
def test_nor_one_of_a_quick_mode_in_the_middle_of_which_the_process_was_killed(
    who: str, after: str, writes: int
) -> None:
    async def story() -> None:
        _, hers, his, alice, _ = await tunnel(connection(children=(child(start=Start.ALWAYS),)))
        alice.session.unwant("lan")
        await asyncio.sleep(20)
        killed, attempt = hers if who == "initiator" else his, asyncio.ensure_future(bring_up(alice))
        killed.kill_at(f"after {after}", writes)
        await asyncio.sleep(0.5)
        killed.kill()
        for sa in tuple(killed.kernel.sas):
            killed.kernel.remove_sa(sa)
        await killed.restart()
        await asyncio.sleep(0.1)
        assert not killed.kernel.dead
        await asyncio.sleep(120)
        attempt.cancel()
        assert hers.kernel.keys == his.kernel.keys
        assert len(hers.kernel.sas) == 2

    run(story())


def test_without_its_store_an_ikevd_removes_what_it_left_itself_and_nothing_else() -> None:
    async def story() -> None:
        _, hers, _, _, _ = await tunnel()
        hers.disk.peers.clear()
        alice = await hers.restart()
        await asyncio.sleep(1)
        assert alice.nothing_installed

    run(story())


def test_what_passes_outside_of_every_tunnel_stands_from_the_start_to_the_end_and_is_known_after_a_restart() -> None:
    async def story() -> None:
        _, hers, _, _, _ = await tunnel()
        alice = await hers.restart()
        bypasses = [policy for policy in hers.kernel.policies.values() if policy.action is Action.BYPASS]
        assert {ip_network("::1/128")} <= {policy.id.source for policy in bypasses}
        alice = await hers.restart()
        assert not [text for text in alice.troubles if "nobody knows" in text]
        await alice.engine.stop()
        assert not hers.kernel.policies

    run(story())


def speak_without_message_6(world: World, bob: Gateway) -> None:
    """A word of the peer, which goes on from its own message 5."""
    (known,) = bob.session.state.isakmp.values()
    _, path, fifth = world.wire[4]
    question = r_u_there(known.sa.cookies, 5)
    bob.engine.datagram(informational(known.sa, question, after=fifth[-16:]), Path(path.remote, path.local))
    (known,) = bob.session.state.isakmp.values()
    assert known.heard == asyncio.get_running_loop().time()


@pytest.mark.parametrize("speaks", [False, True], ids=["", "and has spoken meanwhile"])
@pytest.mark.parametrize("killed_in", [0.005, 0.015], ids=["before message 6 arrives", "once it was lost"])
def test_message_5_that_is_repeated_to_a_new_process_is_answered_with_the_same_message_6(
    killed_in: float, speaks: bool
) -> None:
    async def story() -> None:
        sixth: list[bytes] = []
        said = asyncio.Event()

        def lose_message_6(sender: str, datagram: bytes) -> list[bytes]:
            encrypted = datagram[EXCHANGE] == ExchangeType.MAIN_MODE and datagram[19] & 1
            if sender != "bob" or not encrypted:
                return [datagram]
            sixth.append(datagram)
            said.set()
            return [datagram] if len(sixth) > 1 else []

        world = World(Network(tamper=lose_message_6))
        hers, his = Machine(world, ALICE, VIEW), Machine(world, BOB, mirrored(VIEW))
        alice, bob = hers.boot(), his.boot()
        attempt = asyncio.ensure_future(bring_up(alice))
        await said.wait()
        await asyncio.sleep(killed_in)
        if speaks:
            speak_without_message_6(world, bob)
        bob = await his.restart()
        await attempt
        assert set(sixth) == {sixth[0]}
        assert len(sixth) > 1
        await asyncio.sleep(1)
        assert alice.pairs == bob.pairs == 1
        assert len(alice.session.live) == 1

    run(story())


def test_a_peer_that_comes_from_anywhere_is_taken_over_with_the_reqids_of_its_own() -> None:
    async def story() -> None:
        world = World()
        anyone = replace(mirrored(VIEW), remote=None, remote_id=None)
        hers, his = Machine(world, ALICE, VIEW), Machine(world, BOB, anyone)
        alice, _ = hers.boot(), his.boot()
        await bring_up(alice)
        await asyncio.sleep(1)
        before = set(his.kernel.sas)
        bob = await his.restart()
        await asyncio.sleep(60)
        assert bob.pairs == 1
        assert set(his.kernel.sas) == before
        alice.session.unwant("lan")
        await asyncio.sleep(1)
        assert bob.nothing_installed

    run(story())


@pytest.mark.parametrize("end", ["a stop that takes all down", "the operator's down"])
def test_a_child_of_start_auto_comes_up_again_unless_the_operator_took_it_down(end: str) -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(connection(children=(child(start=Start.ALWAYS),)))
        if end == "the operator's down":
            alice.session.unwant("lan")
            await asyncio.sleep(20)
        else:
            await alice.engine.stop()
        alice = await hers.restart()
        await asyncio.sleep(60)
        assert alice.pairs == (end != "the operator's down")

    run(story())


def replayed(world: World, gateway: Gateway, sender: Address, kinds: set[int]) -> int:
    """Every message of these exchanges that came from `sender`, once more; how many that were."""
    wire = [(path, octets) for _, path, octets in world.wire if path.local.address == sender]
    old = [(Path(path.remote, path.local), octets) for path, octets in wire if octets[EXCHANGE] in kinds]
    for path, octets in old:
        gateway.engine.datagram(octets, path)
    return len(old)


@pytest.mark.parametrize("sender", ["the peer", "ourselves"])
def test_no_message_of_an_earlier_process_is_heard_a_second_time(sender: str) -> None:
    """Nor one of our own that somebody sends back to us."""

    async def story() -> None:
        world, _, his, alice, bob = await tunnel()
        (alice if sender == "the peer" else bob).session.unwant("lan")
        await asyncio.sleep(20)
        await bring_up(alice)
        await asyncio.sleep(100)  # nobody may ask for these exchanges any more
        bob = await his.restart()
        before = set(his.kernel.sas), bob.session.state
        kinds: set[int] = {ExchangeType.QUICK_MODE, ExchangeType.INFORMATIONAL}
        assert replayed(world, bob, ALICE if sender == "the peer" else BOB, kinds) > 2
        await asyncio.sleep(1)
        assert (set(his.kernel.sas), bob.session.state) == before

    run(story())


@pytest.mark.parametrize("after", range(1, 9))
def test_a_process_that_is_away_for_longer_than_the_peer_waits_leaves_no_half_tunnel(after: int) -> None:
    async def story() -> None:
        _, hers, his, alice, bob = await tunnel(connection(children=(child(start=Start.ALWAYS),)))
        alice.session.unwant("lan")
        await asyncio.sleep(20)
        attempt = asyncio.ensure_future(bring_up(alice))
        await asyncio.sleep(after / 200)
        hers.kill()
        await asyncio.sleep(100)
        alice = await hers.restart()
        await asyncio.sleep(120)
        attempt.cancel()
        assert alice.pairs == bob.pairs == 1
        assert hers.kernel.keys == his.kernel.keys

    run(story())


def test_what_ended_before_the_restart_is_not_told_a_second_time() -> None:
    async def story() -> None:
        _, hers, *_ = await tunnel()
        alice = await hers.restart()
        told = [entry.fact for record in alice.history.find() for entry in record.entries]
        assert not [fact for fact in told if isinstance(fact, Established)]

    run(story())


def test_message_2_of_quick_mode_that_is_repeated_to_a_new_process_is_answered_with_the_same_message_3() -> None:
    async def story() -> None:
        third: list[bytes] = []

        def lose_message_3(sender: str, datagram: bytes) -> list[bytes]:
            if sender != "alice" or datagram[EXCHANGE] != ExchangeType.QUICK_MODE or len(datagram) > 100:
                return [datagram]
            third.append(datagram)
            return [datagram] if len(third) > 1 else []

        world = World(Network(tamper=lose_message_3))
        hers, his = Machine(world, ALICE, VIEW), Machine(world, BOB, mirrored(VIEW))
        alice, bob = hers.boot(), his.boot()
        await bring_up(alice)
        alice = await hers.restart()
        await asyncio.sleep(10)
        assert len(third) > 1
        assert set(third) == {third[0]}
        assert alice.pairs == bob.pairs == 1

    run(story())


def test_after_a_restart_a_quick_mode_that_is_under_way_goes_first() -> None:
    """strongSwan can read no message 3 that three other exchanges have followed: not even an R-U-THERE is said."""

    async def story() -> None:
        world = World()
        hers = Machine(world, ALICE, replace(VIEW, dpd=Dpd(DpdMode.PERIODIC, delay=2, timeout=60)))
        Machine(world, BOB, mirrored(VIEW)).boot()
        alice = hers.boot()
        await bring_up(alice)
        await asyncio.sleep(20)
        alice.session.rekey(["lan"], phase1=False)
        await asyncio.sleep(0.005)
        hers.kill()
        await asyncio.sleep(10)
        now = asyncio.get_running_loop().time()
        await hers.restart()
        await asyncio.sleep(2.9)
        assert kinds_from(world, ALICE, now) == {ExchangeType.QUICK_MODE}
        await asyncio.sleep(3)
        assert ExchangeType.INFORMATIONAL in kinds_from(world, ALICE, now)

    run(story())


def kinds_from(world: World, sender: Address, after: float) -> set[int]:
    """As `kinds`, of what one gateway has sent."""
    return {octets[EXCHANGE] for at, path, octets in world.wire if at >= after and path.local.address == sender}
