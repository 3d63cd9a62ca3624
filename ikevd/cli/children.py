"""The children on the screen of `ikevd status`: as blocks, or in a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from ikevd.cli.values import clock, coarse, expiry, flowed, rekeying, short, time_left
from ikevd.text import printable

View = dict[str, Any]

STYLES = {"up": "green", "negotiating": "yellow", "retry": "red", "waiting": "dim", "down": "red"}
NARROW = 70
"""Below so many columns numbers do not stand under one another."""
COLUMNS = (
    *("child", "state", "local === remote", "SPI in", "pkts/B", "last", "SPI out", "pkts/B", "suite", "left", ""),
)


def runs(children: list[View]) -> Iterator[tuple[str | None, list[View]]]:
    """Children that several networks of one entry make stand together, under its name; others alone, under none."""
    for group, run in groupby(children, key=lambda child: child["group"]):
        its = list(run)
        if group is not None and len(its) > 1:
            yield group, its
        else:
            yield from ((None, [child]) for child in its)


def blocks(children: list[View], width: int, configured: str) -> Iterator[Text]:
    """Each child in several lines. `configured`: the peer's address in the configuration."""
    for group, its in runs(children):
        if group is not None:
            yield from flowed([f"{group} ", f"{_up(its)} of {len(its)} up"], width, first="  ", separator=" ")
        for child in its:
            yield from _block(child, width, configured)


def _up(children: list[View]) -> int:
    return sum(child["state"] == "up" for child in children)


def _block(child: View, width: int, configured: str) -> Iterator[Text]:
    ends = [f"{child['name']} ", f"{child['state'].upper()} ", child["local"], f"=== {child['remote']}"]
    for line in flowed(ends, width, first="  ", rest="    ", separator=" "):
        line.highlight_words([f" {child['state'].upper()} "], _style(child))
        yield line
    yield from trouble(child, width, "    ")
    yield from updown(child, width, "    ")
    if child["sas"]:
        yield from flowed([f"last packet in: {_last(child, clock, ' ago')}"], width, first="    ")
        yield from one_way(child, width, "    ")
    for sa in child["sas"]:
        for way in ("in", "out"):
            yield from _carried(way, sa[f"spi_{way}"], sa[f"packets_{way}"], sa[f"bytes_{way}"], width)
        life = [sa["suite"], f"age {clock(sa['age_seconds'])}", expiry(sa), *rekeying(sa)]
        others = [f"{printable(child['carried_by'])} carries the traffic"] if child["carried_by"] else []
        more = [*_part(child, sa), *_encapsulation(sa), *_peer(sa, configured), *others]
        yield from flowed([*life, *more], width, first="    ", rest="    ")
        yield from refused_packets(sa, width, "    ")


def _last(child: View, shown: Callable[[int], str], ago: str = "") -> str:
    """The age of the last packet that came."""
    if child["last_in_seconds"] is not None:
        return f"{shown(child['last_in_seconds'])}{ago}"
    came = any(sa["packets_in"] for sa in child["sas"])
    if ago:
        return "not since its policies were replaced" if came else "none yet"
    return "?" if came else "-"


def _style(child: View) -> str:
    """Down is a fault only where something failed: else it was never begun, or ended by command."""
    return "dim" if child["state"] == "down" and not child["last_cause"] else STYLES.get(child["state"], "")


def _carried(way: str, spi: str, packets: int, octets: int, width: int) -> Iterator[Text]:
    """One direction: numbers under one another where there is room."""
    if width < NARROW:
        counts = [f"{spi} ", f"{packets} packets,", f"{octets} bytes"]
        yield from flowed(counts, width, first=f"    {way:<3} ", rest=" " * 8, separator=" ")
    else:
        yield Text(f"    {way:<3} {spi}  {packets:>12} packets  {octets:>16} bytes")


def one_way(child: View, width: int, first: str) -> Iterator[Text]:
    """Nothing where packets come and go, or where none leaves."""
    since = child["one_way_seconds"]
    if since is not None:
        words = f"sends but receives nothing for {clock(since)}".split(" ")
        for line in flowed(words, width, first=first, rest=" " * 6, separator=" "):
            line.stylize("red")
            yield line


def trouble(child: View, width: int, first: str) -> Iterator[Text]:
    """Why it is not up, and what is tried again when."""
    cause, retry, waits = child["last_cause"], child["retry_in_seconds"], child["state"] == "waiting"
    words = ["on", "demand,", "waiting", "for", f"traffic{';' if cause else ''}"] if waits else []
    words += ["last", "cause:", *cause.split(" ")] if cause else []
    if retry is not None:
        words += ["(next", "attempt", *(["no", "sooner", "than"] if waits else []), "in", f"{retry:g} s)"]
    if words:
        yield from flowed(words, width, first=first, rest=" " * 6, separator=" ")


def updown(child: View, width: int, first: str) -> Iterator[Text]:
    """How its updown program failed; nothing where it did not."""
    if child["updown"] and child["updown"]["failure"]:
        for line in flowed(child["updown"]["failure"].split(" "), width, first=first, rest=" " * 6, separator=" "):
            line.stylize("red")
            yield line


def refused_packets(sa: View, width: int, first: str) -> Iterator[Text]:
    """Packets that arrived and were dropped; nothing where there were none."""
    if sa["replayed_in"] or sa["forged_in"]:
        text = f"{sa['replayed_in']} packets repeated or too late, {sa['forged_in']} with a wrong integrity check"
        words = f"in {sa['spi_in']}: {text}".split(" ")
        for line in flowed(words, width, first=printable(first), rest=" " * 6, separator=" "):
            line.stylize("red")
            yield line


def table_of(connection: View) -> list[Text]:
    """A head, and one line for each pair, for each child without one, and above those that one entry makes."""
    shown = list(_rows(connection))
    if not shown:
        return []
    rows, styles = [COLUMNS, *(cells for cells, _ in shown)], ["", *(style for _, style in shown)]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = list[Text]()
    for number, row in enumerate(rows):
        cells = [set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True)]
        line = Text("  " + "  ".join(cells).rstrip(), style="" if number else "dim")
        begin = 2 + widths[0] + 2
        line.stylize(styles[number], begin, begin + len(row[1]))
        lines.append(line)
    return lines


def _rows(connection: View) -> Iterator[tuple[tuple[str, ...], str]]:
    """Cells, and the style of the state."""
    for group, its in runs(connection["children"]):
        if group is not None:
            yield (printable(group), f"{_up(its)}/{len(its)} up", *[""] * (len(COLUMNS) - 2)), ""
        for child in its:
            for sa in child["sas"] or [None]:
                yield _cells(child, sa, connection["remote"]), _style(child)


def _cells(child: View, sa: View | None, configured: str) -> tuple[str, ...]:
    local, remote = (sa["local_selector"], sa["remote_selector"]) if sa else (child["local"], child["remote"])
    name, selectors = printable(child["name"]), f"{printable(local)} === {printable(remote)}"
    if sa is None:
        return (name, child["state"], selectors, *[""] * (len(COLUMNS) - 3))
    return (
        name,
        child["state"],
        selectors,
        sa["spi_in"],
        f"{short(sa['packets_in'])}/{short(sa['bytes_in'])}",
        _last(child, coarse),
        sa["spi_out"],
        f"{short(sa['packets_out'])}/{short(sa['bytes_out'])}",
        printable(sa["suite"]),
        time_left(sa["expires_in_seconds"]),
        ", ".join(_remarks(child, sa, configured)),
    )


def _remarks(child: View, sa: View, configured: str) -> Iterator[str]:
    """Of a pair, in its line."""
    if sa["replaced"]:
        yield "replaced"
    if sa["udp_encapsulation"]:
        yield "in UDP"
    if sa["ipcomp"]:
        yield "compressed"
    if child["carried_by"]:
        yield f"{printable(child['carried_by'])} carries"
    if sa["lent_by"]:
        yield f"SAs of {printable(sa['lent_by'])}"
    yield from _peer(sa, configured)


def _encapsulation(sa: View) -> list[str]:
    udp, ipcomp = sa["udp_encapsulation"], sa["ipcomp"]
    ports = [f"in UDP, ports {udp['local_port']} - {udp['remote_port']}"] if udp else []
    return [*ports, *([f"compressed, CPI in {ipcomp['cpi_in']}, out {ipcomp['cpi_out']}"] if ipcomp else [])]


def _part(child: View, sa: View) -> list[str]:
    """What this peer has of a template, or of what it asked for in another width."""
    borrowed = [f"SAs of {printable(sa['lent_by'])}"] if sa["lent_by"] else []
    if sa["local_selector"] != child["local"]:
        return [f"for {sa['local_selector']} === {sa['remote_selector']}", *borrowed]
    return [*([] if sa["remote_selector"] == child["remote"] else [f"for {sa['remote_selector']}"]), *borrowed]


def _peer(sa: View, configured: str) -> list[str]:
    """The peer's address where the configuration leaves it open."""
    return [] if sa["remote"] == configured else [f"peer {sa['remote']}"]
