"""A datagram that cannot leave this machine, or that the network says did not arrive: whose record says so."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.addresses import Address, Endpoint, Path
from ikevd.errors import NoAnswer
from ikevd.facts import Note
from ikevd.observe.history import Record
from ikevd.policy.model import Resend
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE, BOB, child, connection
from tests.gateways import Gateway, World
from tests.sayings import said
from tests.virtual_time import run

ABSENT = ip_address("192.0.2.200")
REASON = "192.0.2.200 (local) is not an address of this machine"
GONE = connection(name="gone", local=ABSENT, resend=Resend(0.5, 1.0, 3))
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


def test_an_icmp_error_stands_in_the_record_of_the_negotiation_between_its_two_addresses() -> None:
    async def story() -> None:
        alice = World().gateway(ALICE, GONE, OTHER)
        attempts = [alice.engine.session(view).want("lan") for view in (GONE, OTHER)]
        await asyncio.sleep(0.1)
        alice.engine.hint_unreachable(Path(Endpoint(ABSENT, 500), Endpoint(BOB, 500)), "ICMP host unreachable")
        for attempt in attempts:
            with pytest.raises(NoAnswer):
                await attempt
        (gone,), (other,) = records(alice, "gone"), records(alice, "other")
        assert len([note for note in notes(gone) if "ICMP" in note]) == 1
        assert not [note for note in notes(other) if "ICMP" in note]

    run(story())
