"""How far a phase 1 came, with Cisco's names for it (compared with the table of public Cisco guides)."""

from __future__ import annotations

import pytest

from ikevd.addresses import Endpoint
from ikevd.errors import Said
from ikevd.facts import Established, Fact, Failed, Heard, Note, Sent
from ikevd.observe.history import History, Record
from ikevd.observe.progress import CiscoState, progress_of
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE_TO_BOB, BOB
from tests.observe.by_hand import COOKIES, Clock


def sent(label: str, copy: int = 1) -> Sent:
    return Sent(label, ("SA",), bytes(28), ALICE_TO_BOB, copy)


def heard(label: str) -> Heard:
    return Heard(label, ("SA",), bytes(28), ALICE_TO_BOB)


def record(*facts: Fact, kind: ExchangeType = ExchangeType.MAIN_MODE) -> Record:
    record = History(Clock()).open(kind, COOKIES, 0, Endpoint(BOB, 500), initiator=True, connection="berlin")
    for fact in facts:
        record.add(fact)
    return record


INITIATOR = (sent("MM1"), heard("MM2"), sent("MM3"), heard("MM4"), sent("MM5"), heard("MM6"))
RESPONDER = (heard("MM1"), sent("MM2"), heard("MM3"), sent("MM4"), heard("MM5"), sent("MM6"))


@pytest.mark.parametrize(
    ("facts", "ios", "asa"),
    [
        ((), "MM_NO_STATE", "MM_WAIT_MSG1"),
        (INITIATOR[:1], "MM_NO_STATE", "MM_WAIT_MSG2"),
        (INITIATOR[:3], "MM_SA_SETUP", "MM_WAIT_MSG4"),
        (INITIATOR[:5], "MM_KEY_EXCH", "MM_WAIT_MSG6"),
        (RESPONDER[:2], "MM_SA_SETUP", "MM_WAIT_MSG3"),
        (RESPONDER[:4], "MM_KEY_EXCH", "MM_WAIT_MSG5"),
        ((*INITIATOR, Established(Said("up"))), "QM_IDLE", "MM_ACTIVE"),
    ],
)
def test_main_mode_is_named_as_cisco_names_it(facts: tuple[Fact, ...], ios: str, asa: str) -> None:
    assert progress_of(record(*facts)).cisco == CiscoState(ios, asa)


@pytest.mark.parametrize(
    ("facts", "ios", "asa"),
    [
        ((sent("AM1"),), "AG_NO_STATE", "AM_WAIT_MSG2"),
        ((heard("AM1"), sent("AM2")), "AG_INIT_EXCH", "AM_WAIT_MSG3"),
        ((sent("AM1"), heard("AM2"), sent("AM3"), Established(Said("up"))), "QM_IDLE", "AM_ACTIVE"),
    ],
)
def test_aggressive_mode_is_named_as_cisco_names_it(facts: tuple[Fact, ...], ios: str, asa: str) -> None:
    assert progress_of(record(*facts, kind=ExchangeType.AGGRESSIVE)).cisco == CiscoState(ios, asa)


def test_a_failure_keeps_the_furthest_point_and_its_cause() -> None:
    progress = progress_of(record(*INITIATOR[:5], sent("MM5", 2), Note(Said("so")), Failed(Said("no MM6"), "NoAnswer")))
    assert (progress.outcome, progress.furthest, progress.cause) == ("failed", "MM5 sent", Said("no MM6"))
    assert progress.cisco.ios == "MM_KEY_EXCH"


def test_what_happens_to_an_established_sa_later_is_no_failure_of_phase_1() -> None:
    later = sent("INFO"), Failed(Said("taken down"), "Abandoned")
    progress = progress_of(record(*INITIATOR, Established(Said("up")), *later))
    assert (progress.outcome, progress.furthest, progress.cause) == ("established", "MM6 received", None)


def test_an_exchange_that_cisco_has_no_name_for_has_none() -> None:
    assert progress_of(record(kind=ExchangeType.TRANSACTION)).cisco == CiscoState("-", "-")
