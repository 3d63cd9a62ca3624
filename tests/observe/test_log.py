"""The log: one line for each fact, told apart, bounded, without secrets."""

from __future__ import annotations

import errno
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import structlog

from ikevd.addresses import Endpoint, Path
from ikevd.crypto.secret import Secret
from ikevd.facts import Dropped, Established, Failed, Heard, Hint, Note, Repeated, Sent
from ikevd.observe import log
from ikevd.observe.history import History
from ikevd.policy.model import LogFormat
from ikevd.sa.model import Cookies
from ikevd.wire.registry import ExchangeType, NotifyType
from tests.builders import ALICE, ALICE_TO_BOB, BOB
from tests.plugins.secrets import MARK

ONE, TWO = Cookies(b"1" * 8, b"a" * 8), Cookies(b"2" * 8, b"b" * 8)


@dataclass
class Book:
    """A log in memory with the history that it listens to."""

    stream: io.StringIO
    history: History
    now: float = 1_700_000_000.0

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


def listening(which: log.Filter | None = None, level: str = "debug", form: LogFormat = LogFormat.JSON) -> Book:
    stream = io.StringIO()
    log.configure(form, level, stream)
    book = Book(stream, History(lambda: book.now))
    book.history.listen(log.FactLog(which or log.Filter()))
    return book


@pytest.fixture(autouse=True)
def _forget_configuration() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def negotiation(book: Book, cookies: Cookies = ONE, mid: int = 0, connection: str | None = "berlin") -> Any:
    kind = ExchangeType.QUICK_MODE if mid else ExchangeType.MAIN_MODE
    return book.history.open(kind, cookies, mid, Endpoint(BOB, 500), initiator=True, connection=connection)


def drop(reason: str = "the HASH does not match") -> Dropped:
    return Dropped("MM2", reason, "InvalidHash", 76)


def test_each_fact_is_one_line_with_its_level() -> None:
    book = listening()
    record = negotiation(book)
    for fact in (
        Sent("MM1", ("SA", "VID"), bytes(136), ALICE_TO_BOB),
        Heard("MM2", ("SA",), bytes(104), ALICE_TO_BOB),
        Repeated("MM2", answered=True),
        Hint(NotifyType.NO_PROPOSAL_CHOSEN),
        Note("a note"),
        Established("ISAKMP SA"),
        Failed("no answer", "NoAnswer"),
        drop(),
    ):
        record.add(fact)
    assert [(line["level"], line["event"]) for line in book.lines()] == [
        ("debug", "sent MM1"),
        ("debug", "heard MM2"),
        ("debug", "the peer repeated MM2"),
        ("info", "the peer says, unauthenticated: NO_PROPOSAL_CHOSEN"),
        ("info", "a note"),
        ("info", "established: ISAKMP SA"),
        ("warning", "failed: no answer"),
        ("warning", "dropped, awaiting MM2: the HASH does not match"),
    ]


def test_every_line_names_its_negotiation() -> None:
    book = listening()
    negotiation(book, mid=0xABC).add(Note("a note"))
    (line,) = book.lines()
    assert (line["connection"], line["peer"], line["spi"], line["mid"]) == (
        "berlin",
        "198.51.100.1:500",
        f"{'31' * 8}:{'61' * 8}",
        "00000abc",
    )


def test_a_console_line_shows_the_same() -> None:
    book = listening(form=LogFormat.CONSOLE)
    negotiation(book).add(Failed("probable pre-shared key mismatch: it does not decrypt", "ProbablePskMismatch"))
    (line,) = book.stream.getvalue().splitlines()
    assert "failed: probable pre-shared key mismatch: it does not decrypt" in line
    assert f"spi={'31' * 8}:{'61' * 8}" in line
    assert "\x1b" not in line


@pytest.mark.parametrize(
    "which",
    [
        log.Filter(spi="31313131"),
        log.Filter(spi="0x6161"),
        log.Filter(connection="berlin"),
        log.Filter(peer="198.51.100.1"),
    ],
    ids=str,
)
def test_a_filter_tells_simultaneous_negotiations_apart(which: log.Filter) -> None:
    book = listening(which)
    first, second = negotiation(book), negotiation(book, TWO, connection="munich")
    second.peer = Endpoint(ALICE, 500)
    for _ in range(2):
        first.add(Note("of the first"))
        second.add(Note("of the second"))
    assert {line["event"] for line in book.lines()} == {"of the first"}


def test_a_negotiation_that_goes_well_is_quiet_at_level_info() -> None:
    book = listening(level="info")
    record = negotiation(book)
    record.add(Sent("MM1", ("SA",), bytes(136), ALICE_TO_BOB))
    record.add(Heard("MM2", ("SA",), bytes(104), ALICE_TO_BOB))
    record.add(Established("ISAKMP SA"))
    assert len(book.lines()) == 1


def test_a_flood_of_bad_messages_from_one_address_is_one_line_a_minute() -> None:
    book = listening(level="info")
    for _ in range(500):
        negotiation(book).add(drop())
    book.now += 61
    negotiation(book).add(drop())
    assert [line.get("held_back") for line in book.lines()] == [None, 499]


def test_strangers_of_many_addresses_cannot_fill_the_log() -> None:
    book = listening(level="info")
    for number in range(500):
        record = negotiation(book, connection=None)
        record.peer = Endpoint(type(BOB)(int(BOB) + number), 500)
        record.add(Failed("no answer", "NoAnswer"))
    assert len(book.lines()) == 60


def test_a_flood_of_strangers_hides_no_warning_of_a_connection() -> None:
    book = listening(level="info")
    for number in range(100):
        record = negotiation(book, connection=None)
        record.peer = Endpoint(type(BOB)(int(BOB) + 1 + number), 500)
        record.add(drop())
    negotiation(book, TWO).add(drop())
    assert book.lines()[-1]["connection"] == "berlin"


@pytest.mark.parametrize("form", list(LogFormat), ids=str)
def test_octets_and_secrets_never_reach_a_line(form: LogFormat) -> None:
    book = listening(form=form)
    secret = Secret(MARK.encode())
    line = structlog.get_logger()
    line.error("odd", a=secret, b=MARK.encode(), c=[secret, bytearray(MARK.encode())], d={"key": MARK}, e=object())
    shown = book.stream.getvalue()
    assert MARK not in shown
    assert "<Secret>" in shown
    assert f"<{len(MARK)} octets>" in shown


def test_what_a_peer_says_stays_on_its_line() -> None:
    book = listening(form=LogFormat.CONSOLE)
    negotiation(book).add(Note("evil\n2026-01-01 [info] forged \x1b[2J"))
    assert len(book.stream.getvalue().splitlines()) == 1
    assert "\x1b" not in book.stream.getvalue()


def test_a_bug_is_logged_with_its_traceback_and_without_values() -> None:
    book = listening(form=LogFormat.CONSOLE)

    def fails(key: str) -> None:
        raise RuntimeError("broken")

    try:
        fails(MARK)
    except RuntimeError as error:
        log.bug("in a test", error)
    shown = book.stream.getvalue()
    assert "RuntimeError: broken" in shown
    assert "internal error in a test" in shown
    assert MARK not in shown


def test_an_event_loop_error_is_logged() -> None:
    book = listening()
    log.loop_exception(None, {"message": "a task died", "exception": RuntimeError("broken")})
    log.loop_exception(None, {"message": "a callback was slow"})
    assert [line["event"] for line in book.lines()] == [
        "internal error (a task died)",
        "event loop: a callback was slow",
    ]


def test_the_same_trouble_is_a_warning_once() -> None:
    book = listening(level="info")
    for _ in range(3):
        log.trouble("192.0.2.7 speaks IKEv2")
    assert len(book.lines()) == 1


def test_a_full_disk_stops_no_tunnel() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    log.configure(LogFormat.JSON, "info", Full())
    log.started("1.0")


def test_a_path_changes_the_peer_of_later_lines() -> None:
    book = listening()
    record = negotiation(book)
    moved = Path(ALICE_TO_BOB.local, Endpoint(BOB, 4500))
    record.add(Heard("MM2", ("SA",), bytes(104), moved))
    assert book.lines()[0]["peer"] == "198.51.100.1:4500"
