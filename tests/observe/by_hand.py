"""Records of exchanges, made by hand."""

from __future__ import annotations

from ikevd.addresses import Endpoint
from ikevd.facts import Fact, Heard, Sent
from ikevd.observe.history import History, Record
from ikevd.sa.model import Cookies
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE_TO_BOB, BOB

COOKIES = Cookies(bytes.fromhex("0123456789abcdef"), bytes.fromhex("fedcba9876543210"))
SENT = Sent("MM1", ("SA", "VID", "VID"), bytes(136), ALICE_TO_BOB)
HEARD = Heard("MM2", ("SA", "VID"), bytes(104), ALICE_TO_BOB)


class Clock:
    """Steps 12.5 ms with every fact."""

    def __init__(self) -> None:
        self.at = 1_700_000_000.0 - 0.0125

    def __call__(self) -> float:
        self.at += 0.0125
        return self.at


def recorded(*facts: Fact, initiator: bool = True, connection: str | None = "berlin", message_id: int = 0) -> Record:
    kind = ExchangeType.QUICK_MODE if message_id else ExchangeType.MAIN_MODE
    record = History(Clock()).open(
        kind, COOKIES, message_id, Endpoint(BOB, 500), initiator=initiator, connection=connection
    )
    for fact in facts:
        record.add(fact)
    return record
