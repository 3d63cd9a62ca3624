"""Octets behind the last payload: no HASH covers them, and yet the last block of a message is the IV of the next.

Somebody on the path has a copy of each encrypted message arrive first, with blocks of his own behind the payloads. It
is accepted, since everything that is proven in it holds; the genuine one that follows is known as the same message and
answered from its own end, so that both sides go on as if nobody had been there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

import pytest

from ikevd.conversation.duplicates import MAX_FORKS
from ikevd.facts import Heard, Repeated
from ikevd.peer.isakmp_state import IsakmpState
from ikevd.policy.connection import Connection
from ikevd.wire.message import HEADER_OCTETS, MAX_PADDING, Header, encode_chain, first_type
from ikevd.wire.registry import ExchangeType, Flags
from tests.builders import connection
from tests.duet import Network
from tests.fuzz.stage import drive
from tests.fuzz.stages import STAGES
from tests.gateways import Gateway, alice_and_bob, bring_up
from tests.hostile.crafted import crafted_octets, facts_in, refused
from tests.hostile.mallory import changed, flipped
from tests.virtual_time import run

PROTECTED = [name for name, make in STAGES.items() if make().chain and "NAT-D" not in name]
EACH_PROTECTED = pytest.mark.parametrize("name", PROTECTED)
MODES = {"Main Mode": connection(), "Aggressive Mode": connection(aggressive=True)}
EACH_MODE = pytest.mark.parametrize("view", MODES.values(), ids=MODES)
FLAGS, LENGTH = 19, 24
Deliver = Callable[[bytes], list[bytes]]
_numbers = count(1)


def lengthened(datagram: bytes, blocks: int = 1) -> bytes:
    """The same message with other blocks behind it: no two are alike."""
    more = next(_numbers).to_bytes(16) * blocks
    return changed(datagram, LENGTH, (len(datagram) + len(more)).to_bytes(4)) + more


def only_encrypted(deliver: Deliver) -> Network:
    """A network on which `deliver` tells what arrives of an encrypted message."""
    return Network(tamper=lambda _, d: deliver(d) if Header.decode_untrusted(d).encrypted else [d])


ATTACKS: dict[str, Deliver] = {
    "one copy before": lambda d: [lengthened(d), d],
    "three copies before": lambda d: [lengthened(d), lengthened(d, 2), lengthened(d), d],
    "more copies before than are answered": lambda d: [*(lengthened(d) for _ in range(5 * MAX_FORKS)), d],
    "one before, one behind": lambda d: [lengthened(d), d, lengthened(d)],
    "one copy behind": lambda d: [d, lengthened(d)],
    "the commit bit set in the first": lambda d: [flipped(d, FLAGS, Flags.COMMIT), d],
}


# -- whole gateways ---------------------------------------------------------------------------------------------------


def up_on_both_sides(alice: Gateway, bob: Gateway) -> None:
    assert alice.pairs == bob.pairs == 1
    assert {sa.spi for sa in alice.kernel.sas} == {sa.spi for sa in bob.kernel.sas}


def live(gateway: Gateway) -> IsakmpState:
    (found,) = gateway.session.live
    return found


@pytest.mark.parametrize("attack", ATTACKS)
@EACH_MODE
def test_copies_of_every_message_with_another_end_keep_nobody_from_a_tunnel(view: Connection, attack: str) -> None:
    """Of either phase, and begun by either side: the Delete of the first tunnel and a second tunnel follow."""

    async def story() -> None:
        _, alice, bob = alice_and_bob(only_encrypted(ATTACKS[attack]), view)
        await asyncio.wait_for(bring_up(alice), 5)
        await asyncio.sleep(1)
        up_on_both_sides(alice, bob)
        alice.session.unwant("lan")
        await asyncio.sleep(20)
        assert alice.pairs == bob.pairs == 0
        await asyncio.wait_for(bob.session.want("lan"), 5)
        await asyncio.sleep(1)
        up_on_both_sides(alice, bob)
        bob.session.unwant("lan")
        await asyncio.sleep(20)
        assert alice.nothing_installed
        assert bob.nothing_installed
        assert live(alice).sa.last_blocks[0] == live(bob).sa.last_blocks[0], "the same ISAKMP SA, in step"

    run(story())


@pytest.mark.parametrize("attack", ATTACKS)
@EACH_MODE
def test_the_responder_of_phase_1_may_begin_the_first_quick_mode_all_the_same(view: Connection, attack: str) -> None:
    """Nothing under the ISAKMP SA has proven yet which end it goes on from."""

    async def story() -> None:
        lost = LosesQuickModesOf("alice", ATTACKS[attack])
        _, alice, bob = alice_and_bob(Network(tamper=lost), view)
        attempt = asyncio.ensure_future(bring_up(alice))
        attempt.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.sleep(0.5)
        assert alice.session.live
        await asyncio.wait_for(bob.session.want("lan"), 5)
        await asyncio.sleep(1)
        up_on_both_sides(alice, bob)

    run(story())


class LosesQuickModesOf:
    """What one side begins never arrives."""

    def __init__(self, loser: str, deliver: Deliver) -> None:
        self._loser, self._deliver = loser, deliver
        self._lost: set[int] = set()
        self._others: set[int] = set()

    def __call__(self, sender: str, datagram: bytes) -> list[bytes]:
        header = Header.decode_untrusted(datagram)
        if header.exchange != ExchangeType.QUICK_MODE:
            return self._deliver(datagram) if header.encrypted else [datagram]
        if header.message_id not in self._lost | self._others:
            (self._lost if sender == self._loser else self._others).add(header.message_id)
        return self._deliver(datagram) if header.message_id in self._others else []


@pytest.mark.long
def test_copies_that_keep_coming_cost_few_answers_and_little_memory() -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob(only_encrypted(lambda d: [*(lengthened(d) for _ in range(500)), d]))
        await asyncio.wait_for(bring_up(alice), 5)
        await asyncio.sleep(1)
        up_on_both_sides(alice, bob)
        assert len(world.wire) < 200
        assert len(live(alice).sa.last_blocks) <= 2 + 2 * (MAX_FORKS + 2)

    run(story())


# -- one message ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", ["blocks behind it", "the commit bit", "a trailer of zeros"])
@EACH_PROTECTED
def test_the_genuine_message_is_a_repetition_of_its_altered_copy(name: str, attack: str) -> None:
    stage = STAGES[name]()
    genuine = stage.genuine_datagram()
    altered = {
        "blocks behind it": lengthened(genuine),
        "the commit bit": flipped(genuine, FLAGS, Flags.COMMIT),
        "a trailer of zeros": genuine + bytes(16),
    }[attack]
    first = list(drive(stage.conversation, stage.conversation.heard(altered, stage.path, 0.0)))
    assert isinstance(facts_in(first)[0], Heard)
    (repeated,) = facts_in(stage.conversation.heard(genuine, stage.path, 0.0))
    assert isinstance(repeated, Repeated)
    assert repeated.label == name.split()[0]


@pytest.mark.parametrize("name", ["MM1", "MM2", "MM3", "MM4", "AM1", "AM2"])
def test_in_the_clear_a_copy_with_octets_behind_it_is_the_same_message(name: str) -> None:
    stage = STAGES[name]()
    genuine = stage.genuine_datagram()
    stage.conversation.heard(lengthened(genuine), stage.path, 0.0)
    effects = stage.conversation.heard(genuine, stage.path, 0.0)
    assert facts_in(effects) == [Repeated(name, answered=stage.conversation.initiator is False or name == "AM2")]


@EACH_PROTECTED
def test_a_copy_whose_payloads_differ_is_no_repetition(name: str) -> None:
    stage = STAGES[name]()
    genuine = stage.genuine_datagram()
    list(drive(stage.conversation, stage.conversation.heard(genuine, stage.path, 0.0)))
    for at in range(HEADER_OCTETS, len(genuine) - 16):
        (fact,) = facts_in(stage.conversation.heard(flipped(genuine, at), stage.path, 0.0))
        assert not isinstance(fact, Repeated)


@pytest.mark.parametrize("name", STAGES)
def test_more_octets_behind_the_payloads_than_any_padding_has_are_refused(name: str) -> None:
    stage = STAGES[name]()
    genuine = stage.genuine_datagram()
    dropped = refused(stage, lengthened(genuine, 1 + MAX_PADDING // 16))
    assert dropped.error in ("Malformed", "ProbablePskMismatch")


@EACH_PROTECTED
def test_as_many_octets_as_padding_may_have_are_accepted(name: str) -> None:
    stage = STAGES[name]()
    first, chain = stage.proven(first_type(stage.genuine), encode_chain(stage.genuine))
    padding = MAX_PADDING - (len(chain) + MAX_PADDING) % 16
    datagram = crafted_octets(stage, first, chain + bytes(padding), prove=False)
    assert isinstance(facts_in(stage.conversation.heard(datagram, stage.path, 0.0))[0], Heard)
