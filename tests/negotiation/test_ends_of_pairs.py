"""What the peer deletes, what we delete, what expires, what is flushed: each row of the table in docs/life.md."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ikevd.host.sas import SaId
from ikevd.peer.volume_facts import SoftExpired
from ikevd.policy.child import Rekey, Start
from ikevd.policy.lives import Lifetime
from ikevd.sa.model import Spi
from tests.builders import BOB, child, connection, mirrored
from tests.gateways import Gateway, World, alice_and_bob, bring_up
from tests.virtual_time import run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "life.md"
Act = Callable[[World, Gateway, Gateway], Awaitable[None]]


def standing(gateway: Gateway) -> list[Spi]:
    return [pair.sa.inbound for pair in gateway.session.states["lan"].standing]


async def deletes(gateway: Gateway, spi: Spi) -> None:
    """One pair, by its inbound SPI, and nothing else: it has lost it, and says so."""
    gateway.kernel.remove_sa(SaId(gateway.address, spi))
    await asyncio.sleep(0.5)


async def rekey(alice: Gateway, seconds: float) -> None:
    alice.session.post(SoftExpired("lan", standing(alice)[-1]))
    await asyncio.sleep(seconds)


async def the_peer_deletes_it(world: World, alice: Gateway, bob: Gateway) -> None:
    await deletes(bob, standing(bob)[0])


async def the_peer_deletes_a_young_one_that_has_carried_a_volume(world: World, alice: Gateway, bob: Gateway) -> None:
    await deletes(bob, standing(bob)[0])
    outbound = next(sa for sa in alice.kernel.sas if sa.destination == BOB)
    alice.kernel.carry(outbound, 1024 * 1024)
    await deletes(bob, standing(bob)[0])


async def the_peer_deletes_the_replaced_one(world: World, alice: Gateway, bob: Gateway) -> None:
    await rekey(alice, 6)
    await deletes(bob, standing(bob)[0])


async def the_peer_deletes_the_new_one(world: World, alice: Gateway, bob: Gateway) -> None:
    await rekey(alice, 6)
    await deletes(bob, standing(bob)[-1])


async def it_is_taken_down(world: World, alice: Gateway, bob: Gateway) -> None:
    alice.session.unwant("lan")
    await asyncio.sleep(1)


async def it_was_replaced(world: World, alice: Gateway, bob: Gateway) -> None:
    await rekey(alice, 30)


async def its_lifetime_ends(world: World, alice: Gateway, bob: Gateway) -> None:
    await asyncio.sleep(600)


async def its_volume_is_used_up(world: World, alice: Gateway, bob: Gateway) -> None:
    outbound = next(sa for sa in alice.kernel.sas if sa.destination == BOB)
    alice.kernel.carry(outbound, 4096 * 1024)
    await asyncio.sleep(1)


async def somebody_removes_an_sa(world: World, alice: Gateway, bob: Gateway) -> None:
    alice.kernel.remove_sa(SaId(BOB, alice.session.states["lan"].standing[0].sa.outbound))
    await asyncio.sleep(1)


async def somebody_flushes_the_sas(world: World, alice: Gateway, bob: Gateway) -> None:
    alice.kernel.flush_sas()
    await asyncio.sleep(2)


async def somebody_flushes_the_policies(world: World, alice: Gateway, bob: Gateway) -> None:
    alice.kernel.flush_policies()
    await asyncio.sleep(2)
    assert len([policy for policy in alice.kernel.policies.values() if policy.template]) == 3


STANDS, ANOTHER, NONE = "stands", "another", "none"
ROWS: dict[str, tuple[Act, str]] = {
    "the peer deletes it": (the_peer_deletes_it, ANOTHER),
    "the peer deletes it within 10 s of its birth, and it has carried a volume (1 MiB, or half of what was agreed on, "
    "one way): the peer's own kernel may end it there": (
        the_peer_deletes_a_young_one_that_has_carried_a_volume,
        ANOTHER,
    ),
    "the peer deletes it, and a newer one stands": (the_peer_deletes_the_replaced_one, ANOTHER),
    "the peer deletes it, and the one before it still stands": (the_peer_deletes_the_new_one, STANDS),
    "`ikevd down`": (it_is_taken_down, NONE),
    "a newer one has replaced it": (it_was_replaced, ANOTHER),
    "its lifetime ends, and nobody has rekeyed it": (its_lifetime_ends, ANOTHER),
    "its volume is used up: the kernel ends it": (its_volume_is_used_up, ANOTHER),
    "somebody removes one of its SAs (`ip xfrm state delete`)": (somebody_removes_an_sa, ANOTHER),
    "somebody flushes the SAs (`ip xfrm state flush`)": (somebody_flushes_the_sas, ANOTHER),
    "somebody flushes the policies (`ip xfrm policy flush`)": (somebody_flushes_the_policies, STANDS),
}
"""What happens to a pair of a child with `start: always`, and what stands then: it, another one, or none."""


@pytest.mark.parametrize("row", ROWS)
def test_what_becomes_of_a_pair(row: str) -> None:
    act, after = ROWS[row]

    async def story() -> None:
        counted = child(start=Start.ALWAYS, lifetime=Lifetime(600, 4096), rekey=Rekey.YES)
        lapses = child(start=Start.ALWAYS, lifetime=Lifetime(600, 4096), rekey=Rekey.NO)
        view = connection(children=(lapses if act is its_lifetime_ends else counted,))
        world, alice, bob = alice_and_bob(view=view, other=mirrored(view))
        await bring_up(alice)
        await asyncio.sleep(20)
        first = standing(alice)
        await act(world, alice, bob)
        await asyncio.sleep(3)
        now = [spi for spi in standing(alice) if not _left(alice, spi)]
        assert (NONE if not now else STANDS if now == first else ANOTHER) == after
        assert sorted(pair.sa.outbound for pair in bob.session.states["lan"].standing if pair.leave_at is None) == now

    run(story())


def _left(gateway: Gateway, spi: Spi) -> bool:
    return any(pair.sa.inbound == spi and pair.leave_at is not None for pair in gateway.session.states["lan"].standing)


def test_each_row_of_the_page_is_tried() -> None:
    table = PAGE.read_text().split("| what happens to a pair |")[1].split("\n\n")[0]
    _, *rows = re.findall(r"^\| ?([^|]+?) ?\|", table, re.MULTILINE)
    assert rows == [*ROWS]
