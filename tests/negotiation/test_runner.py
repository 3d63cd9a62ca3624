"""The timer of one conversation."""

import asyncio

import uvloop

from ikevd.conversation.core import Conversation
from ikevd.conversation.timing import Timing
from ikevd.exchanges import main_mode
from ikevd.exchanges.link import Link, Situation
from ikevd.exchanges.phase1 import Candidates
from ikevd.negotiation.runner import Runner
from ikevd.sa.model import Cookies
from ikevd.wire.registry import ExchangeType, NotifyType
from tests.builders import ALICE, BOB_TO_ALICE, SeededEntropy, connection
from tests.gateways import World


def test_a_deadline_that_has_come_already_ends_the_wait_on_uvloop() -> None:
    async def story() -> list[object]:
        gateway = World().gateway(ALICE, connection())
        ports, situation = gateway.engine._ports, Situation(Cookies(bytes(7) + b"1"), 0, BOB_TO_ALICE)
        exchange = main_mode.respond(Link(situation), Candidates((connection(),)), SeededEntropy())
        core = Conversation(
            exchange, ExchangeType.MAIN_MODE, situation, Timing(larval=0.0, patience=0.0), initiator=False
        )
        record = gateway.history.open(ExchangeType.MAIN_MODE, core.cookies, 0, BOB_TO_ALICE.remote, initiator=False)
        ends: list[object] = []
        runner = Runner(core, record, ports, on_end=lambda runner, outcome: ends.append(type(outcome).__name__))
        runner.start()
        runner.hint(NotifyType.NO_PROPOSAL_CHOSEN)  # arms it once more
        await asyncio.sleep(0.01)
        return ends

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        assert loop.run(story()) == ["NoAnswer"]
