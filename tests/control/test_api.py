"""The API over a real unix socket: the real client against the real server."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
from typing import Any

import pytest

from ikevd import __version__
from ikevd.control import command, server
from ikevd.control.client import Client, ControlError
from ikevd.dissect.frames import datagrams
from ikevd.dissect.pcap import frames
from ikevd.errors import KernelRefused
from tests.control.standin import CAPTURED, DECODED, KEY, RECORD, STATUS, Daemon
from tests.eventually import eventually_async


async def raw(daemon: Daemon, request: str) -> tuple[int, Any]:
    """Status and JSON of one request as octets."""
    reader, writer = await asyncio.open_unix_connection(str(daemon.path))
    writer.write(f"{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


# -- looking ------------------------------------------------------------------------------------------------------


async def test_version_is_told(daemon: Daemon) -> None:
    assert await daemon.ask(Client.version) == {"schema": 1, "version": __version__}


async def test_status_arrives_as_it_was_given(daemon: Daemon) -> None:
    assert await daemon.ask(Client.status) == STATUS


async def test_trace_gives_records(daemon: Daemon) -> None:
    assert await daemon.ask(Client.trace) == [RECORD]


async def test_trace_passes_its_filters_on(daemon: Daemon) -> None:
    await daemon.ask(lambda client: client.trace(spi="c0ff", connection="a b/ü", peer="2001:db8::1", last=7))
    assert daemon.controller.filters == ("c0ff", "a b/ü", "2001:db8::1", 7)


async def test_trace_gives_trees_where_they_are_wanted(daemon: Daemon) -> None:
    assert await daemon.ask(lambda client: client.trace(decode=True)) == [DECODED]


async def test_capture_gives_a_pcap_file(daemon: Daemon) -> None:
    octets = await daemon.ask(lambda client: client.capture(spi="c0ff", connection="lan", peer="2001:db8::1", last=7))
    assert list(datagrams(frames(octets))) == [CAPTURED]
    assert daemon.controller.filters == ("c0ff", "lan", "2001:db8::1", 7)


async def test_keys_are_given_out_and_who_took_them_is_logged(daemon: Daemon, logged: io.StringIO) -> None:
    assert await daemon.ask(Client.keys) == [KEY]
    (line,) = logged.getvalue().splitlines()
    assert json.loads(line)["request"] == "GET /v1/keys"
    assert KEY not in line


async def test_keys_that_the_configuration_withholds_are_refused_with_the_setting(daemon: Daemon) -> None:
    status, answer = await raw(daemon, "GET /v1/keys?connection=munich")
    assert (status, answer["error"][-34:]) == (403, "tion has control.export_keys: true")


async def test_status_passes_its_filters_on(daemon: Daemon) -> None:
    named = await daemon.ask(lambda client: client.status(name="munich"))
    peered = await daemon.ask(lambda client: client.status(peer="198.51.100.1"))
    assert [c["name"] for c in named["connections"]] == ["munich"]
    assert [c["name"] for c in peered["connections"]] == ["berlin"]


async def test_status_of_an_unknown_name_or_of_no_address_is_refused(daemon: Daemon) -> None:
    assert (await raw(daemon, "GET /v1/status?name=paris"))[0] == 404
    status, answer = await raw(daemon, "GET /v1/status?peer=berlin")
    assert (status, answer["error"].partition(":")[0]) == (400, "peer is 'berlin', wanted an IP address")


async def test_names_are_told_without_asking_the_kernel(daemon: Daemon) -> None:
    daemon.controller.stalled = True
    assert await daemon.ask(Client.names) == {
        "berlin": {"lan": [], "dmz": []},
        "munich": {"halls": ["halls[1]", "halls[2]"]},
    }


async def test_a_bug_in_a_look_up_is_logged_and_shows_nothing_of_itself(daemon: Daemon, logged: io.StringIO) -> None:
    daemon.controller.trouble = RuntimeError("status is broken")
    assert await raw(daemon, "GET /v1/status") == (500, {"error": "internal error; see the log of ikevd"})
    assert "RuntimeError: status is broken" in logged.getvalue()


async def test_a_kernel_that_refuses_a_look_up_is_told_in_words(daemon: Daemon) -> None:
    daemon.controller.trouble = KernelRefused("the kernel refuses: ENOBUFS", 105)
    with pytest.raises(ControlError, match="the kernel refuses: ENOBUFS"):
        await daemon.ask(Client.status)


async def test_a_look_up_that_takes_too_long_ends(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LOOK_UP_SECONDS", 0.05)
    daemon.controller.stalled = True
    with pytest.raises(ControlError, match=r"/v1/status took longer than 0.05 s"):
        await daemon.ask(Client.status)
    assert daemon.controller.waiting == 0


# -- up and down --------------------------------------------------------------------------------------------------


async def test_up_tells_facts_as_they_happen_and_the_outcome_last(daemon: Daemon) -> None:
    lines = await daemon.ask(lambda client: list(client.up("berlin", 5)))
    assert [line.get("fact") for line in lines] == ["sent", "heard", "established", None]
    assert [line["event"] for line in lines] == ["fact"] * 3 + ["end"]
    assert lines[-1] == {"schema": 1, "event": "end", "ok": True, "cause": None}


async def test_a_fact_arrives_before_the_end(daemon: Daemon) -> None:
    first = await daemon.ask(lambda client: next(iter(client.up("silent", 5))))
    assert (first["fact"], first["label"]) == ("sent", "MM5")


@pytest.mark.parametrize("name", ["lan[1]", "berlin/lan"])
async def test_names_with_odd_characters_arrive_whole(daemon: Daemon, name: str) -> None:
    await daemon.ask(lambda client: list(client.up(name, 5)))
    assert daemon.controller.asked == [("up", name)]


async def test_a_failure_is_told_with_its_cause(daemon: Daemon) -> None:
    lines = await daemon.ask(lambda client: list(client.up("dmz", 5)))
    assert lines[-1] == {
        "schema": 1,
        "event": "end",
        "ok": False,
        "cause": "the peer refuses: INVALID_ID_INFORMATION",
        "error": "PeerRefused",
    }


async def test_the_time_limit_ends_with_the_last_evidence(daemon: Daemon) -> None:
    lines = await daemon.ask(lambda client: list(client.up("silent", 0.05)))
    assert lines[-1]["cause"] == (
        "not done within 0.05 s: MM5 sent 3 times, no answer; the peer says, unauthenticated: AUTHENTICATION_FAILED; "
        "the daemon goes on (see ikevd status)"
    )
    assert daemon.controller.waiting == 0


async def test_the_time_limit_says_so_where_nothing_was_sent(daemon: Daemon) -> None:
    lines = await daemon.ask(lambda client: list(client.up("mute", 0.05)))
    assert "no message was sent" in lines[-1]["cause"]


async def test_an_unknown_name_is_404_before_anything_is_done(daemon: Daemon) -> None:
    status, answer = await raw(daemon, "POST /v1/up/paris")
    assert status == 404
    assert answer == {"error": "no connection or child is named paris; configured: berlin (lan, dmz)"}
    assert not daemon.controller.asked


async def test_the_client_raises_for_an_unknown_name(daemon: Daemon) -> None:
    with pytest.raises(ControlError, match="no connection or child is named paris"):
        await daemon.ask(lambda client: list(client.down("paris", 5)))


async def test_a_bug_in_a_command_is_logged_and_ends_it_in_words(daemon: Daemon, logged: io.StringIO) -> None:
    lines = await daemon.ask(lambda client: list(client.up("broken", 5)))
    assert lines[-1]["cause"] == "internal error of ikevd; its log holds the details"
    assert "RuntimeError: up is broken" in logged.getvalue()


async def test_a_flood_of_facts_is_cut_and_the_outcome_still_comes(daemon: Daemon) -> None:
    lines = await daemon.ask(lambda client: list(client.up("flood", 5)))
    assert len(lines) == command.MAX_WAITING + 1
    assert lines[-1]["ok"]


async def test_a_client_that_goes_away_ends_the_waiting(daemon: Daemon) -> None:
    _, writer = await asyncio.open_unix_connection(str(daemon.path))
    writer.write(b"POST /v1/up/silent HTTP/1.1\r\nHost: x\r\n\r\n")
    await eventually_async(lambda: daemon.controller.waiting == 1)
    writer.close()
    await writer.wait_closed()
    await eventually_async(lambda: daemon.controller.waiting == 0)


async def test_down_waits_for_the_end(daemon: Daemon) -> None:
    assert await daemon.ask(lambda client: list(client.down("berlin", 5))) == [
        {"schema": 1, "event": "end", "ok": True, "cause": None}
    ]
    assert daemon.controller.asked == [("down", "berlin")]


async def test_down_without_a_name_is_for_all_connections(daemon: Daemon) -> None:
    (line,) = await daemon.ask(lambda client: list(client.down(None, 5)))
    assert line["ok"]
    assert daemon.controller.asked == [("down", None)]


async def test_down_may_leave_the_traffic_in_the_clear(daemon: Daemon) -> None:
    await daemon.ask(lambda client: list(client.down("berlin", 5, in_clear=True)))
    await daemon.ask(lambda client: list(client.down(None, 5, in_clear=True)))
    assert daemon.controller.asked == [("down", "berlin", "in clear"), ("down", None, "in clear")]


async def test_down_tells_why_it_failed(daemon: Daemon) -> None:
    (line,) = await daemon.ask(lambda client: list(client.down("gone", 5)))
    assert (line["ok"], line["cause"]) == (False, "the kernel keeps it")


async def test_the_log_tells_who_commanded(daemon: Daemon, logged: io.StringIO) -> None:
    await daemon.ask(lambda client: list(client.up("berlin", 5)))
    (line,) = map(json.loads, logged.getvalue().splitlines())
    assert (line["request"], line["pid"], line["uid"]) == ("POST /v1/up/berlin", os.getpid(), os.geteuid())


SECONDS = "wanted a number of seconds above 0 and up to 3600"

# -- wrong use ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("look", ["trace", "capture", "keys"])
async def test_a_connection_that_is_not_configured_is_told_apart_from_one_without_record(
    daemon: Daemon, look: str
) -> None:
    status, answer = await raw(daemon, f"GET /v1/{look}?connection=paris")
    assert (status, answer) == (404, {"error": "no connection or child is named paris; configured: berlin (lan, dmz)"})


@pytest.mark.parametrize(
    ("request_line", "status", "sentence"),
    [
        ("GET /v2/status", 404, "Not Found: GET /v2/status"),
        ("POST /v1/status", 405, "Method Not Allowed: POST /v1/status"),
        ("GET /v1/up/lan", 405, "Method Not Allowed: GET /v1/up/lan"),
        ("GET /v1/trace?last=0", 400, "last is '0', wanted a whole number from 1 to 2000: GET /v1/trace"),
        ("GET /v1/trace?last=0.5", 400, "last is '0.5', wanted a whole number from 1 to 2000: GET /v1/trace"),
        ("GET /v1/trace?last=-1", 400, "last is '-1', wanted a whole number from 1 to 2000: GET /v1/trace"),
        ("GET /v1/trace?last=1_0", 400, "last is '1_0', wanted a whole number from 1 to 2000: GET /v1/trace"),
        ("GET /v1/trace?last=", 400, "last is '', wanted a whole number from 1 to 2000: GET /v1/trace"),
        ("GET /v1/capture?last=2001", 400, "last is '2001', wanted a whole number from 1 to 2000: GET /v1/capture"),
        ("GET /v1/trace?decode=1&last=201", 400, "last is '201', wanted a whole number from 1 to 200: GET /v1/trace"),
        ("GET /v1/trace?last=%0a", 400, r"last is '\n', wanted a whole number from 1 to 2000: GET /v1/trace"),
        ("GET /v1/trace?last=1&last=2", 400, "last is given twice: GET /v1/trace"),
        ("GET /v1/trace?decode=no", 400, "decode is 'no', wanted 1 or 0: GET /v1/trace"),
        ("GET /v1/trace?spi=berlin", 400, "spi is 'berlin', wanted hex digits: GET /v1/trace"),
        ("GET /v1/keys?spi=", 400, "spi is '', wanted hex digits: GET /v1/keys"),
        ("GET /v1/capture?peer=192.0.2.256", 400, "peer is '192.0.2.256', wanted an IP address: GET /v1/capture"),
        ("GET /v1/status?peer=", 400, "peer is '', wanted an IP address: GET /v1/status"),
        ("GET /v1/status?name=", 400, "name is empty, wanted the name of a connection or child: GET /v1/status"),
        ("GET /v1/status?nane=lan", 400, "there is no parameter 'nane'; wanted name, peer: GET /v1/status"),
        ("GET /v1/version?a=b", 400, "there is no parameter 'a'; none is wanted here: GET /v1/version"),
        ("GET /v1/names?a=b", 400, "there is no parameter 'a'; none is wanted here: GET /v1/names"),
        *[
            (f"POST /v1/up/dmz?timeout={value}", 400, f"timeout is '{value}', {SECONDS}: POST /v1/up/dmz")
            for value in ("nan", "inf", "-1", "0", "1e3", "3601", "")
        ],
    ],
)
async def test_a_wrong_request_is_answered_with_a_sentence(
    daemon: Daemon, request_line: str, status: int, sentence: str
) -> None:
    assert await raw(daemon, request_line) == (status, {"error": sentence})


async def test_what_is_not_http_is_one_line_of_the_log(daemon: Daemon, logged: io.StringIO) -> None:
    for _ in range(3):
        reader, writer = await asyncio.open_unix_connection(str(daemon.path))
        writer.write(b"GET / HTTP/9.9\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.0 400 ")
        writer.close()
        await writer.wait_closed()
    (line,) = map(json.loads, logged.getvalue().splitlines())
    assert line["text"] == "control: a request that is not HTTP was refused"


async def test_what_is_not_http_does_no_harm(daemon: Daemon) -> None:
    with socket.socket(socket.AF_UNIX) as rubbish:
        rubbish.connect(str(daemon.path))
        rubbish.sendall(b"\x00" * 20000)
        assert await daemon.ask(Client.version) == {"schema": 1, "version": __version__}


async def test_the_client_names_an_answer_that_is_not_the_daemons(daemon: Daemon) -> None:
    other = daemon.path.with_name("other.sock")

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n???")
        writer.close()

    serving = await asyncio.start_unix_server(babble, str(other))
    with pytest.raises(ControlError, match="the connection to ikevd broke off"):
        await asyncio.to_thread(Client(other).status)
    serving.close()


async def test_the_client_names_a_daemon_that_ends_in_the_middle(daemon: Daemon) -> None:
    other = daemon.path.with_name("other.sock")

    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n{"event": "fact"}\n\n\n\r\n5\r\n{"e')
        writer.close()

    serving = await asyncio.start_unix_server(die, str(other))
    with pytest.raises(ControlError, match="the connection to ikevd broke off"):
        await asyncio.to_thread(lambda: list(Client(other).up("lan", 5)))
    serving.close()
