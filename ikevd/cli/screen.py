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

from ikevd.observe.ladder import NAMES, moment
from ikevd.observe.text import flow, printable

View = dict[str, Any]

WIDE = 120
"""Columns from which on children stand in a table."""
ANY_WIDTH = 10_000
STYLES = {"up": "green", "negotiating": "yellow", "retry": "red", "down": "red"}
NARROW = 70
"""Below so many columns numbers do not stand under one another."""
COLUMNS = (
    *("child", "state", "local === remote", "SPI in", "pkts/B", "last", "SPI out", "pkts/B", "suite", "left", ""),
)


def show(status: View, width: int, stream: TextIO | None = None, *, config: bool = False) -> None:
    """Print it, with `config` also what is configured; colours only on a terminal."""
    console = Console(file=stream or sys.stdout, width=ANY_WIDTH, highlight=False, markup=False, emoji=False)
    for line in screen(status, width, config=config):
        console.print(line, soft_wrap=True)


def screen(status: View, width: int, *, config: bool = False) -> Iterator[Text]:
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
    name = NAMES.get(refused["exchange"], str(refused["exchange"]))
    yield from _lines([moment(refused["at"]), *times, refused["peer"], name, owner], width, first="  ", rest="    ")
    yield from _lines(refused["cause"].split(" "), width, first="    ", rest="    ", separator=" ")


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
            yield from _one_way(child, width, f"  {child['name']}: ")
            for sa in child["sas"]:
                yield from _refused(sa, width, f"  {child['name']}: ")
    else:
        for child in connection["children"]:
            yield from _child(child, width, connection["remote"])


def _configured(connection: View, width: int) -> Iterator[Text]:
    """The proposals of the configuration, best first."""
    yield from _lines(connection["ike_proposals"], width, first="  configured: phase 1  ", rest="    ")
    for child in connection["children"]:
        suites = [*child["esp_proposals"], f"pfs {child['pfs']}"]
        yield from _lines(suites, width, first=f"  configured: {child['name']}  ", rest="    ")


# -- phase 1 ----------------------------------------------------------------------------------------------------------


def _isakmp(isakmp: View, width: int) -> Iterator[Text]:
    """Labelled lines, or as few lines as hold it all."""
    head = ["up", _exchange(isakmp), f"Cisco {_cisco(isakmp['cisco'])}"]
    rows = [
        ("peer:", [isakmp["remote"], f"identity {isakmp['remote_id']}"]),
        ("suite:", [isakmp["suite"], f"age {_time(isakmp['age_seconds'])}", _expiry(isakmp)]),
        ("cookies:", [isakmp["cookies"]]),
        ("NAT:", _nat(isakmp["nat"])),
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
    forced = nat["forced"] and not (nat["local"] or nat["remote"])
    return [f"{where} ({nat['method']})", *["ESP in UDP as `encap: force` wants it"] * forced]


# -- children ---------------------------------------------------------------------------------------------------------


def _child(child: View, width: int, configured: str) -> Iterator[Text]:
    ends = [f"{child['name']} ", f"{child['state'].upper()} ", child["local"], f"=== {child['remote']}"]
    for line in _lines(ends, width, first="  ", rest="    ", separator=" "):
        line.highlight_words([f" {child['state'].upper()} "], _style(child))
        yield line
    yield from _trouble(child, width, "    ")
    if child["sas"]:
        last = child["last_in_seconds"]
        yield Text(f"    last packet in: {'none yet' if last is None else _time(last) + ' ago'}")
        yield from _one_way(child, width, "    ")
    for sa in child["sas"]:
        for way in ("in", "out"):
            yield from _carried(way, sa[f"spi_{way}"], sa[f"packets_{way}"], sa[f"bytes_{way}"], width)
        life = [sa["suite"], f"age {_time(sa['age_seconds'])}", _expiry(sa)]
        more = [*_encapsulation(sa), *_peer(sa, configured)]
        yield from _lines([*life, *more], width, first="    ", rest="    ")
        yield from _refused(sa, width, "    ")


def _style(child: View) -> str:
    """Down is a fault only where something failed: else it was never begun, or ended by command."""
    return "dim" if child["state"] == "down" and not child["last_cause"] else STYLES.get(child["state"], "")


def _carried(way: str, spi: str, packets: int, octets: int, width: int) -> Iterator[Text]:
    """One direction: numbers under one another where there is room."""
    if width < NARROW:
        counts = [f"{spi} ", f"{packets} packets,", f"{octets} bytes"]
        yield from _lines(counts, width, first=f"    {way:<3} ", rest=" " * 8, separator=" ")
    else:
        yield Text(f"    {way:<3} {spi}  {packets:>12} packets  {octets:>16} bytes")


def _one_way(child: View, width: int, first: str) -> Iterator[Text]:
    """Nothing where packets come and go, or where none leaves."""
    since = child["one_way_seconds"]
    if since is not None:
        words = f"sends but receives nothing for {_time(since)}".split(" ")
        for line in _lines(words, width, first=first, rest=" " * 6, separator=" "):
            line.stylize("red")
            yield line


def _trouble(child: View, width: int, first: str) -> Iterator[Text]:
    """Why it is not up, and when that is tried again."""
    cause, retry = child["last_cause"], child["retry_in_seconds"]
    words = ["last", "cause:", *cause.split(" ")] if cause else []
    if retry is not None:
        words += ["(next", "attempt", "in", f"{retry:g} s)"]
    if words:
        yield from _lines(words, width, first=first, rest=" " * 6, separator=" ")


def _refused(sa: View, width: int, first: str) -> Iterator[Text]:
    """Packets that arrived and were dropped; nothing where there were none."""
    if sa["replayed_in"] or sa["forged_in"]:
        text = f"{sa['replayed_in']} packets repeated or too late, {sa['forged_in']} with a wrong integrity check"
        words = f"in {sa['spi_in']}: {text}".split(" ")
        for line in _lines(words, width, first=printable(first), rest=" " * 6, separator=" "):
            line.stylize("red")
            yield line


def _table(connection: View) -> list[Text]:
    """A head, and one line for each pair and for each child without one."""
    shown = [(child, sa) for child in connection["children"] for sa in child["sas"] or [None]]
    if not shown:
        return []
    styles = ["", *(_style(child) for child, _ in shown)]
    rows = [COLUMNS, *(_cells(child, sa, connection["remote"]) for child, sa in shown)]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for number, row in enumerate(rows):
        cells = [set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True)]
        line = Text("  " + "  ".join(cells).rstrip(), style="" if number else "dim")
        begin = 2 + widths[0] + 2
        line.stylize(styles[number], begin, begin + len(row[1]))
        lines.append(line)
    return lines


def _cells(child: View, sa: View | None, configured: str) -> tuple[str, ...]:
    name, selectors = printable(child["name"]), f"{printable(child['local'])} === {printable(child['remote'])}"
    if sa is None:
        return (name, child["state"], selectors, *[""] * (len(COLUMNS) - 3))
    last = child["last_in_seconds"]
    return (
        name,
        child["state"],
        selectors,
        sa["spi_in"],
        f"{_short(sa['packets_in'])}/{_short(sa['bytes_in'])}",
        "-" if last is None else _coarse(last),
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


def _coarse(seconds: int) -> str:
    """`4s`, `59m`, `23h`, `6d`."""
    for unit, size, most in (("s", 1, 60), ("m", 60, 3600), ("h", 3600, 86_400)):
        if seconds < most:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86_400}d"


def _short(number: int) -> str:
    """Three digits or so: `999`, `12.3k`, `1.2M`."""
    value, units = float(number), iter("kMGTPE")
    unit = ""
    while value >= (999.5 if unit else 1000):
        value, unit = value / 1000, next(units)
    if not unit:
        return str(number)
    return f"{value:.1f}{unit}" if value < 99.5 else f"{value:.0f}{unit}"
