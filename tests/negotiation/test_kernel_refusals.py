"""Our kernel refuses one step of Quick Mode: what the peer is told, and what our status says."""

from __future__ import annotations

import asyncio

import pytest

from ikevd.errors import IkeError, KernelRefused, PeerRefused
from ikevd.facts import Sent
from ikevd.policy.connection import Resend
from ikevd.wire.buffer import Reader
from ikevd.wire.message import decode_chain_untrusted
from ikevd.wire.payloads import DeletePayload, NotifyPayload, Payload
from ikevd.wire.registry import ExchangeType, NotifyType, PayloadType
from ikevd.wire.sa import SaPayload
from tests.builders import connection
from tests.gateways import Gateway, alice_and_bob, bring_up
from tests.negotiation.kernel_steps import INBOUND, OUTBOUND, Role, Step, refuse
from tests.virtual_time import run

VIEW = connection(resend=Resend(0.5, 1.0, 3))
RESERVE: Step = "SPI"


def said(gateway: Gateway, kind: ExchangeType) -> list[Payload]:
    """The payloads behind HASH of all messages of one sort, each once."""
    records = gateway.history.find(connection=next(iter(gateway.engine.sessions())).connection.name)
    sent = [entry.fact for record in records if record.kind == kind for entry in record.entries]
    chains = [fact.chain for fact in sent if isinstance(fact, Sent) and fact.copy == 1]
    return [
        payload for chain in chains for payload in list(decode_chain_untrusted(PayloadType.HASH, Reader(chain, "")))[1:]
    ]


def proposed_spi(gateway: Gateway) -> bytes:
    (sa,) = [payload for payload in said(gateway, ExchangeType.QUICK_MODE) if isinstance(payload, SaPayload)]
    return sa.proposals[0].spi


async def refused(role: Role, step: Step) -> tuple[Gateway, Gateway, IkeError | None]:
    """(Whose kernel refuses, its peer, how the initiator's attempt ended)."""
    _, alice, bob = alice_and_bob(view=VIEW)
    faulty, peer = (alice, bob) if role == "initiator" else (bob, alice)
    refuse(faulty.kernel, role, step)
    error: IkeError | None = None
    try:
        await bring_up(alice)
    except IkeError as raised:
        error = raised
    await asyncio.sleep(30)
    return faulty, peer, error


@pytest.mark.parametrize(
    ("role", "step"),
    [
        *[("initiator", step) for step in (*INBOUND, *OUTBOUND)],
        *[("responder", step) for step in (RESERVE, *INBOUND, *OUTBOUND)],
    ],
)
def test_a_refusal_of_our_kernel_is_told_with_the_spi_of_the_peers_proposal(role: Role, step: Step) -> None:
    async def story() -> None:
        faulty, peer, _ = await refused(role, step)
        notifies = [p for p in said(faulty, ExchangeType.INFORMATIONAL) if isinstance(p, NotifyPayload)]
        assert [(n.type, n.spi) for n in notifies] == [(NotifyType.NO_PROPOSAL_CHOSEN, proposed_spi(peer))]

    run(story())


@pytest.mark.parametrize("step", [RESERVE, *INBOUND])
def test_before_our_message_2_left_the_initiator_ends_at_once_and_gets_no_delete(step: Step) -> None:
    """It never got our SPI."""

    async def story() -> None:
        faulty, _, error = await refused("responder", step)
        assert isinstance(error, PeerRefused)
        assert error.received == NotifyType.NO_PROPOSAL_CHOSEN
        assert not [p for p in said(faulty, ExchangeType.INFORMATIONAL) if isinstance(p, DeletePayload)]
        assert not said(faulty, ExchangeType.QUICK_MODE)

    run(story())


@pytest.mark.parametrize(
    ("role", "step"),
    [*[("initiator", step) for step in (*INBOUND, *OUTBOUND)], *[("responder", step) for step in OUTBOUND]],
)
def test_a_peer_that_has_our_spi_gets_its_delete(role: Role, step: Step) -> None:
    async def story() -> None:
        faulty, _, _ = await refused(role, step)
        deletes = [p for p in said(faulty, ExchangeType.INFORMATIONAL) if isinstance(p, DeletePayload)]
        assert [p.spis for p in deletes] == [(proposed_spi(faulty),)]

    run(story())


def test_an_initiator_whose_kernel_gives_no_spi_says_nothing_of_it_to_the_peer() -> None:
    async def story() -> None:
        faulty, _, error = await refused("initiator", RESERVE)
        assert isinstance(error, KernelRefused)
        assert not said(faulty, ExchangeType.QUICK_MODE)
        assert not said(faulty, ExchangeType.INFORMATIONAL)

    run(story())


@pytest.mark.parametrize("step", [RESERVE, *INBOUND, *OUTBOUND])
@pytest.mark.parametrize("role", ["initiator", "responder"])
def test_the_status_of_the_child_says_that_our_kernel_refused(role: Role, step: Step) -> None:
    async def story() -> None:
        faulty, _, _ = await refused(role, step)
        state = faulty.session.states["lan"]
        assert state.pairs == ()
        assert "No buffer space available" in str(state.cause)
        (record,) = [
            record
            for record in faulty.history.find(connection=faulty.session.connection.name)
            if record.kind == ExchangeType.QUICK_MODE
        ]
        assert record.child == "lan"

    run(story())
