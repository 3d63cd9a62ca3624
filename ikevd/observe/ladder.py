"""The ladder of one negotiation: initiator left, responder right, one line per message, with times and sizes.

Works from the JSON view, so that a client of the control API needs nothing of the daemon.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from ikevd.observe.text import printable
from ikevd.observe.view import EntryView, NegotiationView, RecordView

WIDTH = 100
INDENT = 15
PAYLOADS = 44
"""Columns for the payload names; sizes stand behind them."""


def ladder(record: RecordView) -> str:
    """The drawing: header, messages and what else happened, the result; without a line break at the end."""
    lines = [*_header(record)]
    for entry, times in _folded(record["entries"]):
        lines.extend(entry_lines(record["initiator"], entry, entry["at_ms"], times))
    if record["overflow"]:
        lines.extend(_wrapped("", f"and {record['overflow']} more facts, which were not kept"))
    if len(record["spis"]) == 2:
        lines.extend(_wrapped("", "ESP SPIs  in {}  out {}".format(*record["spis"])))
    return "\n".join(lines)


def entry_lines(initiator: bool, entry: EntryView, at_ms: float, times: int = 1) -> list[str]:
    """One fact, drawn; `initiator`: did this side start the negotiation?"""
    time = f"{at_ms:9.1f} ms   "
    if entry["kind"] in ("sent", "heard"):
        return [time + _message(initiator, entry)]
    again = f" (x{times})" if times > 1 else ""
    return _wrapped(time, printable(_sentence(entry)) + again)


def title(negotiation: NegotiationView) -> str:
    """Exchange, connection and child, for example `MAIN_MODE  berlin`."""
    names = [name for name in (negotiation["connection"], negotiation["child"]) if name is not None]
    return printable(f"{negotiation['exchange']}  {' / '.join(names) or 'no connection'}")


def _header(record: RecordView) -> Iterator[str]:
    started = datetime.fromtimestamp(record["started"], UTC)
    yield f"{title(record)}   {started:%Y-%m-%d %H:%M:%S}.{started.microsecond // 1000:03d} UTC"
    yield f"cookies {record['cookies']}   message id {record['message_id']}"
    ends = "this side", record["peer"]
    left, right = ends if record["initiator"] else reversed(ends)
    yield f"{'':{INDENT}}initiator {left}  ──  responder {right}"


def _message(initiator: bool, entry: EntryView) -> str:
    rightwards = (entry["kind"] == "sent") == initiator
    names = " ".join(entry.get("payloads", ()))
    copy = entry.get("copy", 1)
    if copy > 1:
        names = f"again (x{copy})"
    arrow = "──▶" if rightwards else "◀──"
    return f"{entry.get('label', ''):<5}{arrow}  {names:<{PAYLOADS}} {entry.get('octets', 0):6} B"


def _sentence(entry: EntryView) -> str:
    text = entry.get("text", "")
    match entry["kind"]:
        case "repeated":
            answer = "answered again" if entry.get("answered") else "not answered"
            return f"the peer repeated {entry.get('label', '')}, {answer}"
        case "dropped":
            return f"dropped {entry.get('octets', 0)} B, awaiting {entry.get('label', '')}: {text}"
        case "hint":
            return f"the peer says, unauthenticated: {entry.get('notify', '')}"
        case "established":
            return f"result: {text}"
        case "failed":
            return f"failed: {text}"
        case _:
            return text


def _wrapped(first: str, text: str) -> list[str]:
    rest = " " * INDENT
    return textwrap.wrap(text, WIDTH, initial_indent=first or rest, subsequent_indent=rest, break_on_hyphens=False)


def _folded(entries: Sequence[EntryView]) -> Iterator[tuple[EntryView, int]]:
    """Equal neighbours, messages apart, as one with their number."""
    position = 0
    while position < len(entries):
        entry, times = entries[position], 1
        while entry["kind"] not in ("sent", "heard") and _same(entry, entries[position + times : position + times + 1]):
            times += 1
        yield entry, times
        position += times


def _same(entry: EntryView, following: Sequence[EntryView]) -> bool:
    return any({**other, "at_ms": entry["at_ms"]} == entry for other in following)
