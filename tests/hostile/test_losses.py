"""Two gateways between which each message in turn is lost, doubled, late, reflected or preceded by an older one.

Always: one tunnel in the end, and no more on the wire than the rules allow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from ikevd.addresses import Path
from ikevd.conversation.timing import pauses
from ikevd.facts import Dropped, Failed, Repeated, Sent
from ikevd.policy.connection import Connection, Resend
from tests.builders import ALICE, ALICE_TO_BOB, BOB, BOB_TO_ALICE, NO_DPD, connection
from tests.duet import Network
from tests.gateways import Gateway, World, alice_and_bob, bring_up
from tests.virtual_time import run

MAIN = connection(resend=Resend(interval=1, factor=1.5, sends=4), dpd=NO_DPD)
AGGRESSIVE = replace(MAIN, aggressive=True)
MODES = {"Main Mode": MAIN, "Aggressive Mode": AGGRESSIVE}
EACH_MODE = pytest.mark.parametrize("view", MODES.values(), ids=MODES)


class Tamper:
    """Numbers the different messages in the order in which they are first sent; hands each copy to `act`."""

    def __init__(self, act: Callable[[int, int, str, bytes], list[bytes]]) -> None:
        self._act = act
        self.seen: list[bytes] = []
        self._copies: dict[bytes, int] = {}

    def __call__(self, sender: str, datagram: bytes) -> list[bytes]:
        if datagram not in self.seen:
            self.seen.append(datagram)
        self._copies[datagram] = self._copies.get(datagram, 0) + 1
        return self._act(self.seen.index(datagram) + 1, self._copies[datagram], sender, datagram)


def facts(gateway: Gateway, kind: type) -> list[object]:
    return [entry.fact for record in gateway.history.find() for entry in record.entries if isinstance(entry.fact, kind)]


def up_on_both_sides(alice: Gateway, bob: Gateway) -> None:
    assert alice.pairs == bob.pairs == 1
    assert len(alice.kernel.sas) == len(bob.kernel.sas) == 2
    assert {sa.spi for sa in alice.kernel.sas} == {sa.spi for sa in bob.kernel.sas}
    for gateway in (alice, bob):
        assert "bug: datagram dropped" not in gateway.counters.as_dict()


def over(view: Connection, tamper: Callable[[str, bytes], list[bytes]]) -> tuple[World, Gateway, Gateway]:
    async def story() -> tuple[World, Gateway, Gateway]:
        world, alice, bob = alice_and_bob(Network(tamper=tamper), view)
        await bring_up(alice)
        await asyncio.sleep(200)
        assert bob.engine.half_open == 0
        up_on_both_sides(alice, bob)
        return world, alice, bob

    return run(story())


CASES = [(name, number) for name, count in (("Main Mode", 9), ("Aggressive Mode", 6)) for number in range(1, count + 1)]


@pytest.mark.parametrize(("mode", "number"), CASES)
def test_the_first_copy_of_each_message_may_be_lost(mode: str, number: int) -> None:
    """MM1 to MM6 or AM1 to AM3, then QM1 to QM3: whoever must, says it again."""
    over(MODES[mode], Tamper(lambda at, copy, _, d: [] if (at, copy) == (number, 1) else [d]))


@pytest.mark.parametrize(("mode", "number"), CASES)
def test_two_copies_of_each_message_may_be_lost(mode: str, number: int) -> None:
    over(MODES[mode], Tamper(lambda at, copy, _, d: [] if at == number and copy <= 2 else [d]))


@EACH_MODE
def test_every_message_may_come_twice(view: Connection) -> None:
    _, alice, bob = over(view, Tamper(lambda at, copy, _, d: [d, d]))
    assert facts(alice, Failed) == facts(bob, Failed) == []
    assert facts(alice, Dropped) == facts(bob, Dropped) == []
    assert facts(alice, Repeated)
    assert facts(bob, Repeated)


@EACH_MODE
def test_every_message_may_come_twenty_times_and_the_wire_does_not_ring(view: Connection) -> None:
    """Two sides that answer each repetition must not answer one another for ever."""
    world, _, _ = over(view, Tamper(lambda at, copy, _, d: [d] * 20 if copy == 1 else [d]))
    assert len(world.wire) < 20 * 9 * 2


@EACH_MODE
def test_before_every_message_may_come_all_that_were_sent_before(view: Connection) -> None:
    earlier: dict[str, list[bytes]] = {"alice": [], "bob": []}

    def replay(at: int, copy: int, sender: str, datagram: bytes) -> list[bytes]:
        if copy > 1:
            return [datagram]
        earlier[sender].append(datagram)
        return [*earlier[sender], datagram]

    over(view, Tamper(replay))


@EACH_MODE
def test_every_message_may_come_back_to_its_sender(view: Connection) -> None:
    """Reflected by somebody on the path: no side takes its own words for the peer's."""

    async def story() -> None:
        gateways: list[Gateway] = []

        def reflect(sender: str, datagram: bytes) -> list[bytes]:
            own, path = (gateways[0], ALICE_TO_BOB) if sender == "alice" else (gateways[1], BOB_TO_ALICE)
            asyncio.get_running_loop().call_later(0.001, own.engine.datagram, datagram, path)
            return [datagram]

        _, alice, bob = alice_and_bob(Network(tamper=reflect), view)
        gateways += [alice, bob]
        await bring_up(alice)
        await asyncio.sleep(100)
        up_on_both_sides(alice, bob)
        assert len(list(alice.engine.sessions())) == len(list(bob.engine.sessions())) == 1
        assert alice.engine.half_open == bob.engine.half_open == 0

    run(story())


@EACH_MODE
def test_a_message_that_is_held_back_may_come_after_its_own_repetition(view: Connection) -> None:
    """Held for 1.2 s: the copy that was sent by timer arrives first."""

    async def story() -> None:
        held: list[Gateway] = []

        def hold(sender: str, datagram: bytes) -> list[bytes]:
            receiver, path = (held[1], BOB_TO_ALICE) if sender == "alice" else (held[0], ALICE_TO_BOB)
            asyncio.get_running_loop().call_later(1.2, receiver.engine.datagram, datagram, path)
            return [datagram] if datagram in seen else (seen.append(datagram) or [])  # type: ignore[func-returns-value]

        seen: list[bytes] = []
        _, alice, bob = alice_and_bob(Network(tamper=hold), view)
        held += [alice, bob]
        await bring_up(alice)
        await asyncio.sleep(100)
        up_on_both_sides(alice, bob)

    run(story())


def test_16_zero_octets_may_trail_every_message() -> None:
    _, alice, bob = over(MAIN, Tamper(lambda at, copy, _, d: [d + bytes(16)]))
    assert facts(alice, Dropped) == facts(bob, Dropped) == []


@EACH_MODE
def test_crossing_quick_modes_both_run_to_the_end_and_both_sides_agree(view: Connection) -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob(view=view)
        await bring_up(alice)
        alice.session.unwant("lan")
        await asyncio.sleep(30)
        assert alice.pairs == bob.pairs == 0
        await asyncio.gather(alice.session.want("lan"), bob.session.want("lan"))
        await asyncio.sleep(60)
        assert alice.pairs == bob.pairs == 1  # of the two that crossed
        assert {sa.spi for sa in alice.kernel.sas} == {sa.spi for sa in bob.kernel.sas}
        alice.session.unwant("lan")
        await asyncio.sleep(30)
        assert alice.nothing_installed
        assert bob.nothing_installed

    run(story())


@EACH_MODE
def test_a_peer_that_begins_again_while_its_first_quick_mode_is_in_flight_gets_its_tunnel(view: Connection) -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob(view=view)
        attempt = asyncio.ensure_future(bring_up(alice))
        attempt.add_done_callback(lambda done: done.exception())
        for _ in range(1000):
            if bob.kernel.sas:
                break
            await asyncio.sleep(0.001)
        assert not bob.pairs, "its Quick Mode is in flight"
        await alice.engine.stop(last_words=0)
        reborn = world.gateway(ALICE, view, seed=9)
        await bring_up(reborn)
        await asyncio.sleep(100)
        up_on_both_sides(reborn, bob)

    run(story())


def paths_of(world: World, sender: object) -> set[Path]:
    return {path for _, path, _ in world.wire if path.local.address == sender}


@pytest.mark.parametrize("number", [1, 3])
def test_a_silent_peer_ends_the_attempt_and_leaves_nothing(number: int) -> None:
    async def story() -> None:
        tamper = Tamper(lambda at, copy, sender, d: [] if sender == "bob" and at > number else [d])
        _, alice, bob = alice_and_bob(Network(tamper=tamper), MAIN)
        attempt = asyncio.ensure_future(bring_up(alice))
        attempt.add_done_callback(lambda done: done.exception())
        await asyncio.sleep(200)
        assert attempt.exception() is not None
        assert alice.nothing_installed
        assert bob.nothing_installed
        assert bob.engine.half_open == 0
        assert max(fact.copy for fact in facts(alice, Sent)) <= len(list(pauses(MAIN.resend, 0.0)))  # type: ignore[attr-defined]

    run(story())


def test_the_addresses_are_those_of_the_two_gateways() -> None:
    world, _, _ = over(MAIN, Tamper(lambda at, copy, _, d: [d, d]))
    assert paths_of(world, ALICE) == {ALICE_TO_BOB}
    assert paths_of(world, BOB) == {BOB_TO_ALICE}
