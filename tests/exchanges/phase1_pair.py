"""Main Mode between our two roles, and duets under the ISAKMP SAs of one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from ikevd.conversation.timing import Timing
from ikevd.exchanges import main_mode, phase2
from ikevd.exchanges.phase1 import Candidates
from ikevd.policy.connection import Connection
from ikevd.sa.model import IsakmpSa
from ikevd.wire.registry import ExchangeType
from tests.builders import SeededEntropy, connection, mirrored
from tests.duet import Duet, HostInMemory, MakeExchange, Network

MESSAGE_ID = 0x5EED0001


def main_mode_between(alice: Connection, *bob: Connection, **options: Any) -> Duet:
    """Bob has these connections, or Alice's as the other side configures it. `options`: of `Duet`."""
    return Duet(
        ExchangeType.MAIN_MODE,
        lambda link, _: main_mode.initiate(link, alice, SeededEntropy(1)),
        lambda link, _: main_mode.respond(link, Candidates(bob or (mirrored(alice),)), SeededEntropy(2)),
        timing=Timing(resend=alice.resend),
        **options,
    ).run()


@cache
def isakmp_sas() -> tuple[IsakmpSa, IsakmpSa]:
    """Alice's and Bob's."""
    duet = main_mode_between(connection())
    return duet.initiator.result, duet.responder.result


def under_isakmp_sa(
    kind: ExchangeType,
    initiate: Callable[[IsakmpSa], MakeExchange],
    respond: Callable[[IsakmpSa], MakeExchange],
    *,
    sas: tuple[IsakmpSa, IsakmpSa] | None = None,
    message_id: int = MESSAGE_ID,
    network: Network | None = None,
    timing: Timing | None = None,
    hosts: tuple[HostInMemory, HostInMemory] | None = None,
) -> Duet:
    """A duet whose two sides hold the two SAs; not yet run."""
    alice, bob = sas or isakmp_sas()
    chains = iter((phase2.chains(alice, message_id), phase2.chains(bob, message_id)))
    return Duet(
        kind,
        initiate(alice),
        respond(bob),
        network=network,
        timing=timing,
        cookies=alice.cookies,
        message_id=message_id,
        chains=lambda: next(chains),
        hosts=hosts,
    )
