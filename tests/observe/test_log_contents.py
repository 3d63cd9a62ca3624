"""What a line of the log never holds, and a log that cannot be written."""

from __future__ import annotations

import errno
import io
from dataclasses import dataclass
from pathlib import PurePath

import pytest
import structlog

from ikevd.crypto.secret import Secret
from ikevd.errors import Said
from ikevd.facts import Established, Note
from ikevd.observe import log
from ikevd.policy.settings import LogFormat
from tests.builders import ALICE
from tests.observe.book import listening
from tests.plugins.secrets import MARK, shows_secret

# -- what never reaches a line ------------------------------------------------------------------------------------


@dataclass
class Holder:
    """Hides octets two levels down."""

    octets: bytes


@pytest.mark.parametrize("style", list(LogFormat), ids=str)
def test_octets_and_secrets_never_reach_a_line(style: LogFormat) -> None:
    book = listening(style=style)
    octets = MARK.encode()
    structlog.get_logger().error(
        "odd",
        plain=octets,
        secret=Secret(octets),
        listed=[Secret(octets), bytearray(octets), (memoryview(octets),)],
        named={"key": {"deeper": octets}},
        held=Holder(octets),
        some={octets},
    )
    assert not shows_secret(book.stream.getvalue())


def test_words_numbers_and_paths_stay_as_they_are() -> None:
    book = listening()
    structlog.get_logger().info("odd", path=PurePath("/run/x"), address=ALICE, some=[1, None, True], more={"a": 1.5})
    (line,) = book.lines()
    assert (line["path"], line["address"], line["some"], line["more"]) == (
        "/run/x",
        "192.0.2.1",
        [1, None, True],
        {"a": 1.5},
    )


@pytest.mark.parametrize("style", list(LogFormat), ids=str)
def test_what_a_peer_says_stays_on_its_line_and_moves_no_cursor(style: LogFormat) -> None:
    book = listening(style=style)
    book.negotiation().add(Note(Said("evil\n2026-01-01 [info] forged \x1b[2J \u202e")))
    shown = book.stream.getvalue()
    assert len(shown.splitlines()) == 1
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def broken(key: str) -> None:
    raise RuntimeError(f"broken \x1b[2J after {len(key)} letters")


@pytest.mark.parametrize("style", list(LogFormat), ids=str)
def test_a_bug_is_logged_with_its_traceback_and_without_values(style: LogFormat) -> None:
    book = listening(style=style)
    with pytest.raises(RuntimeError) as caught:
        broken(MARK)
    log.internal_error("in a test", caught.value)
    shown = book.stream.getvalue()
    assert "RuntimeError: broken" in shown
    assert "in a test" in shown
    assert "\x1b" not in shown
    assert not shows_secret(shown)


def test_a_bug_at_every_datagram_does_not_fill_the_log() -> None:
    book = listening(level="info")
    for number in range(100):
        with pytest.raises(RuntimeError) as caught:
            broken(MARK)
        log.internal_error(f"at a datagram from {number}", caught.value)
    assert len(book.lines()) == 1


# -- a log that cannot be written ---------------------------------------------------------------------------------


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_hurts_no_negotiation() -> None:
    book = listening(stream=Full())
    record = book.negotiation()
    record.add(Established(Said("ISAKMP SA")))
    log.started("1.0", (), 1)
    assert len(record.entries) == 1


def test_a_closed_stream_hurts_no_negotiation() -> None:
    book = listening()
    book.stream.close()
    book.negotiation().add(Established(Said("ISAKMP SA")))
