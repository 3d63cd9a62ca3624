"""Whoever must refuse an identity, or cannot read message 5, tells the peer; the peer understands it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ikevd.errors import IkeError, PeerRefused, ProbablePskMismatch
from ikevd.facts import Failed, Sent
from ikevd.observe.words import say_error
from ikevd.policy.connection import Connection
from tests.builders import connection, fqdn, mirrored, psk
from tests.gateways import Gateway, alice_and_bob, bring_up
from tests.sayings import said
from tests.virtual_time import run

ALICE_SAYS = replace(connection(), local_id=fqdn("alice.example"))


async def failed(gateway: Gateway) -> IkeError:
    with pytest.raises(IkeError) as caught:
        await bring_up(gateway)
    return caught.value


def infos(gateway: Gateway) -> list[Sent]:
    facts = [entry.fact for record in gateway.history.find() for entry in record.entries]
    return [fact for fact in facts if isinstance(fact, Sent) and fact.label == "INFO"]


def other_identity(view: Connection) -> Connection:
    return replace(mirrored(view), remote_id=fqdn("somebody.example"))


def test_a_responder_that_refuses_our_identity_says_so_and_the_attempt_ends_at_once() -> None:
    async def story() -> None:
        _, alice, _ = alice_and_bob(view=ALICE_SAYS, other=other_identity(ALICE_SAYS))
        begin = asyncio.get_running_loop().time()
        error = await failed(alice)
        assert isinstance(error, PeerRefused)
        assert say_error(error) == (
            "the key is right, the peer refuses our identity alice.example (FQDN): INVALID_ID_INFORMATION"
        )
        assert asyncio.get_running_loop().time() - begin < 1

    run(story())


def test_a_responder_whom_another_key_reaches_says_that_it_cannot_read_message_5() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob(other=replace(mirrored(connection()), psk=psk("another key altogether")))
        error = await failed(alice)
        assert isinstance(error, ProbablePskMismatch)
        assert "the peer answered, encrypted, but not under our key" in say_error(error)
        assert len(infos(bob)) == 1, "once, however often message 5 is repeated"

    run(story())


def test_a_responder_complains_only_of_a_message_5_that_comes_again() -> None:
    """A copy that was altered on the way comes just before the genuine one."""

    async def story() -> None:
        world, alice, bob = alice_and_bob()
        altered: list[bytes] = []

        def copy_first(sender: str, datagram: bytes) -> list[bytes]:
            if sender == "bob" or not datagram[19] & 1 or altered:
                return [datagram]
            altered.append(datagram[:28] + bytes(16) + datagram[44:])
            return [altered[0], altered[0], datagram]

        world.network.tamper = copy_first
        await bring_up(alice)
        assert altered
        assert not infos(bob)

    run(story())


def test_an_initiator_of_aggressive_mode_that_refuses_the_responders_identity_says_so() -> None:
    async def story() -> None:
        view = replace(ALICE_SAYS, aggressive=True, remote_id=fqdn("somebody.example"))
        theirs = replace(mirrored(view), local_id=fqdn("bob.example"))
        _, alice, bob = alice_and_bob(view=view, other=theirs)
        await failed(alice)
        await asyncio.sleep(1)
        (record,) = bob.history.find()
        (failure,) = [entry.fact for entry in record.entries if isinstance(entry.fact, Failed)]
        assert (
            said(failure)
            == "the key is right, the peer refuses our identity bob.example (FQDN): INVALID_ID_INFORMATION"
        )

    run(story())
