"""The screen of `ikevd status`: blocks for 80 columns, one line for each child where it fits.

A line breaks between values, never inside of one; a value that is longer than the line stands alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from ikevd.cli.children import blocks, one_way, refused_packets, table_of, trouble, updown
from ikevd.cli.values import clock, expiry, flowed, renewal
from ikevd.dissect.brief import EXCHANGE_NAMES
from ikevd.observe.ladder import moment
from ikevd.text import printable

View = dict[str, Any]

WIDE = 120
"""Columns from which on children stand in a table."""
ANY_WIDTH = 10_000


def show(status: View, width: int, stream: TextIO | None = None, *, config: bool = False) -> None:
    """Print it, with `config` also what is configured; colours only on a terminal."""
    console = Console(file=stream or sys.stdout, width=ANY_WIDTH, highlight=False, markup=False, emoji=False)
    for line in screen(status, width, config=config):
        console.print(line, soft_wrap=True)


def screen(status: View, width: int, *, config: bool = False) -> Iterator[Text]:
    """The lines of the screen."""
    uptime = f"up {clock(round(status['uptime_seconds']))}"
    listening = [address if number else f"listening on {address}" for number, address in enumerate(status["listening"])]
    head = [f"ikevd {status['version']}", f"pid {status['pid']}", uptime, *listening]
    yield from flowed(head, width, rest="  ")
    if problem := status["socket_holder"]["problem"]:
        told = f"the sockets would not outlive ikevd: {problem}"
        yield from flowed(told.split(" "), width, rest="  ", separator=" ")
    if status["half_open"]:
        yield Text(f"{status['half_open']} negotiations whose peer is not authenticated yet")
    for connection in status["connections"]:
        yield Text()
        yield from _connection(connection, width)
        if config:
            yield from _configured(connection, width)
    if status["refused"]:
        yield Text()
        yield Text("came to nothing of late, begun by peers:", style="bold")
    for refused in status["refused"]:
        yield from _refused_attempt(refused, width)


def _refused_attempt(refused: View, width: int) -> Iterator[Text]:
    """When, from where, what for and why."""
    owner = "/".join(name for name in (refused["connection"], refused["child"]) if name) or "no connection"
    times = [f"{refused['times']} times"] if refused["times"] > 1 else []
    name = EXCHANGE_NAMES.get(refused["exchange"], str(refused["exchange"]))
    yield from flowed([moment(refused["at"]), *times, refused["peer"], name, owner], width, first="  ", rest="    ")
    yield from flowed(refused["cause"].split(" "), width, first="    ", rest="    ", separator=" ")


def _connection(connection: View, width: int) -> Iterator[Text]:
    ends = [f"{connection['name']} ", f"{connection['local']} ──", connection["remote"]]
    for number, line in enumerate(flowed(ends, width, rest="  ", separator=" ")):
        line.stylize("bold", 0, len(printable(connection["name"])) if not number else 0)
        yield line
    for isakmp in connection["isakmp"]:
        yield from _isakmp(isakmp, width)
    if connection["negotiating"] or not connection["isakmp"]:
        yield from flowed(_phase1(connection), width, first="  ", rest="    ")
    if connection["one_way"] and (found := connection["one_way"]["found"]):
        yield from flowed(found.split(" "), width, first="  ", rest="    ", separator=" ")
    if interface := connection.get("interface"):
        yield from _interface(interface, width)
    for problem in filter(None, (connection.get("route_problem"), connection.get("mss_problem"))):
        yield from flowed(problem.split(" "), width, first="  ", rest="    ", separator=" ")
    table = table_of(connection)
    if width >= WIDE and all(line.cell_len <= width for line in table):
        yield from table
        for child in connection["children"]:
            yield from trouble(child, width, f"  {child['name']}: ")
            yield from updown(child, width, f"  {child['name']}: ")
            yield from one_way(child, width, f"  {child['name']}: ")
            for sa in child["sas"]:
                yield from refused_packets(sa, width, f"  {child['name']}: ")
    else:
        yield from blocks(connection["children"], width, connection["remote"])


def _interface(interface: View, width: int) -> Iterator[Text]:
    """Its name, where and what it is, and why it is not as it shall be."""
    there = ["in", interface["namespace"]] if interface["namespace"] else []
    number = "if_id" if interface["kind"] == "xfrm" else "key and mark"
    state = interface["problem"] or ("up" if interface["up"] else "down until a tunnel stands")
    kind = [f"({interface['kind']},", number, f"{interface['if_id']:#x}):"]
    words = ["interface", interface["name"], *there, *kind]
    yield from flowed([*words, *state.split(" ")], width, first="  ", rest="    ", separator=" ")


def _configured(connection: View, width: int) -> Iterator[Text]:
    """The proposals of the configuration, best first."""
    yield from flowed(connection["ike_proposals"], width, first="  configured: phase 1  ", rest="    ")
    for child in connection["children"]:
        suites = [*child["esp_proposals"], f"pfs {child['pfs']}"]
        yield from flowed(suites, width, first=f"  configured: {child['name']}  ", rest="    ")


# -- phase 1 ----------------------------------------------------------------------------------------------------------


def _isakmp(isakmp: View, width: int) -> Iterator[Text]:
    """Labelled lines, or as few lines as hold it all."""
    head = [
        "replaced, it only answers" if isakmp["retired"] else "up",
        _exchange(isakmp),
        f"Cisco {_cisco(isakmp['cisco'])}",
    ]
    rows = [
        ("peer:", [isakmp["remote"], f"identity {isakmp['remote_id']}"]),
        ("suite:", [isakmp["suite"], f"age {clock(isakmp['age_seconds'])}", expiry(isakmp), *renewal(isakmp)]),
        ("cookies:", [isakmp["cookies"]]),
        ("life:", _life(isakmp)),
        ("NAT:", _nat(isakmp["nat"])),
        ("vendors:", isakmp["peer_vendors"] or ["none"]),
    ]
    if width >= WIDE:
        values = [
            *head,
            *(item if number else f"{label} {item}" for label, row in rows for number, item in enumerate(row)),
        ]
        yield from flowed(values, width, first="  ISAKMP SA  ", rest="    ")
        return
    yield from flowed(head, width, first="  ISAKMP SA  ", rest="    ")
    for label, row in rows:
        yield from flowed(row, width, first=f"    {label:<8} ", rest=" " * 13)


def _phase1(connection: View) -> list[str]:
    """Why there is no ISAKMP SA, as far as is known."""
    phase1 = connection["phase1"]
    if phase1 is None:
        return ["no ISAKMP SA"]
    furthest = [f"{_exchange(phase1)} with {phase1['peer']}", phase1["furthest"], f"Cisco {_cisco(phase1['cisco'])}"]
    match phase1["outcome"]:
        case "negotiating":
            return ["negotiating", *furthest]
        case "failed":
            return ["no ISAKMP SA", "the last attempt failed", *furthest]
        case _:
            return ["no ISAKMP SA", "the last one has ended"]


def _exchange(view: View) -> str:
    role = "initiator" if view["initiator"] else "responder"
    return f"{EXCHANGE_NAMES.get(view['exchange'], view['exchange'])} as {role}"


def _cisco(names: View) -> str:
    return f"{names['ios']} (ASA {names['asa']})"


def _life(isakmp: View) -> list[str]:
    heard = f"heard of {clock(isakmp['heard_seconds'])} ago by {isakmp['heard_by']}"
    if not isakmp["dpd"]:
        return [heard, "the peer has no dead peer detection"]
    return [heard, *[f"{isakmp['unanswered']} R-U-THERE unanswered"] * bool(isakmp["unanswered"])]


def _nat(nat: View | None) -> list[str]:
    if nat is None:
        return ["traversal not spoken by both sides"]
    match nat["local"], nat["remote"]:
        case True, True:
            where = "both sides are behind a NAT"
        case True, False:
            where = "this side is behind a NAT"
        case False, True:
            where = "the peer is behind a NAT"
        case _:
            where = "none between the peers"
    none = not (nat["local"] or nat["remote"])
    forced = ["ESP in UDP as `encap: force` wants it"] * (nat["forced"] and none)
    return [
        f"{where} ({nat['method']})",
        *forced,
        *["ESP in UDP since it seems blocked alone"] * (nat["tried"] and none),
    ]
