"""The ladder of one negotiation: this side left, the peer right, time downwards.

Works from the JSON view alone, so that the command line need not load the daemon.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from ikevd.dissect.brief import EXCHANGE_NAMES
from ikevd.dissect.outline import outline
from ikevd.observe.folding import Alike, folded
from ikevd.text import flow, printable

View = Mapping[str, Any]

WIDTH = 80
PAYLOADS = 40
"""Columns for the names of the payloads, where there is room."""
FEWEST = 12
"""At least so many, however narrow the screen."""
LABEL, ARROW, SIZE = 6, 5, 8
"""Columns of the label, of the arrow and of the size behind them."""
NARROW = 8
"""Columns before the further lines of a sentence, where there is not `WIDTH`."""
FEW = 2
"""So many payloads of one kind in a row are written out; more are counted."""
OUT, BACK = "──▶", "◀──"
LEGEND = "▶ from us, ◀ to us"


def ladder(record: View, width: int = WIDTH, alike: Alike | None = None) -> str:
    """The drawing, `width` columns wide; only a single word that is longer stands out. `alike`: what failed like it."""
    return "\n".join((*_head(record, width), *steps(record, width), *_alike(alike, width)))


def moment(at: float) -> str:
    """Unix seconds as `2026-11-26 08:12:03.415 UTC`, the time of the log."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"


def owner_of(view: View) -> str:
    """`site-b lan`: the connection, and in Quick Mode the child."""
    return printable(" ".join(word for word in (view["connection"], view["child"]) if word) or "(no connection)")


def began(at: float, width: int, first: str = "  ") -> list[str]:
    """When it began, and what the arrows mean."""
    return flow([f"began {moment(at)}", LEGEND], width, first=first, rest="  ", separator="   ")


def _head(record: View, width: int) -> Iterator[str]:
    name = EXCHANGE_NAMES.get(record["exchange"], record["exchange"])
    role = "initiator" if record["initiator"] else "responder"
    title = f"{name}  {owner_of(record)}  as {role}"
    yield from flow([printable(title), f"peer {record['peer']}"], width, rest="  ", separator=", ")
    yield from began(record["started"], width)
    pair = f"cookies {record['cookies']['initiator']}:{record['cookies']['responder']}"
    message_id = [f"message ID {record['message_id']}"] if int(record["message_id"], 16) else []
    yield from flow([pair, *message_id], width, first="  ", rest="  ", separator="  ")


def steps(record: View, width: int) -> Iterator[str]:
    """Everything below the head."""
    for event in folded(record["events"]):
        yield from rungs(event, record["started"], width)
        if "message" in event:
            yield from outline(event["message"], " " * 4).splitlines()
    if record["not_kept"]:
        yield f"  ... and {record['not_kept']} more that were not kept"
    if record["spis"]:
        yield f"  ESP SPIs: in {record['spis'][0]}, out {record['spis'][1]}"


def _alike(alike: Alike | None, width: int) -> list[str]:
    if alike is None or alike.count == 1:
        return []
    or_more, these = (" or more", " of these") if alike.at_least else ("", "")
    times = [f"the last of {alike.count}{or_more} that failed alike", f"the first{these} began {moment(alike.since)}"]
    return flow(times, width, first="  ", rest="  ", separator="; ")


def rungs(event: View, begin: float, width: int = WIDTH) -> list[str]:
    """One fact with its time since `begin` (Unix seconds), whatever a peer has put into it."""
    time = f"  {(event['at'] - begin) * 1000:9.1f} ms  "
    indent = " " * len(time)
    again = _again(event, begin)
    if event["fact"] not in ("sent", "heard"):
        words = printable(f"{_words(event)}{f' ({again})' if again else ''}")
        if width < WIDTH:
            return flow(words.split(" "), width, first=time, rest=" " * NARROW)
        return flow(_pieces(words, width - len(indent) - LABEL), width, first=time, rest=indent + " " * LABEL)
    lines = _message(event, again, max(FEWEST, min(PAYLOADS, width - len(indent) - LABEL - ARROW - SIZE)))
    vendors = [printable(name) for name in event.get("vendors", ())]
    if vendors and event.get("copy") == 1:  # the peer's stand in a note of their own
        lines += flow(vendors, width - len(time), first=" " * 11 + "VID: ", rest=" " * 16, separator=", ")
    return [(indent if number else time) + line for number, line in enumerate(lines)]


def _again(event: View, begin: float) -> str:
    """How often it happened, where that is more than once; until when, as far as that is known."""
    times = event.get("times", event.get("copy", 1))
    if times == 1:
        return ""
    until = f", last at {(event['until'] - begin) * 1000:.1f} ms" if "until" in event else ""
    return f"{'sent ' if event['fact'] == 'sent' else ''}{times} times{until}"


def _pieces(text: str, room: int) -> Iterator[str]:
    """What stands between commas where it fits into a line, else its words."""
    *parts, last = text.split(", ")
    for part in (*(f"{part}," for part in parts), last):
        yield from [part] if len(part) <= room else part.split(" ")


def _words(event: View) -> str:
    """A fact that is no message of ours and no accepted one."""
    match event["fact"]:
        case "repeated":
            return f"{event['label']:<5} {BACK}  once more{', answered again' if event['answered'] else ''}"
        case "dropped":
            return f"{event['label']:<5} {BACK}  dropped: {event['reason']} ({event['octets']} B)"
        case "hint":
            return f"hint  the peer says, unauthenticated: {event['notify']}"
        case "established":
            return f"up    {event['text']}"
        case "failed":
            return f"FAIL  {event['reason']}"
        case _:
            return f"note  {event.get('text', event['fact'])}"


def _message(event: View, again: str, room: int) -> list[str]:
    """Label, arrow, payloads and size; long lists of payloads go on in further lines."""
    names = _counted(_with_types(event["payloads"], event.get("notifications", ())))
    items = [f"{name}," for name in names[:-1]] + names[-1:] + ([f"({again})"] if again else [])
    first, *more = flow([printable(item) for item in items], room)
    arrow = OUT if event["fact"] == "sent" else BACK
    head = f"{event['label']:<5} {arrow}  {first:<{room}} {event['octets']:>5} B"
    return [head, *(" " * (LABEL + ARROW) + line for line in more)]


def _with_types(payloads: Sequence[str], notifications: Sequence[str]) -> list[str]:
    """`N` as `N NO_PROPOSAL_CHOSEN`, where its type is known."""
    types = iter(notifications)
    return [f"N {kind}" if name == "N" and (kind := next(types, None)) else name for name in payloads]


def _counted(payloads: Sequence[str]) -> list[str]:
    """`SA, VID, VID, VID` as `SA, 3 VID`."""
    names: list[str] = []
    for name, run in groupby(payloads):
        count = len(list(run))
        names += [f"{count} {name}"] if count > FEW else [name] * count
    return names
