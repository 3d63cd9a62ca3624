"""The screen of `ikevd status` at 80 and at 140 columns."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from ikevd.cli.screen import ANY_WIDTH, screen
from tests.cli.status_views import FAILED, HEAD, ISAKMP, LOCAL, REMOTE, SA, child, connection, drawn


def test_sockets_that_nobody_holds_though_somebody_should_are_told() -> None:
    holder = {"kind": "process", "pid": None, "problem": "their holder ended; another one is started"}
    lines = [line.plain for line in screen({**HEAD, "socket_holder": holder, "connections": []}, 80)]
    assert lines[1:] == ["the sockets would not outlive ikevd: their holder ended; another one is started"]


def test_blocks_of_80_columns() -> None:
    assert drawn(80, connection()) == [
        "berlin  192.0.2.1 ── 198.51.100.1",
        "  ISAKMP SA  up, Aggressive Mode as responder, Cisco QM_IDLE (ASA AM_ACTIVE)",
        "    peer:    198.51.100.1:4500, identity gw.example.net",
        "    suite:   aes256-sha256-modp2048, age 0:10:02, expires in 23:49:58,",
        "             renewal in 23:25:58",
        "    cookies: 91e816c608db1602:4bc78b933b1eb81e",
        "    life:    heard of 0:00:41 ago by IKE, 3 R-U-THERE unanswered",
        "    NAT:     the peer is behind a NAT (RFC 3947)",
        "    vendors: strongSwan, XAUTH, Dead Peer Detection, Cisco Unity,",
        "             NAT-T RFC 3947, NAT-T draft-03",
        "  lan  UP  10.1.0.0/24 === 10.2.0.0/24",
        "    last packet in: 0:00:04 ago",
        "    in  c0ffee01             1 packets                84 bytes",
        "    out deadbeef        102400 packets         123456789 bytes",
        "    aes256-sha256-modp2048, age 0:00:10, expires in 0:59:50, rekeying in 0:52:02",
    ]


def test_a_pair_that_was_replaced_is_called_so() -> None:
    left = child(sas=[{**SA, "replaced": True, "rekeys_in_seconds": None}, SA])
    assert [line.strip() for line in drawn(80, connection(children=[left])) if "age" in line][-2:] == [
        "aes256-sha256-modp2048, age 0:00:10, expires in 0:59:50, replaced",
        "aes256-sha256-modp2048, age 0:00:10, expires in 0:59:50, rekeying in 0:52:02",
    ]
    assert [line[-8:] for line in drawn(140, connection(children=[left])) if line.strip().startswith("lan")] == [
        "replaced",
        "  59m50s",
    ]


def test_a_line_for_each_child_at_140_columns() -> None:
    waiting = child(name="dmz", local="10.1.9.0/24", state="retry", sas=[], last_cause="no QM2", retry_in_seconds=7.5)
    assert drawn(140, connection(children=[child(), waiting])) == [
        "berlin  192.0.2.1 ── 198.51.100.1",
        "  ISAKMP SA  up, Aggressive Mode as responder, Cisco QM_IDLE (ASA AM_ACTIVE), peer: 198.51.100.1:4500, "
        "identity gw.example.net,",
        "    suite: aes256-sha256-modp2048, age 0:10:02, expires in 23:49:58, renewal in 23:25:58, "
        "cookies: 91e816c608db1602:4bc78b933b1eb81e,",
        "    life: heard of 0:00:41 ago by IKE, 3 R-U-THERE unanswered, NAT: the peer is behind a NAT (RFC 3947), "
        "vendors: strongSwan, XAUTH,",
        "    Dead Peer Detection, Cisco Unity, NAT-T RFC 3947, NAT-T draft-03",
        "  child  state  local === remote             SPI in    pkts/B  last  SPI out   pkts/B     suite"
        "                   left",
        "  lan    up     10.1.0.0/24 === 10.2.0.0/24  c0ffee01  1/84    4s    deadbeef  102k/123M  "
        "aes256-sha256-modp2048  59m50s",
        "  dmz    retry  10.1.9.0/24 === 10.2.0.0/24",
        "  dmz: last cause: no QM2 (next attempt in 7.5 s)",
    ]


@pytest.mark.parametrize(
    ("cause", "retry", "told"),
    [
        (None, None, "on demand, waiting for traffic"),
        ("deleted by the peer", None, "on demand, waiting for traffic; last cause: deleted by the peer"),
        ("no", 1.5, "on demand, waiting for traffic; last cause: no (next attempt no sooner than in 1.5 s)"),
    ],
)
def test_a_child_on_demand_says_what_it_waits_for(cause: str | None, retry: float | None, told: str) -> None:
    waiting = child(state="waiting", sas=[], last_cause=cause, retry_in_seconds=retry)
    assert drawn(100, connection(children=[waiting]))[-2:] == [
        "  lan  WAITING  10.1.0.0/24 === 10.2.0.0/24",
        f"    {told}",
    ]


def of_two_networks() -> dict[str, Any]:
    down = child(name="lan[2]", group="lan", remote="10.3.0.0/24", state="down", sas=[])
    return connection(isakmp=[], children=[child(name="lan[1]", group="lan"), down, child(name="dmz", sas=[])])


def test_the_children_of_several_networks_stand_under_their_name() -> None:
    lines = drawn(80, of_two_networks())
    assert [line for line in lines if "===" in line or " of " in line] == [
        "  lan  1 of 2 up",
        "  lan[1]  UP  10.1.0.0/24 === 10.2.0.0/24",
        "  lan[2]  DOWN  10.1.0.0/24 === 10.3.0.0/24",
        "  dmz  UP  10.1.0.0/24 === 10.2.0.0/24",
    ]


def test_the_children_of_several_networks_stand_under_their_name_in_a_table_too() -> None:
    lines = [line.partition("  c0ffee01")[0].rstrip() for line in drawn(140, of_two_networks())]
    assert [line for line in lines if line.startswith(("  lan", "  dmz"))] == [
        "  lan     1/2 up",
        "  lan[1]  up      10.1.0.0/24 === 10.2.0.0/24",
        "  lan[2]  down    10.1.0.0/24 === 10.3.0.0/24",
        "  dmz     up      10.1.0.0/24 === 10.2.0.0/24",
    ]


def test_one_child_of_several_networks_that_is_asked_for_stands_alone() -> None:
    lines = drawn(80, connection(isakmp=[], children=[child(name="lan[2]", group="lan")]))
    assert lines[2] == "  lan[2]  UP  10.1.0.0/24 === 10.2.0.0/24"


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
            sas=[
                {
                    **SA,
                    "local_selector": LOCAL,
                    "remote_selector": REMOTE,
                    "udp_encapsulation": {"local_port": 4500, "remote_port": 61234},
                }
            ],
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


def test_a_pair_that_compresses_is_shown_with_its_cpis() -> None:
    compressed = connection(children=[child(sas=[{**SA, "ipcomp": {"cpi_in": "d001", "cpi_out": "4242"}}])])
    assert any("compressed, CPI in d001, out 4242" in line for line in drawn(80, compressed))
    (line,) = [line for line in drawn(ANY_WIDTH, compressed) if "c0ffee01" in line]
    assert line.endswith("compressed")


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
        (
            {"method": "draft-02", "local": False, "remote": False, "forced": False, "tried": False},
            "none between the peers (draft-02)",
        ),
        (
            {"method": "RFC 3947", "local": True, "remote": False, "forced": False, "tried": False},
            "this side is behind a NAT (RFC 3947)",
        ),
        (
            {"method": "RFC 3947", "local": True, "remote": True, "forced": False, "tried": False},
            "both sides are behind a NAT (RFC 3947)",
        ),
    ],
)
def test_the_nat_situation_is_told_in_words(nat: dict[str, Any] | None, words: str) -> None:
    assert f"    NAT:     {words}" in drawn(80, connection(isakmp=[{**ISAKMP, "nat": nat}]))


def test_forced_encapsulation_is_not_called_a_nat() -> None:
    forced = {"method": "RFC 3947", "local": False, "remote": False, "forced": True, "tried": False}
    text = " ".join(" ".join(drawn(80, connection(isakmp=[{**ISAKMP, "nat": forced}]))).split())
    assert "NAT: none between the peers (RFC 3947), ESP in UDP as `encap: force` wants it" in text


def test_esp_in_udp_since_esp_is_blocked_is_told_as_such() -> None:
    nat = {"method": "RFC 3947", "local": False, "remote": False, "forced": False, "tried": True}
    found: dict[str, Any] = {
        "state": "helped",
        "found": "packets come back in UDP",
        "finding": {},
        "again_in_seconds": None,
    }
    text = " ".join(" ".join(drawn(80, connection(isakmp=[{**ISAKMP, "nat": nat}], one_way=found))).split())
    assert "ESP in UDP since it seems blocked alone" in text
    assert "packets come back in UDP" in text


@pytest.mark.parametrize(
    ("up", "problem", "told"),
    [
        (True, None, "interface berlin0 (xfrm, if_id 0x2a): up"),
        (False, None, "interface berlin0 (xfrm, if_id 0x2a): down until a tunnel stands"),
        (True, "that if_id is taken", "interface berlin0 (xfrm, if_id 0x2a): that if_id is taken"),
    ],
)
def test_an_interface_tells_whether_it_is_up_or_why_it_does_not_stand(up: bool, problem: str | None, told: str) -> None:
    view = {"name": "berlin0", "kind": "xfrm", "if_id": 42, "namespace": None, "up": up, "problem": problem}
    assert f"  {told}" in drawn(80, connection(interface=view))


def test_an_interface_in_another_network_namespace_says_in_which() -> None:
    view = {"name": "berlin0", "kind": "xfrm", "if_id": 42, "namespace": "red", "up": True, "problem": None}
    assert "  interface berlin0 in red (xfrm, if_id 0x2a): up" in drawn(80, connection(interface=view))


def test_a_route_that_cannot_be_set_is_told_beside_its_connection() -> None:
    problem = "cannot set the route to 10.2.0.0/24 (table 254, metric 0): somebody else's has that metric"
    assert problem in " ".join(" ".join(drawn(80, connection(route_problem=problem))).split())


@pytest.mark.parametrize("width", [60, 80, 140])
def test_a_child_that_sends_but_receives_nothing_says_so_in_red(width: int) -> None:
    view = connection(children=[child(last_in_seconds=None, one_way_seconds=300)])
    lines = list(screen({**HEAD, "connections": [view]}, width))
    (line,) = [line for line in lines if "receives nothing" in line.plain]
    assert line.plain.strip().removeprefix("lan: ") == "sends but receives nothing for 0:05:00"
    assert [str(span.style) for span in line.spans] == ["red"]


def test_a_child_that_has_received_nothing_yet_says_so() -> None:
    unused = child(last_in_seconds=None, sas=[{**SA, "packets_in": 0, "bytes_in": 0}])
    assert "    last packet in: none yet" in drawn(80, connection(children=[unused]))
    assert " - " in drawn(140, connection(children=[unused]))[-1]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(59, "59s"), (60, "1m"), (3599, "59m"), (86_399, "23h"), (200_000, "2d")]
)
def test_the_age_of_the_last_packet_is_short_in_a_table(seconds: int, shown: str) -> None:
    assert f" {shown} " in drawn(140, connection(children=[child(last_in_seconds=seconds)]))[-1]


@pytest.mark.parametrize("width", [60, 140])
@pytest.mark.parametrize(("cause", "colour"), [(None, "dim"), ("the peer refuses", "red")], ids=["never", "failed"])
def test_a_child_that_was_never_started_is_not_red(width: int, cause: str | None, colour: str) -> None:
    view = connection(children=[child(state="down", sas=[], last_cause=cause)])
    lines = [line for line in screen({**HEAD, "connections": [view]}, width) if "down" in line.plain.lower()]
    assert colour in [str(span.style) for line in lines for span in line.spans]
    assert "red" not in [str(span.style) for line in lines for span in line.spans] or cause


REFUSED = {
    "at": 1_700_000_000.0,
    "times": 3,
    "exchange": "MAIN_MODE",
    "peer": "203.0.113.9:500",
    "connection": None,
    "child": None,
    "cause": "no connection has this address as its remote",
}


def test_what_peers_began_in_vain_is_told_with_when_from_where_and_why() -> None:
    mine = {**REFUSED, "times": 1, "exchange": "QUICK_MODE", "connection": "berlin", "child": "lan", "cause": "x " * 50}
    lines = [line.plain for line in screen({**HEAD, "connections": [], "refused": [REFUSED, mine]}, 80)]
    assert lines[1:] == [
        "",
        "came to nothing of late, begun by peers:",
        "  2023-11-14 22:13:20.000 UTC, 3 times, 203.0.113.9:500, Main Mode,",
        "    no connection",
        "    no connection has this address as its remote",
        "  2023-11-14 22:13:20.000 UTC, 203.0.113.9:500, Quick Mode, berlin/lan",
        "    " + " ".join(["x"] * 38),
        "    " + " ".join(["x"] * 12),
    ]


def test_the_configured_proposals_are_shown_where_they_are_asked_for() -> None:
    assert drawn(80, connection(), config=True)[-2:] == [
        "  configured: phase 1  aes256-sha256-modp2048, aes128-sha1-modp1024",
        "  configured: lan  aes256-sha256-modp2048, pfs required",
    ]
    assert "configured" not in "".join(drawn(80, connection()))


@pytest.mark.parametrize("width", [80, 140])
def test_packets_that_were_refused_are_told_where_there_are_any(width: int) -> None:
    lines = drawn(width, connection(children=[child(sas=[{**SA, "replayed_in": 3, "forged_in": 1_000_000}])]))
    assert " ".join(" ".join(lines).split()).endswith(
        "in c0ffee01: 3 packets repeated or too late, 1000000 with a wrong integrity check"
    )


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
    view = {**HEAD, "connections": [connection()]}
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


@pytest.mark.parametrize("width", [80, 140])
def test_what_each_peer_has_of_a_template_is_named(width: int) -> None:
    sas = [{**SA, "remote_selector": f"10.3.{n}.0/24"} for n in (1, 2)]
    text = "\n".join(drawn(width, connection(remote="any", children=[child(remote="within 10.3.0.0/16", sas=sas)])))
    assert "10.3.1.0/24" in text
    assert "10.3.2.0/24" in text
