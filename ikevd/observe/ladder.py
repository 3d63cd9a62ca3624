"""The ladder of one negotiation: initiator left, responder right, time downwards.

Works from the JSON view alone, so that the command line need not load the daemon.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from ikevd.observe.outline import outline
from ikevd.observe.text import flow, printable

View = Mapping[str, Any]

WIDTH = 80
PAYLOADS = 40
"""Columns for the names of the payloads."""
FEW = 2
"""So many payloads of one kind in a row are written out; more are counted."""
NAMES = {
    "MAIN_MODE": "Main Mode",
    "AGGRESSIVE": "Aggressive Mode",
    "QUICK_MODE": "Quick Mode",
    "INFORMATIONAL": "Informational",
    "TRANSACTION": "Transaction",
}


def ladder(record: View, width: int = WIDTH) -> str:
    """The drawing, `width` columns wide; only a single word that is longer stands out."""
    return "\n".join((*_head(record, width), *_rungs(record, width)))


def _head(record: View, width: int) -> Iterator[str]:
    name = NAMES.get(record["exchange"], record["exchange"])
    owner = " ".join(word for word in (record["connection"], record["child"]) if word)
    role = "initiator" if record["initiator"] else "responder"
    title = f"{name}  {owner or '(no connection)'}  as {role}"
    yield from flow([printable(title), f"peer {record['peer']}"], width, rest="  ", separator=", ")
    pair = f"cookies {record['cookies']['initiator']}:{record['cookies']['responder']}"
    message_id = [f"message ID {record['message_id']}"] if int(record["message_id"], 16) else []
    yield from flow([pair, *message_id], width, first="  ", rest="  ", separator="  ")


def _rungs(record: View, width: int) -> Iterator[str]:
    shown = set[str]()
    for event in record["events"]:
        yield from rungs(event, record["initiator"], record["started"], width)
        if "message" in event:
            yield from _tree(event, shown)
    if record["not_kept"]:
        yield f"  ... and {record['not_kept']} more that were not kept"
    if record["spis"]:
        yield f"  ESP SPIs: in {record['spis'][0]}, out {record['spis'][1]}"


def _tree(event: View, shown: set[str]) -> list[str]:
    """The message field by field; `shown`: the wire octets of those before it."""
    if event["wire"] in shown:
        return [" " * 4 + "as above"]
    shown.add(event["wire"])
    return outline(event["message"], " " * 4).splitlines()


def rungs(event: View, initiator: bool, begin: float, width: int = WIDTH) -> list[str]:
    """One fact with its time since `begin` (Unix seconds), whatever a peer has put into it."""
    time = f"  {(event['at'] - begin) * 1000:9.1f} ms  "
    indent = " " * len(time)
    if event["fact"] not in ("sent", "heard"):
        pieces = _pieces(rung(event, initiator), width - len(indent) - 6)
        return flow(pieces, width, first=time, rest=indent + " " * 6)
    lines = _message(event, rightwards=initiator is (event["fact"] == "sent"))
    vendors = [printable(name) for name in event.get("vendors", ())]
    if vendors and event.get("copy") == 1:  # the peer's stand in a note of their own
        lines += flow(vendors, width - len(time), first=" " * 11 + "VID: ", rest=" " * 16, separator=", ")
    return [(indent if number else time) + line for number, line in enumerate(lines)]


def _pieces(text: str, room: int) -> Iterator[str]:
    """What stands between commas where it fits into a line, else its words."""
    *parts, last = text.split(", ")
    for part in (*(f"{part}," for part in parts), last):
        yield from [part] if len(part) <= room else part.split(" ")


def rung(event: View, initiator: bool) -> str:
    """One fact in one line, without its time."""
    match event["fact"]:
        case "sent" | "heard" as fact:
            text = " ".join(line.strip() for line in _message(event, rightwards=initiator is (fact == "sent")))
        case "repeated":
            text = f"{event['label']:<5} repeated by the peer{', answered again' if event['answered'] else ''}"
        case "dropped":
            text = f"{event['label']:<5} dropped: {event['reason']} ({event['octets']} B)"
        case "hint":
            text = f"hint  the peer says, unauthenticated: {event['notify']}"
        case "established":
            text = f"up    {event['text']}"
        case "failed":
            text = f"FAIL  {event['reason']}"
        case _:
            text = f"note  {event.get('text', event['fact'])}"
    return printable(text)


def _message(event: View, *, rightwards: bool) -> list[str]:
    """Label, arrow, payloads and size; long lists of payloads go on in further lines."""
    again = [f"(sent {event['copy']} times)"] if event.get("copy", 1) > 1 else []
    names = _counted(event["payloads"])
    items = [f"{name}," for name in names[:-1]] + names[-1:] + again
    first, *more = flow([printable(item) for item in items], PAYLOADS)
    head = f"{event['label']:<5} {'──▶' if rightwards else '◀──'}  {first:<{PAYLOADS}} {event['octets']:>5} B"
    return [head, *(" " * 11 + line for line in more)]


def _counted(payloads: Sequence[str]) -> list[str]:
    """`SA, VID, VID, VID` as `SA, 3 VID`."""
    names: list[str] = []
    for name, run in groupby(payloads):
        count = len(list(run))
        names += [f"{count} {name}"] if count > FEW else [name] * count
    return names
