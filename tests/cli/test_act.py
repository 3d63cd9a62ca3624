"""`ikevd up` and `ikevd down`: progress, the outcome, the cause; against a small real server."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ikevd.cli.act import INTERRUPTED
from tests.cli.invoked import SECONDS, ikevd
from tests.control.standin import StandIn


def test_up_shows_progress_and_the_outcome(served: str) -> None:
    result = ikevd("up", "berlin", "--socket", served)
    assert result.exit_code == 0
    assert result.stdout == (
        "berlin  began 2023-11-14 22:13:20.000 UTC   ▶ from us, ◀ to us\n"
        "        0.0 ms  MM1   ──▶  SA                                          80 B\n"
        "        0.0 ms  MM2   ◀──  SA                                          80 B\n"
        "        0.0 ms  up    ISAKMP SA with evil \\x1b[2J\n"
        "berlin is up\n"
    )


def test_up_as_json_gives_a_line_for_each_fact_and_the_outcome_last(served: str) -> None:
    done, failed = ikevd("up", "berlin", "--json", "--socket", served), ikevd("up", "dmz", "--json", "--socket", served)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["fact", "fact", "fact", "end"]
    assert (done.exit_code, failed.exit_code, failed.stderr) == (0, 1, "")
    assert json.loads(failed.stdout.splitlines()[-1])["cause"] == "the peer refuses: INVALID_ID_INFORMATION"


def test_down_tells_that_it_is_done(served: str) -> None:
    assert ikevd("down", "berlin", "--socket", served).stdout == "berlin is down\n"


@pytest.mark.parametrize(
    ("words", "asked", "said"),
    [
        (["rekey", "berlin/lan"], ("rekey", "berlin/lan"), "berlin/lan is rekeyed"),
        (["rekey", "berlin/lan", "--ike"], ("rekey", "berlin/lan", "ike"), "berlin/lan is rekeyed"),
        (["reset", "berlin"], ("reset", "berlin"), "berlin is reset"),
    ],
)
def test_rekey_and_reset_tell_that_it_is_done(
    served: str, controller: StandIn, words: list[str], asked: tuple[str, ...], said: str
) -> None:
    result = ikevd(*words, "--socket", served)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, said)
    assert controller.asked == [asked]


def test_rekey_of_what_is_not_up_tells_the_cause(served: str) -> None:
    result = ikevd("rekey", "gone", "--socket", served)
    assert (result.exit_code, result.stderr) == (1, "gone is not up: `ikevd up gone` brings it up\n")


def test_reset_wants_a_connection(served: str) -> None:
    result = ikevd("reset", "lan[1]", "--socket", served)
    assert (result.exit_code, result.stderr) == (1, "no connection is named lan[1]; configured: berlin\n")


def test_down_of_all_tells_that_it_is_done(served: str) -> None:
    assert ikevd("down", "--all", "--open", "--socket", served).stdout == "all connections are down\n"


@pytest.mark.parametrize("words", [[], ["berlin", "--all"]], ids=["neither", "both"])
def test_down_wants_a_name_or_all(served: str, words: list[str]) -> None:
    result = ikevd("down", *words, "--socket", served)
    assert result.exit_code == 2
    assert "wanted either the NAME of a connection or child, or --all" in result.stderr


def test_a_failure_ends_with_its_cause_on_standard_error(served: str) -> None:
    result = ikevd("up", "dmz", "--socket", served)
    assert (result.exit_code, result.stderr) == (1, "the peer refuses: INVALID_ID_INFORMATION\n")


@pytest.mark.parametrize("name", ["dmz", "silent"])
def test_the_cause_stands_once(served: str, name: str) -> None:
    result = ikevd("up", name, "--timeout", "0.1", "--socket", served)
    assert (result.stdout + result.stderr).count("the peer refuses: INVALID") == (name == "dmz")
    assert (result.stdout + result.stderr).count("no answer") == (name == "silent")
    assert len(result.stderr.splitlines()) == 1


def test_a_timeout_ends_with_the_last_evidence(served: str) -> None:
    result = ikevd("up", "silent", "--timeout", "0.1", "--socket", served)
    assert result.exit_code == 1
    assert "MM5 sent 3 times, no answer" in result.stderr


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        ("up", "ikevd goes on with it: `ikevd down silent` ends it, `ikevd status` shows it\n"),
        ("down", "ikevd goes on with it: `ikevd up silent` brings it back, `ikevd status` shows it\n"),
    ],
)
def test_ctrl_c_ends_the_waiting_and_tells_that_the_daemon_goes_on(served: str, verb: str, told: str) -> None:
    code = "from ikevd.cli.main import main; main(prog_name='ikevd')"
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code, verb, "silent", "--json", "--socket", served],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout
        assert running.stderr
        assert "MM5" in running.stdout.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(SECONDS) == INTERRUPTED
        assert running.stderr.read() == told


def test_an_unknown_name_is_told(served: str) -> None:
    result = ikevd("up", "paris", "--socket", served)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "no connection or child is named paris; configured: berlin (lan, dmz)\n"


def test_a_daemon_that_ends_in_the_middle_is_a_failure(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        def die() -> None:
            accepted, _ = listening.accept()
            with accepted:
                accepted.recv(1000)
                accepted.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

        thread = threading.Thread(target=die)
        thread.start()
        result = ikevd("up", "berlin", "--socket", path)
        thread.join(SECONDS)
    assert (result.exit_code, result.stderr) == (1, "ikevd ended before it was done\n")
