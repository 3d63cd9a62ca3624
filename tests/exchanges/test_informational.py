"""Informational exchanges under an ISAKMP SA: one protected message that nothing answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ikevd.errors import NoAnswer
from ikevd.exchanges import informational, phase2
from ikevd.exchanges.link import Link
from ikevd.facts import Dropped, Heard, Repeated, Sent
from ikevd.sa.model import IsakmpSa
from ikevd.wire.payloads import DeletePayload, HashPayload, NotifyPayload, Payload
from ikevd.wire.registry import ExchangeType, NotifyType, Protocol
from tests.duet import Duet, Network
from tests.exchanges.phase1_pair import isakmp_sas, under_isakmp_sa
from tests.sayings import said

DELETE = DeletePayload(Protocol.ESP, (b"\0\0\xa0\0", b"\0\0\xa0\1"))
NOTIFY = NotifyPayload(Protocol.ESP, NotifyType.NO_PROPOSAL_CHOSEN, b"\0\0\xb0\0")


def told(*payloads: Payload, sas: tuple[IsakmpSa, IsakmpSa] | None = None, network: Network | None = None) -> Duet:
    return under_isakmp_sa(
        ExchangeType.INFORMATIONAL,
        lambda sa: lambda link, _: informational.tell(link, sa, *payloads),
        lambda sa: lambda link, _: informational.hear(link, sa),
        sas=sas,
        network=network,
    ).run()


def test_the_payloads_behind_the_hash_are_heard() -> None:
    assert told(DELETE, NOTIFY).responder.result == (DELETE, NOTIFY)


def test_a_delete_is_sent_five_times_and_heard_once() -> None:
    duet = told(DELETE)
    assert [fact.copy for fact in duet.initiator.facts_of(Sent)] == [1, 2, 3, 4, 5]
    assert len(duet.responder.facts_of(Heard)) == 1
    assert duet.responder.facts_of(Repeated) == [Repeated("INFO", answered=False)] * 4
    assert duet.responder.sent == []
    assert duet.initiator.ended_at == 0, "the exchange ended at once, its copies went on"


def test_the_last_of_the_copies_is_enough() -> None:
    sent = 0

    def tamper(sender: str, datagram: bytes) -> list[bytes]:
        nonlocal sent
        sent += 1
        return [datagram] if sent == 5 else []

    duet = told(DELETE, network=Network(tamper=tamper))
    assert duet.responder.result == (DELETE,)
    assert duet.responder.ended_at == 0.5 + 1 + 2 + 4 + 0.01


@pytest.mark.parametrize("number", [0, 1])
def test_a_responder_accepts_a_delete_from_either_of_its_last_blocks(number: int) -> None:
    """An initiator that gave up waiting for message 6 goes on from message 5."""
    alice, bob = isakmp_sas()
    assert len(bob.last_blocks) == 2
    alone = replace(alice, last_blocks=(bob.last_blocks[number],))
    assert told(DELETE, sas=(alone, bob)).responder.result == (DELETE,)


def test_from_any_other_block_nothing_is_heard() -> None:
    alice, bob = isakmp_sas()
    duet = told(DELETE, sas=(replace(alice, last_blocks=(bytes(16),)), bob))
    assert isinstance(duet.responder.error, NoAnswer)
    assert duet.responder.facts_of(Dropped)


@pytest.mark.parametrize("proof", [(), (HashPayload(b""),), (HashPayload(bytes(32)),)])
def test_a_delete_without_a_right_hash_first_is_dropped(proof: tuple[Payload, ...]) -> None:
    async def forge(link: Link) -> Any:
        await link.answer(*proof, DELETE)

    duet = under_isakmp_sa(
        ExchangeType.INFORMATIONAL,
        lambda sa: lambda link, _: forge(link),
        lambda sa: lambda link, _: informational.hear(link, sa),
    ).run()
    (dropped,) = duet.responder.facts_of(Dropped)
    assert "HASH(1)" in said(dropped)
    assert isinstance(duet.responder.error, NoAnswer)


def test_a_hash_of_another_message_id_is_dropped() -> None:
    async def replayed(link: Link, sa: IsakmpSa) -> Any:
        await link.answer(*phase2.Hashes(sa, link.message_id + 1).with_1(DELETE))

    duet = under_isakmp_sa(
        ExchangeType.INFORMATIONAL,
        lambda sa: lambda link, _: replayed(link, sa),
        lambda sa: lambda link, _: informational.hear(link, sa),
    ).run()
    assert duet.responder.facts_of(Dropped)[0].error == "InvalidHash"
