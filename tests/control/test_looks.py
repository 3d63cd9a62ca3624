"""Looks at much evidence: how much one answer may hold, and how it is sent."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator

import pytest

from ikevd.addresses import Endpoint
from ikevd.control.client import Client, ControlError
from ikevd.control.controller import MAX_DECODED_OCTETS, EngineController
from ikevd.control.interface import TooMuch
from ikevd.control.server import LAST
from ikevd.dissect.frames import datagrams
from ikevd.dissect.pcap import frames
from ikevd.facts import Heard
from ikevd.observe.budget import RECORD_OCTETS
from ikevd.observe.views import View
from ikevd.sa.model import Cookies
from ikevd.wire.message import Header
from ikevd.wire.registry import ExchangeType, Flags, PayloadType
from tests.builders import ALICE_TO_BOB, BOB
from tests.control.controlled import pair, traced
from tests.control.standin import RECORD, Daemon
from tests.virtual_time import run

COOKIES = Cookies(b"initiato", b"responde")
LONG = 60_000
HEAD = Header(*(COOKIES.initiator, COOKIES.responder), PayloadType(200), ExchangeType.INFORMATIONAL, Flags.NONE, 7)
MESSAGE = HEAD.encode(LONG) + bytes([0, 0, *LONG.to_bytes(2, "big")]) + bytes(LONG - 4)


def full(records: int) -> EngineController:
    """So many negotiations of one long message each, sixteen of a connection."""
    alice, _, controller = pair()
    for number in range(records):
        record = alice.history.open(
            ExchangeType.INFORMATIONAL,
            COOKIES,
            number,
            Endpoint(BOB, 500),
            initiator=False,
            connection=f"site {number // 16}",
        )
        record.add(Heard("INFO", ("PAYLOADTYPE_200",), MESSAGE, ALICE_TO_BOB))
        record.pack()
    return controller


# -- how much


def test_as_many_records_as_are_shown_unasked_are_always_shown() -> None:
    assert LAST * RECORD_OCTETS <= MAX_DECODED_OCTETS

    async def story() -> None:
        assert len(await traced(full(200), last=LAST, decode=True)) == LAST

    run(story())


def test_what_would_be_too_long_an_answer_is_refused_with_the_number_that_is_not() -> None:
    async def story() -> None:
        controller = full(200)
        with pytest.raises(TooMuch, match=r"the newest 35 negotiations .* than 2 MB of evidence; ask for 34 with"):
            await traced(controller, last=200, decode=True)
        assert len(await traced(controller, last=34, decode=True)) == 34
        assert len(await traced(controller, last=200)) == 200, "without trees there is room for more"
        assert len(await traced(controller, None, "site 3", last=200, decode=True)) == 16

    run(story())


def test_a_capture_of_many_long_messages_has_them_in_their_order() -> None:
    async def story() -> None:
        controller = full(100)
        octets = b"".join(await controller.capture(None, None, None, 60))
        found = list(datagrams(frames(octets)))
        assert [datagram.payload for datagram in found] == [MESSAGE] * 60
        assert [datagram.time for datagram in found] == sorted(datagram.time for datagram in found)

    run(story())


# -- how it is sent


async def test_a_long_answer_arrives_whole(daemon: Daemon) -> None:
    daemon.controller.records = lambda: ({**RECORD, "number": number, "peer": "x" * 5000} for number in range(500))
    records = await daemon.ask(Client.trace)
    assert [record["number"] for record in records] == list(range(500))


async def test_an_answer_that_cannot_be_completed_breaks_off_and_is_logged(daemon: Daemon, logged: io.StringIO) -> None:
    def broken() -> Iterator[View]:
        yield from ({**RECORD, "peer": "x" * 5000} for _ in range(50))
        raise RuntimeError("a view is broken")

    daemon.controller.records = broken
    with pytest.raises(ControlError, match="broke off"):
        await daemon.ask(Client.trace)
    assert "RuntimeError: a view is broken" in logged.getvalue()
    assert (await daemon.ask(Client.version))["schema"] == 1, "the next request is answered"


async def test_a_client_that_goes_away_in_the_middle_of_an_answer_harms_nobody(
    daemon: Daemon, logged: io.StringIO
) -> None:
    daemon.controller.records = lambda: ({**RECORD, "peer": "x" * 50_000} for _ in range(500))

    reader, writer = await asyncio.open_unix_connection(daemon.path)
    writer.write(b"GET /v1/trace HTTP/1.1\r\nHost: ikevd\r\n\r\n")
    await reader.readexactly(1000)
    writer.transport.abort()
    assert len(await daemon.ask(Client.trace)) == 500
    assert logged.getvalue() == ""
