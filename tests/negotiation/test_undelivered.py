"""A datagram that cannot leave this machine, or that the network says did not arrive: whose record says so."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.addresses import Address, Endpoint, Path
from ikevd.errors import NoAnswer
from ikevd.facts import Note, Sent
from ikevd.findings import Unreachable
from ikevd.observe.history import Record
from ikevd.observe.words import say_error
from ikevd.policy.connection import Resend
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE, BOB, child, connection
from tests.duet import Network
from tests.gateways import Gateway, World, alice_and_bob
from tests.sayings import said
from tests.virtual_time import run

ABSENT = ip_address("192.0.2.200")
REASON = "192.0.2.200 (local) is not an address of this machine"
GONE = connection(name="gone", local=ABSENT, resend=Resend(0.5, 1.0, 3))
SILENT = Network(loss=1.0)
TWO = connection(
    name="two",
    resend=Resend(0.5, 1.0, 3),
    children=(child(), child(name="dmz", reqid=0x696B0002, local="10.1.9.0/24", remote="10.2.9.0/24")),
)
OTHER = connection(name="other", resend=Resend(0.5, 1.0, 3), children=(child(reqid=0x696B0001),))


class NarrowWorld(World):
    """Nothing leaves from `absent`."""

    absent: tuple[Address, ...] = (ABSENT,)

    def carry(self, octets: bytes, path: Path) -> str | None:
        if path.local.address in self.absent:
            return REASON
        return super().carry(octets, path)


def records(gateway: Gateway, name: str) -> list[Record]:
    return list(gateway.history.find(connection=name))


def notes(record: Record) -> list[str]:
    return [said(entry.fact) for entry in record.entries if isinstance(entry.fact, Note)]


def test_what_could_not_leave_stands_once_in_the_record_of_its_own_negotiation() -> None:
    """Another connection to the same peer, from another address of ours, is under way at the same time."""

    async def story() -> None:
        alice = NarrowWorld().gateway(ALICE, GONE, OTHER)
        attempts = [alice.engine.session(view).want("lan") for view in (GONE, OTHER)]
        for attempt in attempts:
            with pytest.raises(NoAnswer):
                await attempt
        (gone,), (other,) = records(alice, "gone"), records(alice, "other")
        assert len([note for note in notes(gone) if REASON in note]) == 1
        assert not [note for note in notes(other) if REASON in note]

    run(story())


def test_an_address_that_goes_is_named_in_the_record_of_the_quick_mode_too() -> None:
    async def story() -> None:
        world = NarrowWorld()
        two = (child(), child(name="dmz", reqid=0x696B0002, local="10.1.9.0/24"))
        view = connection(resend=Resend(0.5, 1.0, 3), children=two)
        alice = world.gateway(ALICE, view)
        world.gateway(BOB, replace(view, local=BOB, remote=ALICE, children=(child("10.2.0.0/24", "10.1.0.0/24"),)))
        await alice.engine.session(view).want("lan")
        world.absent = (ABSENT, ALICE)
        with pytest.raises(NoAnswer):
            await alice.engine.session(view).want("dmz")
        (failed,) = [r for r in records(alice, "bob") if r.kind == ExchangeType.QUICK_MODE and r.child == "dmz"]
        assert len([note for note in notes(failed) if REASON in note]) == 1

    run(story())


# -- ICMP ---------------------------------------------------------------------------------------------------------

ROUTER = "192.0.2.254"


def reporting(gateway: Gateway, path: Path, quoted: bytes = b"") -> None:
    """The router says that the host is unreachable, and quotes so much of a message of ours."""
    found = Unreachable("host unreachable", ROUTER, str(path.remote))
    gateway.engine.hint_unreachable(path, found, quoted)


def sent_by(gateway: Gateway, kind: ExchangeType = ExchangeType.MAIN_MODE) -> list[Sent]:
    """What left, negotiation by negotiation."""
    records = (record for record in gateway.history.find() if record.kind == kind)
    return [entry.fact for record in records for entry in record.entries if isinstance(entry.fact, Sent)]


def told(record: Record) -> bool:
    """Does it hold what the router said?"""
    return any(ROUTER in note for note in notes(record))


TWIN = replace(OTHER, name="twin", children=(child(reqid=0x696B0002),))


def test_an_icmp_error_reaches_the_negotiation_whose_message_it_quotes_and_no_other() -> None:
    """Two connections to one peer, along the same path."""

    async def story() -> None:
        alice = World(SILENT).gateway(ALICE, OTHER, TWIN)
        attempts = [alice.engine.session(view).want("lan") for view in (OTHER, TWIN)]
        await asyncio.sleep(0.1)
        first, _ = sent_by(alice)
        reporting(alice, first.path, first.octets[:64])
        causes = []
        for attempt in attempts:
            with pytest.raises(NoAnswer) as failed:
                await attempt
            causes.append(say_error(failed.value))
        assert [list(map(told, records(alice, name))) for name in ("other", "twin")] == [[True], [False]]
        assert causes[0].startswith("198.51.100.1:500: host unreachable, says 192.0.2.254 (ICMP); no MM2")
        assert "ICMP" not in causes[1]

    run(story())


def test_an_icmp_error_that_quotes_no_message_reaches_what_we_began_between_its_two_addresses() -> None:
    async def story() -> None:
        alice = World(SILENT).gateway(ALICE, GONE, OTHER)
        attempts = [alice.engine.session(view).want("lan") for view in (GONE, OTHER)]
        await asyncio.sleep(0.1)
        reporting(alice, Path(Endpoint(ABSENT, 500), Endpoint(BOB, 500)), bytes(8))
        for attempt in attempts:
            with pytest.raises(NoAnswer):
                await attempt
        assert [list(map(told, records(alice, name))) for name in ("gone", "other")] == [[True], [False]]

    run(story())


@pytest.mark.parametrize(("ports", "heard"), [((500, 500), True), ((4500, 4500), False)])
def test_an_icmp_error_of_another_port_than_the_exchange_uses_now_explains_nothing(
    ports: tuple[int, int], heard: bool
) -> None:
    async def story() -> None:
        alice = World(SILENT).gateway(ALICE, OTHER)
        attempt = alice.engine.session(OTHER).want("lan")
        await asyncio.sleep(0.1)
        (first,) = sent_by(alice)
        reporting(alice, Path(Endpoint(ALICE, ports[0]), Endpoint(BOB, ports[1])), first.octets)
        with pytest.raises(NoAnswer):
            await attempt
        assert list(map(told, records(alice, "other"))) == [heard]

    run(story())


def test_an_icmp_error_reaches_a_responders_half_open_negotiation() -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob(None, OTHER)
        attempt = alice.engine.session(OTHER).want("lan")
        for _ in range(1000):
            await asyncio.sleep(0.01)
            if len(sent_by(bob)) == 2:  # MM2 and MM4: the peer has shown that it reads our answers
                break
        world.network = SILENT
        last = sent_by(bob)[-1]
        reporting(bob, last.path, last.octets[:64])
        attempt.cancel()
        assert list(map(told, bob.history.find())) == [True]

    run(story())


def test_an_icmp_error_reaches_the_quick_mode_whose_message_it_quotes() -> None:
    async def story() -> None:
        world, alice, _ = alice_and_bob(None, TWO)
        await alice.engine.session(TWO).want("lan")
        world.network = SILENT
        attempt = alice.engine.session(TWO).want("dmz")
        await asyncio.sleep(0.1)
        last = sent_by(alice, ExchangeType.QUICK_MODE)[-1]
        reporting(alice, last.path, last.octets[:64])
        with pytest.raises(NoAnswer) as failed:
            await attempt
        assert say_error(failed.value).startswith("198.51.100.1:500: host unreachable, says 192.0.2.254 (ICMP); no QM2")
        assert [told(record) for record in records(alice, TWO.name) if record.child == "dmz"] == [True]

    run(story())


def test_a_forged_icmp_error_ends_nothing() -> None:
    async def story() -> None:
        _, alice, _ = alice_and_bob(None, OTHER)
        attempt = alice.engine.session(OTHER).want("lan")
        await asyncio.sleep(0.001)
        first, *_ = sent_by(alice)
        for _ in range(100):
            reporting(alice, first.path, first.octets)
        await attempt
        assert len([note for note in notes(records(alice, OTHER.name)[0]) if ROUTER in note]) == 1

    run(story())
