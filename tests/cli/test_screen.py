"""The screen of `ikevd status` at 80 and at 140 columns."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from ikevd.cli.screen import ANY_WIDTH, screen, show

LOCAL, REMOTE = "2001:db8:1111:2222:3333:4444:5555:0/112", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:0/112"
SA = {
    "spi_in": "c0ffee01",
    "spi_out": "deadbeef",
    "local": "192.0.2.1",
    "remote": "198.51.100.1",
    "udp_encapsulation": None,
    "initiator": True,
    "suite": "aes256-sha256-modp2048",
    "age_seconds": 10,
    "expires_in_seconds": 3590,
    "lifetime_kilobytes": None,
    "bytes_in": 84,
    "packets_in": 1,
    "bytes_out": 123_456_789,
    "packets_out": 102_400,
    "replayed_in": 0,
    "forged_in": 0,
}
ISAKMP: dict[str, Any] = {
    "cookies": "91e816c608db1602:4bc78b933b1eb81e",
    "initiator": False,
    "exchange": "AGGRESSIVE",
    "cisco": {"ios": "QM_IDLE", "asa": "AM_ACTIVE"},
    "local_id": "192.0.2.1",
    "remote_id": "gw.example.net",
    "local": "192.0.2.1:4500",
    "remote": "198.51.100.1:4500",
    "suite": "aes256-sha256-modp2048",
    "age_seconds": 602,
    "expires_in_seconds": 85_798,
    "nat": {"method": "RFC 3947", "local": False, "remote": True},
    "peer_vendors": ["strongSwan", "XAUTH", "Dead Peer Detection", "Cisco Unity", "NAT-T RFC 3947", "NAT-T draft-03"],
}
FAILED = {
    "exchange": "MAIN_MODE",
    "initiator": True,
    "peer": "198.51.100.1:500",
    "outcome": "failed",
    "furthest": "MM5 sent",
    "cisco": {"ios": "MM_KEY_EXCH", "asa": "MM_WAIT_MSG6"},
    "cause": "no MM6",
    "started": 0.0,
    "last_event": 1.0,
}


def child(**changes: Any) -> dict[str, Any]:
    plain = {"name": "lan", "local": "10.1.0.0/24", "remote": "10.2.0.0/24", "state": "up", "sas": [SA]}
    return {**plain, "last_cause": None, "retry_in_seconds": None, **changes}


def connection(**changes: Any) -> dict[str, Any]:
    plain = {"name": "berlin", "local": "192.0.2.1", "remote": "198.51.100.1", "negotiating": False, "phase1": None}
    return {**plain, "isakmp": [ISAKMP], "children": [child()], **changes}


def drawn(width: int, *connections: dict[str, Any]) -> list[str]:
    """The lines below the daemon's own."""
    stream = io.StringIO()
    status = {"version": "1.2.3", "pid": 1, "uptime_seconds": 1.0, "listening": ["192.0.2.1:500"], "half_open": 0}
    show({**status, "connections": connections}, width, stream)
    return stream.getvalue().splitlines()[2:]


def test_blocks_of_80_columns() -> None:
    assert drawn(80, connection()) == [
        "berlin  192.0.2.1 ── 198.51.100.1",
        "  ISAKMP SA  up, Aggressive Mode as responder, Cisco QM_IDLE (ASA AM_ACTIVE)",
        "    peer:    198.51.100.1:4500, identity gw.example.net",
        "    suite:   aes256-sha256-modp2048, age 0:10:02, expires in 23:49:58",
        "    cookies: 91e816c608db1602:4bc78b933b1eb81e",
        "    NAT:     the peer is behind a NAT (RFC 3947)",
        "    vendors: strongSwan, XAUTH, Dead Peer Detection, Cisco Unity,",
        "             NAT-T RFC 3947, NAT-T draft-03",
        "  lan  UP  10.1.0.0/24 === 10.2.0.0/24",
        "    in  c0ffee01             1 packets                84 bytes",
        "    out deadbeef        102400 packets         123456789 bytes",
        "    aes256-sha256-modp2048, age 0:00:10, expires in 0:59:50",
    ]


def test_a_line_for_each_child_at_140_columns() -> None:
    waiting = child(name="dmz", local="10.1.9.0/24", state="retry", sas=[], last_cause="no QM2", retry_in_seconds=7.5)
    assert drawn(140, connection(children=[child(), waiting])) == [
        "berlin  192.0.2.1 ── 198.51.100.1",
        "  ISAKMP SA  up, Aggressive Mode as responder, Cisco QM_IDLE (ASA AM_ACTIVE), peer: 198.51.100.1:4500, "
        "identity gw.example.net,",
        "    suite: aes256-sha256-modp2048, age 0:10:02, expires in 23:49:58, "
        "cookies: 91e816c608db1602:4bc78b933b1eb81e,",
        "    NAT: the peer is behind a NAT (RFC 3947), vendors: strongSwan, XAUTH, Dead Peer Detection, Cisco Unity, "
        "NAT-T RFC 3947, NAT-T draft-03",
        "  child  state  local === remote             SPI in    pkts/bytes  SPI out   pkts/bytes  suite"
        "                   left",
        "  lan    up     10.1.0.0/24 === 10.2.0.0/24  c0ffee01  1/84        deadbeef  102k/123M   "
        "aes256-sha256-modp2048  59m50s",
        "  dmz    retry  10.1.9.0/24 === 10.2.0.0/24",
        "  dmz: last cause: no QM2 (next attempt in 7.5 s)",
    ]


def test_the_usual_child_has_its_line_at_120_columns() -> None:
    assert max(map(len, drawn(120, connection()))) <= 120
    assert any("lan    up " in line for line in drawn(120, connection()))


LONG = connection(
    name="a-connection-with-a-rather-long-name-for-a-screen",
    local="2001:db8:1111:2222:3333:4444:5555:6666",
    remote="2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff",
    isakmp=[{**ISAKMP, "remote": "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:4500", "remote_id": "x" * 50}],
    children=[
        child(
            name="lan[12]",
            local=LOCAL,
            remote=REMOTE,
            last_cause=f"the peer refuses {LOCAL}: INVALID_ID_INFORMATION",
            sas=[{**SA, "udp_encapsulation": {"local_port": 4500, "remote_port": 61234}}],
        )
    ],
)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_value_is_broken_by_the_end_of_a_line(width: int) -> None:
    lines = drawn(width, LONG)
    values = [LONG["name"], LONG["local"], LONG["remote"], f"[{LONG['remote']}]:4500", "x" * 50, LOCAL, REMOTE]
    values += ["c0ffee01", "deadbeef", ISAKMP["cookies"], "INVALID_ID_INFORMATION", "ports 4500 - 61234"]
    assert max(map(len, lines)) <= width
    for value in (*values, *ISAKMP["peer_vendors"]):
        assert any(value in line for line in lines)


def test_any_width_gives_each_child_one_line_whatever_it_holds() -> None:
    (line,) = [line for line in drawn(ANY_WIDTH, LONG) if "c0ffee01" in line]
    assert f"{LOCAL} === {REMOTE}" in line
    assert line.endswith("in UDP, peer 198.51.100.1")


def test_the_peer_of_each_pair_is_named_where_the_configuration_leaves_it_open() -> None:
    pairs = [SA, {**SA, "spi_in": "c0ffee02", "remote": "203.0.113.7"}]
    lines = drawn(140, connection(remote="any", children=[child(sas=pairs)]))
    assert [line.split("  ")[-1] for line in lines if "c0ffee0" in line] == ["peer 198.51.100.1", "peer 203.0.113.7"]


def test_a_failed_phase_1_shows_how_far_it_came() -> None:
    assert drawn(80, connection(isakmp=[], children=[], phase1=FAILED))[1:] == [
        "  no ISAKMP SA, the last attempt failed,",
        "    Main Mode as initiator with 198.51.100.1:500, MM5 sent,",
        "    Cisco MM_KEY_EXCH (ASA MM_WAIT_MSG6)",
    ]


def test_a_phase_1_under_way_shows_how_far_it_is() -> None:
    under_way = connection(isakmp=[], children=[], negotiating=True, phase1={**FAILED, "outcome": "negotiating"})
    assert drawn(80, under_way)[1].startswith("  negotiating, Main Mode as initiator")


def test_nothing_was_begun() -> None:
    assert drawn(80, connection(isakmp=[], children=[]))[1:] == ["  no ISAKMP SA"]


@pytest.mark.parametrize(
    ("nat", "words"),
    [
        (None, "traversal not spoken by both sides"),
        ({"method": "draft-02", "local": False, "remote": False}, "none between the peers (draft-02)"),
        ({"method": "RFC 3947", "local": True, "remote": False}, "this side is behind a NAT (RFC 3947)"),
        ({"method": "RFC 3947", "local": True, "remote": True}, "both sides are behind a NAT (RFC 3947)"),
    ],
)
def test_the_nat_situation_is_told_in_words(nat: dict[str, Any] | None, words: str) -> None:
    assert f"    NAT:     {words}" in drawn(80, connection(isakmp=[{**ISAKMP, "nat": nat}]))


@pytest.mark.parametrize("width", [80, 140])
def test_packets_that_were_refused_are_told_where_there_are_any(width: int) -> None:
    line = drawn(width, connection(children=[child(sas=[{**SA, "replayed_in": 3, "forged_in": 1_000_000}])]))[-1]
    assert line.strip().removeprefix("lan: ") == (
        "in c0ffee01: 3 packets repeated or too late, 1000000 with a wrong integrity check"
    )
    assert len(line) <= 80 + 10


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-3, "0m00s"), (59, "0m59s"), (3600, "1h00m"), (86_400, "1d00h"), (604_799, "6d23h")]
)
def test_the_time_left_is_short_in_a_table(seconds: int, shown: str) -> None:
    lines = drawn(140, connection(children=[child(sas=[{**SA, "expires_in_seconds": seconds}])]))
    assert lines[-1].endswith(f"  {shown}")


@pytest.mark.parametrize(
    ("count", "shown"), [(999, "999"), (1000, "1.0k"), (99_449, "99.4k"), (999_600, "1.0M"), (4_720_000_000, "4.7G")]
)
def test_counters_are_short_in_a_table(count: int, shown: str) -> None:
    lines = drawn(140, connection(children=[child(sas=[{**SA, "packets_in": 0, "bytes_in": count}])]))
    assert f" 0/{shown} " in lines[-1]


def test_states_are_coloured_on_a_terminal_and_the_text_is_the_same() -> None:
    status = {"version": "1", "pid": 1, "uptime_seconds": 1.0, "listening": [], "half_open": 0}
    view = {**status, "connections": [connection()]}
    terminal = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=ANY_WIDTH)
    with terminal.capture() as captured:
        for line in screen(view, 80):
            terminal.print(line, soft_wrap=True, highlight=False)
    assert "\x1b[32m UP \x1b[0m" in captured.get()


def test_a_peer_cannot_send_escape_sequences_to_the_terminal() -> None:
    evil = {**ISAKMP, "remote_id": "\x1b[2J", "peer_vendors": ["[bold]\x1b[2J"], "suite": "a\nb"}
    text = "\n".join(drawn(80, connection(isakmp=[evil], children=[child(last_cause="\x07\x1b]0;x")])))
    assert "\x1b" not in text
    assert "[bold]\\x1b[2J" in text
    assert "\\x07\\x1b]0;x" in text
