"""Peers that have a name, or several addresses: whole engines in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.addresses import Address
from ikevd.errors import Abandoned, IkeError
from ikevd.path_findings import NameUnknown
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection, Resend
from ikevd.policy.dpd import Dpd
from tests.builders import ALICE, BOB, child, connection, fqdn, mirrored
from tests.gateways import Gateway, World, bring_up, reload
from tests.virtual_time import run

NAME = "vpn.example.net"
MOVED = ip_address("198.51.100.9")
VIEW = connection(
    remote=None,
    places=(NAME,),
    local_id=fqdn("alice.example"),
    remote_id=fqdn("bob.example"),
    resend=Resend(interval=1, factor=1.5, sends=3),
    dpd=Dpd(delay=10, timeout=10),
    children=(child(start=Start.ALWAYS),),
)


class Story:
    """Alice calls Bob by a name."""

    def __init__(self, view: Connection = VIEW, **names: tuple[Address, ...]) -> None:
        self.world = World()
        self.world.names = (
            {NAME: (BOB,)} if not names else {key.replace("_", "."): known for key, known in names.items()}
        )
        self.alice = self.world.gateway(ALICE, view)
        self.bob = self.at(BOB)
        self.view = view

    def at(self, address: Address, seed: int = 1) -> Gateway:
        """Another Bob, who knows Alice by her address."""
        return self.world.gateway(address, replace(mirrored(VIEW), local=address, remote=ALICE, places=()), seed=seed)

    def start(self) -> None:
        self.alice.engine.start()

    @property
    def ends(self) -> set[Address]:
        """Where Alice's packets go."""
        return {sa.destination for sa in self.alice.kernel.sas.values()} - {ALICE}

    @property
    def cause(self) -> object:
        return self.alice.session.states["lan"].cause


def test_a_peer_is_called_at_the_address_of_its_name() -> None:
    async def story() -> None:
        tale = Story()
        tale.start()
        await asyncio.sleep(1)
        assert tale.ends == {BOB}

    run(story())


def test_up_waits_for_the_name() -> None:
    async def story() -> None:
        tale = Story(replace(VIEW, children=(child(),)))
        tale.start()
        await bring_up(tale.alice)
        assert tale.ends == {BOB}

    run(story())


def test_a_name_that_is_unknown_is_told_and_asked_for_again_within_a_minute() -> None:
    async def story() -> None:
        tale = Story(other_name=())
        tale.start()
        await asyncio.sleep(600)
        assert tale.cause == NameUnknown(NAME, "Name or service not known")
        assert tale.world.wire == []
        tale.world.names[NAME] = (BOB,)
        await asyncio.sleep(62)
        assert tale.ends == {BOB}

    run(story())


def test_a_resolver_that_does_not_answer_holds_up_nobody_for_long() -> None:
    async def story() -> None:
        tale = Story(replace(VIEW, children=(child(),)))

        async def never(name: str) -> tuple[Address, ...]:
            await asyncio.sleep(1e6)
            return ()

        tale.alice.engine._ports.names._lookup = never
        tale.start()
        with pytest.raises(Abandoned) as told:
            await bring_up(tale.alice)
        assert told.value.finding == NameUnknown(NAME, "no answer in 5 s")
        assert asyncio.get_running_loop().time() < 6

    run(story())


def test_another_answer_moves_no_tunnel_that_is_alive() -> None:
    async def story() -> None:
        tale = Story()
        tale.start()
        await asyncio.sleep(1)
        tale.at(MOVED, seed=2)
        tale.world.names[NAME] = (MOVED,)
        before = set(tale.alice.kernel.sas)
        await asyncio.sleep(1800)
        assert set(tale.alice.kernel.sas) == before

    run(story())


def test_a_peer_that_is_silent_is_called_at_its_other_address() -> None:
    async def story() -> None:
        tale = Story()
        tale.start()
        await asyncio.sleep(1)
        del tale.world.gateways[BOB]
        tale.at(MOVED, seed=2)
        tale.world.names[NAME] = (MOVED,)
        await asyncio.sleep(60)
        assert tale.ends == {MOVED}

    run(story())


def test_while_it_is_down_another_answer_brings_it_up() -> None:
    async def story() -> None:
        tale = Story()
        del tale.world.gateways[BOB]
        tale.start()
        await asyncio.sleep(1200)
        assert tale.ends == set()
        tale.at(MOVED, seed=2)
        tale.world.names[NAME] = (MOVED,)
        await asyncio.sleep(65)
        assert tale.ends == {MOVED}

    run(story())


@pytest.mark.parametrize("places", [(BOB, MOVED), (NAME,)], ids=["addresses", "one name"])
def test_of_several_addresses_the_next_one_has_its_turn(places: tuple[Address | str, ...]) -> None:
    async def story() -> None:
        tale = Story(replace(VIEW, places=places), vpn_example_net=(BOB, MOVED))
        del tale.world.gateways[BOB]
        tale.at(MOVED, seed=2)
        tale.start()
        await asyncio.sleep(20)
        assert tale.ends == {MOVED}

    run(story())


@pytest.mark.parametrize(("first", "end"), [(False, MOVED), (True, BOB)], ids=["the last", "the first"])
def test_after_it_worked_the_next_phase_1_begins_with(first: bool, end: Address) -> None:
    async def story() -> None:
        tale = Story(replace(VIEW, places=(BOB, MOVED), first_place=first))
        gone = tale.world.gateways.pop(BOB)
        moved = tale.at(MOVED, seed=2)
        tale.start()
        await asyncio.sleep(20)
        assert tale.ends == {MOVED}
        tale.world.gateways[BOB] = gone
        moved.session.end()
        await asyncio.sleep(20)
        assert tale.ends == {end}

    run(story())


def test_after_the_file_was_read_again_with_the_same_places_too() -> None:
    async def story() -> None:
        view = replace(VIEW, places=(BOB, MOVED))
        tale = Story(view)
        gone = tale.world.gateways.pop(BOB)
        moved = tale.at(MOVED, seed=2)
        tale.start()
        await asyncio.sleep(20)
        await reload(tale.alice, replace(view, dpd=Dpd(delay=11, timeout=10)))
        tale.world.gateways[BOB] = gone
        moved.session.end()
        await asyncio.sleep(20)
        assert tale.ends == {MOVED}

    run(story())


def test_the_peer_may_call_from_anywhere_and_its_identity_decides() -> None:
    async def story() -> None:
        tale = Story(replace(VIEW, children=(child(start=Start.PASSIVE),)))
        tale.start()
        from_elsewhere = tale.at(MOVED, seed=2)
        await bring_up(from_elsewhere)
        await asyncio.sleep(1)
        assert tale.ends == {MOVED}
        assert [session.state.key.identity for session in tale.alice.engine.sessions()] == [fqdn("bob.example")]

    run(story())


def test_a_name_grants_no_trust() -> None:
    """Whoever answers at the address of the name must show the identity."""

    async def story() -> None:
        tale = Story(replace(VIEW, children=(child(),)))
        view = replace(mirrored(VIEW), local=BOB, remote=ALICE, places=(), local_id=fqdn("mallory.example"))
        tale.world.gateway(BOB, view, seed=3)
        tale.start()
        with pytest.raises(IkeError):
            await bring_up(tale.alice)
        assert tale.ends == set()

    run(story())


def test_what_is_taken_down_while_a_name_is_asked_for_stays_down() -> None:
    async def story() -> None:
        tale = Story()
        tale.start()
        tale.alice.session.unwant("lan")
        await asyncio.sleep(10)
        assert tale.ends == set()
        assert tale.alice.session.state.phase1 is None

    run(story())
