"""Values on a screen: short where they stand in a table, and lines that break between them only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from rich.text import Text

from ikevd.text import flow, printable

View = dict[str, Any]


def flowed(
    items: Iterable[str], width: int, *, first: str = "", rest: str = "", separator: str = ", "
) -> Iterator[Text]:
    """Lines of at most `width` columns, see `flow`; whatever a peer has put into them."""
    yield from map(Text, flow(map(printable, items), width, first=first, rest=rest, separator=separator))


def clock(seconds: int) -> str:
    """`0:59:58`, `1 day, 2:00:00`."""
    return str(timedelta(seconds=seconds))


def expiry(sa: View) -> str:
    """Of an SA, when its lifetime ends."""
    return f"expires in {clock(max(0, sa['expires_in_seconds']))}"


def renewal(isakmp: View) -> list[str]:
    """Of an ISAKMP SA, when this side renews it."""
    seconds = isakmp["renews_in_seconds"]
    return [] if seconds is None else [f"renewal in {clock(seconds)}"]


def rekeying(sa: View) -> list[str]:
    """Of an IPsec SA pair, when this side replaces it, or that it was replaced."""
    if sa["replaced"]:
        return ["replaced"]
    seconds = sa["rekeys_in_seconds"]
    return [] if seconds is None else [f"rekeying in {clock(seconds)}"]


def time_left(seconds: int) -> str:
    """`59m58s`, `23h59m`, `6d23h`."""
    minutes, seconds = divmod(max(0, seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02}h"
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds:02}s"


def coarse(seconds: int) -> str:
    """`4s`, `59m`, `23h`, `6d`."""
    for unit, size, most in (("s", 1, 60), ("m", 60, 3600), ("h", 3600, 86_400)):
        if seconds < most:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86_400}d"


def short(number: int) -> str:
    """Three digits or so: `999`, `12.3k`, `1.2M`."""
    value, units = float(number), iter("kMGTPE")
    unit = ""
    while value >= (999.5 if unit else 1000):
        value, unit = value / 1000, next(units)
    if not unit:
        return str(number)
    return f"{value:.1f}{unit}" if value < 99.5 else f"{value:.0f}{unit}"
