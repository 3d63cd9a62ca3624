"""INITIAL-CONTACT on the wire: where it is said, and which messages count."""

from __future__ import annotations

import pytest

from ikevd.conversation.effects import Heeded
from ikevd.exchanges import aggressive_mode, contact, phase2
from ikevd.exchanges.link import FirstContact, HostAnswer, HostCall, Link
from ikevd.exchanges.phase1 import Candidates
from ikevd.facts import Sent
from ikevd.policy.connection import Connection, Unique
from ikevd.sa.model import IsakmpSa
from ikevd.wire.message import HEADER_OCTETS, Header, Message, encode_chain
from ikevd.wire.payloads import NoncePayload, NotifyPayload
from ikevd.wire.registry import Doi, ExchangeType, NotifyType, Protocol
from tests.builders import BOB, SeededEntropy, child, connection, fqdn, mirrored
from tests.duet import Duet, HostInMemory, Network
from tests.exchanges.phase1_pair import isakmp_sas, main_mode_between
from tests.exchanges.quick_mode_pair import (
    IDCR,
    NI,
    against_initiator,
    against_responder,
    offer,
    quick_mode_between,
    swapped,
)

SAID = NotifyPayload(Protocol.ISAKMP, NotifyType.INITIAL_CONTACT)


class Stranger(HostInMemory):
    """Holds nothing with the peer, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[FirstContact] = []

    def serve(self, call: HostCall) -> HostAnswer:
        if isinstance(call, FirstContact):
            self.asked.append(call)
            return True
        return None


def between(ours: HostInMemory, theirs: HostInMemory, view: Connection | None = None) -> Duet:
    return main_mode_between(view or connection(local_id=fqdn("alice.example")), hosts=(ours, theirs))


def payloads(duet: Duet) -> list[tuple[str, ...]]:
    """Of messages 5 and 6."""
    sent = duet.initiator.facts_of(Sent) + duet.responder.facts_of(Sent)
    return [fact.payloads for fact in sent if fact.label in ("MM5", "MM6")]


# -- Main Mode


def test_an_initiator_that_holds_nothing_says_it_in_message_5() -> None:
    duet = between(Stranger(), HostInMemory())
    assert payloads(duet) == [("ID", "HASH", "N"), ("ID", "HASH")]
    assert (duet.initiator.result.contacted, duet.responder.result.contacted) == (False, True)


def test_a_responder_that_holds_nothing_says_it_in_message_6() -> None:
    duet = between(HostInMemory(), Stranger())
    assert payloads(duet) == [("ID", "HASH"), ("ID", "HASH", "N")]
    assert (duet.initiator.result.contacted, duet.responder.result.contacted) == (True, False)


def test_both_sides_know_the_same_last_block_after_it() -> None:
    duet = between(Stranger(), Stranger())
    assert duet.initiator.result.last_blocks[0] == duet.responder.result.last_blocks[0]


def test_the_question_names_both_identities_and_the_peers_address() -> None:
    host = Stranger()
    between(host, HostInMemory())
    (asked,) = host.asked
    assert (asked.connection, str(asked.local_id), str(asked.remote_id), asked.remote) == (
        "bob",
        "alice.example",
        str(BOB),
        BOB,
    )


def test_with_unique_never_nobody_is_asked_and_nothing_said() -> None:
    ours, theirs = Stranger(), Stranger()
    duet = between(ours, theirs, connection(unique=Unique.NEVER))
    assert payloads(duet) == [("ID", "HASH")] * 2
    assert ours.asked == theirs.asked == []


# -- Aggressive Mode


def third_with_contact(sender: str, datagram: bytes) -> list[bytes]:
    """Message 3 in the clear, to which somebody on the way has added INITIAL-CONTACT."""
    header = Header.decode_untrusted(datagram)
    if sender != "initiator" or header.responder == bytes(8) or header.encrypted:
        return [datagram]
    message = Message.decode_untrusted(header, datagram[HEADER_OCTETS : header.length])
    body = encode_chain([*message.payloads, SAID])
    return [header.encode(len(body)) + body]


def test_in_a_message_3_in_the_clear_it_does_not_count() -> None:
    alice = connection(aggressive=True, encrypt_third=False)
    duet = Duet(
        ExchangeType.AGGRESSIVE,
        lambda link, _: aggressive_mode.initiate(link, alice, SeededEntropy(1)),
        lambda link, _: aggressive_mode.respond(link, Candidates((mirrored(alice),)), SeededEntropy(2)),
        network=Network(tamper=third_with_contact),
    ).run()
    assert duet.responder.result is not None
    assert not duet.responder.result.contacted


# -- Quick Mode


def test_in_message_1_of_quick_mode_it_is_heeded() -> None:
    async def script(link: Link, sa: IsakmpSa) -> None:
        first = phase2.Hashes(sa, link.message_id).with_1(offer(), NoncePayload(NI), child().local.to_id(), IDCR, SAID)
        second = await link.ask(*first, accept=lambda message: phase2.Hashes(sa, link.message_id).accept_2(NI, message))
        await link.answer(phase2.Hashes(sa, link.message_id).third(NI, second.one(NoncePayload).body))

    assert against_responder(script, swapped(child())).responder.heeded == [Heeded()]


def test_in_message_2_of_quick_mode_it_is_heeded() -> None:
    async def script(link: Link, sa: IsakmpSa) -> None:
        asked = await link.receive(phase2.Hashes(sa, link.message_id).accept_1)
        ni = asked.one(NoncePayload).body
        await link.answer(*phase2.Hashes(sa, link.message_id).with_2(ni, offer(), NoncePayload(NI), SAID))

    assert against_initiator(child(), script).initiator.heeded == [Heeded()]


def test_a_quick_mode_without_it_tells_nothing() -> None:
    duet = quick_mode_between(child(), swapped(child()))
    assert duet.initiator.heeded == duet.responder.heeded == []


# -- what it is


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (SAID, True),
        (contact.initial_contact(isakmp_sas()[0].cookies), True),
        (NotifyPayload(Protocol.ISAKMP, NotifyType.INITIAL_CONTACT, b"", b"", Doi(0)), True),
        (NotifyPayload(Protocol.ISAKMP, NotifyType.INITIAL_CONTACT, b"", b"", Doi(7)), False),
        (NotifyPayload(Protocol.ISAKMP, NotifyType.REPLAY_STATUS), False),
        (NoncePayload(NI), False),
    ],
    ids=["without SPI", "ours", "DOI of ISAKMP", "another DOI", "another notification", "no notification"],
)
def test_what_counts_as_initial_contact(payload: NotifyPayload, says: bool) -> None:
    assert contact.says(payload) is says
