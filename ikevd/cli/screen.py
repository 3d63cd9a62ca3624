"""The screen of `ikevd status`: blocks for 80 columns, one line for each child where it fits.

A line breaks between values, never inside of one; a value that is longer than the line stands alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from ikevd.observe.ladder import NAMES
from ikevd.observe.text import flow, printable

View = dict[str, Any]

WIDE = 120
"""Columns from which on children stand in a table."""
ANY_WIDTH = 10_000
STYLES = {"up": "green", "negotiating": "yellow", "retry": "red", "down": "red"}
COLUMNS = ("child", "state", "local === remote", "SPI in", "pkts/bytes", "SPI out", "pkts/bytes", "suite", "left", "")


def show(status: View, width: int, stream: TextIO | None = None) -> None:
    """Print it; colours only on a terminal."""
    console = Console(file=stream or sys.stdout, width=ANY_WIDTH, highlight=False, markup=False, emoji=False)
    for line in screen(status, width):
        console.print(line, soft_wrap=True)


def screen(status: View, width: int) -> Iterator[Text]:
    """The lines of the screen."""
    uptime = f"up {timedelta(seconds=round(status['uptime_seconds']))}"
    listening = [address if number else f"listening on {address}" for number, address in enumerate(status["listening"])]
    head = [f"ikevd {status['version']}", f"pid {status['pid']}", uptime, *listening]
    yield from _lines(head, width, rest="  ")
    if status["half_open"]:
        yield Text(f"{status['half_open']} negotiations whose peer is not authenticated yet")
    for connection in status["connections"]:
        yield Text()
        yield from _connection(connection, width)


def _connection(connection: View, width: int) -> Iterator[Text]:
    ends = [f"{connection['name']} ", f"{connection['local']} ──", connection["remote"]]
    for number, line in enumerate(_lines(ends, width, rest="  ", separator=" ")):
        line.stylize("bold", 0, len(printable(connection["name"])) if not number else 0)
        yield line
    for isakmp in connection["isakmp"]:
        yield from _isakmp(isakmp, width)
    if connection["negotiating"] or not connection["isakmp"]:
        yield from _lines(_phase1(connection), width, first="  ", rest="    ")
    table = _table(connection)
    if width >= WIDE and all(line.cell_len <= width for line in table):
        yield from table
        for child in connection["children"]:
            yield from _trouble(child, width, f"  {child['name']}: ")
            for sa in child["sas"]:
                yield from _refused(sa, f"  {child['name']}: ")
    else:
        for child in connection["children"]:
            yield from _child(child, width, connection["remote"])


# -- phase 1 ----------------------------------------------------------------------------------------------------------


def _isakmp(isakmp: View, width: int) -> Iterator[Text]:
    """Labelled lines, or as few lines as hold it all."""
    head = ["up", _exchange(isakmp), f"Cisco {_cisco(isakmp['cisco'])}"]
    rows = [
        ("peer:", [isakmp["remote"], f"identity {isakmp['remote_id']}"]),
        ("suite:", [isakmp["suite"], f"age {_time(isakmp['age_seconds'])}", _expiry(isakmp)]),
        ("cookies:", [isakmp["cookies"]]),
        ("NAT:", [_nat(isakmp["nat"])]),
        ("vendors:", isakmp["peer_vendors"] or ["none"]),
    ]
    if width >= WIDE:
        values = [
            *head,
            *(item if number else f"{label} {item}" for label, row in rows for number, item in enumerate(row)),
        ]
        yield from _lines(values, width, first="  ISAKMP SA  ", rest="    ")
        return
    yield from _lines(head, width, first="  ISAKMP SA  ", rest="    ")
    for label, row in rows:
        yield from _lines(row, width, first=f"    {label:<8} ", rest=" " * 13)


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
    return f"{NAMES.get(view['exchange'], view['exchange'])} as {role}"


def _cisco(names: View) -> str:
    return f"{names['ios']} (ASA {names['asa']})"


def _nat(nat: View | None) -> str:
    if nat is None:
        return "traversal not spoken by both sides"
    match nat["local"], nat["remote"]:
        case True, True:
            where = "both sides are behind a NAT"
        case True, False:
            where = "this side is behind a NAT"
        case False, True:
            where = "the peer is behind a NAT"
        case _:
            where = "none between the peers"
    return f"{where} ({nat['method']})"


# -- children ---------------------------------------------------------------------------------------------------------


def _child(child: View, width: int, configured: str) -> Iterator[Text]:
    ends = [f"{child['name']} ", f"{child['state'].upper()} ", child["local"], f"=== {child['remote']}"]
    for line in _lines(ends, width, first="  ", rest="    ", separator=" "):
        line.highlight_words([f" {child['state'].upper()} "], STYLES.get(child["state"], ""))
        yield line
    yield from _trouble(child, width, "    ")
    for sa in child["sas"]:
        yield Text(f"    in  {sa['spi_in']}  {sa['packets_in']:>12} packets  {sa['bytes_in']:>16} bytes")
        yield Text(f"    out {sa['spi_out']}  {sa['packets_out']:>12} packets  {sa['bytes_out']:>16} bytes")
        life = [sa["suite"], f"age {_time(sa['age_seconds'])}", _expiry(sa)]
        more = [*_encapsulation(sa), *_peer(sa, configured)]
        yield from _lines([*life, *more], width, first="    ", rest="    ")
        yield from _refused(sa, "    ")


def _trouble(child: View, width: int, first: str) -> Iterator[Text]:
    """Why it is not up, and when that is tried again."""
    cause, retry = child["last_cause"], child["retry_in_seconds"]
    words = ["last", "cause:", *cause.split(" ")] if cause else []
    if retry is not None:
        words += ["(next", "attempt", "in", f"{retry:g} s)"]
    if words:
        yield from _lines(words, width, first=first, rest=" " * 6, separator=" ")


def _refused(sa: View, first: str) -> Iterator[Text]:
    """Packets that arrived and were dropped; nothing where there were none."""
    if sa["replayed_in"] or sa["forged_in"]:
        text = f"{sa['replayed_in']} packets repeated or too late, {sa['forged_in']} with a wrong integrity check"
        yield Text(f"{printable(first)}in {sa['spi_in']}: {text}", style="red")


def _table(connection: View) -> list[Text]:
    """A head, and one line for each pair and for each child without one."""
    rows = [
        _cells(child, sa, connection["remote"]) for child in connection["children"] for sa in child["sas"] or [None]
    ]
    if not rows:
        return []
    rows.insert(0, COLUMNS)
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for number, row in enumerate(rows):
        cells = [set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True)]
        line = Text("  " + "  ".join(cells).rstrip(), style="" if number else "dim")
        begin = 2 + widths[0] + 2
        line.stylize(STYLES.get(row[1], ""), begin, begin + len(row[1]))
        lines.append(line)
    return lines


def _cells(child: View, sa: View | None, configured: str) -> tuple[str, ...]:
    name, selectors = printable(child["name"]), f"{printable(child['local'])} === {printable(child['remote'])}"
    if sa is None:
        return (name, child["state"], selectors, *[""] * (len(COLUMNS) - 3))
    return (
        name,
        child["state"],
        selectors,
        sa["spi_in"],
        f"{_short(sa['packets_in'])}/{_short(sa['bytes_in'])}",
        sa["spi_out"],
        f"{_short(sa['packets_out'])}/{_short(sa['bytes_out'])}",
        printable(sa["suite"]),
        _left(sa["expires_in_seconds"]),
        ", ".join([*(["in UDP"] if sa["udp_encapsulation"] else []), *_peer(sa, configured)]),
    )


def _encapsulation(sa: View) -> list[str]:
    udp = sa["udp_encapsulation"]
    return [f"in UDP, ports {udp['local_port']} - {udp['remote_port']}"] if udp else []


def _peer(sa: View, configured: str) -> list[str]:
    """The peer's address where the configuration leaves it open."""
    return [] if sa["remote"] == configured else [f"peer {sa['remote']}"]


# -- values -----------------------------------------------------------------------------------------------------------


def _lines(items: list[str], width: int, *, first: str = "", rest: str = "", separator: str = ", ") -> Iterator[Text]:
    yield from map(Text, flow(map(printable, items), width, first=first, rest=rest, separator=separator))


def _time(seconds: int) -> str:
    return str(timedelta(seconds=seconds))


def _expiry(sa: View) -> str:
    return f"expires in {_time(max(0, sa['expires_in_seconds']))}"


def _left(seconds: int) -> str:
    """`59m58s`, `23h59m`, `6d23h`."""
    minutes, seconds = divmod(max(0, seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02}h"
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds:02}s"


def _short(number: int) -> str:
    """Three digits or so: `999`, `12.3k`, `1.2M`."""
    value, units = float(number), iter("kMGTPE")
    unit = ""
    while value >= (999.5 if unit else 1000):
        value, unit = value / 1000, next(units)
    if not unit:
        return str(number)
    return f"{value:.1f}{unit}" if value < 99.5 else f"{value:.0f}{unit}"
