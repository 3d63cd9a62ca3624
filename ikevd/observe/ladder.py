"""The ladder of one negotiation: initiator left, responder right, time downwards.

Works from the JSON view alone, so that the command line need not load the daemon.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ikevd.observe.text import printable

View = Mapping[str, Any]

NAMES = {"MAIN_MODE": "Main Mode", "QUICK_MODE": "Quick Mode", "INFORMATIONAL": "Informational"}


def ladder(record: View) -> str:
    """The drawing, about a hundred columns wide."""
    return "\n".join(printable(line) for line in (*_head(record), *_rungs(record)))


def _head(record: View) -> Iterator[str]:
    name = NAMES.get(record["exchange"], record["exchange"])
    owner = " ".join(word for word in (record["connection"], record["child"]) if word)
    role = "initiator" if record["initiator"] else "responder"
    yield f"{name}  {owner or '(no connection)'}  as {role}, peer {record['peer']}"
    pair = f"{record['cookies']['initiator']}:{record['cookies']['responder']}"
    message_id = f"  message ID {record['message_id']}" if int(record["message_id"], 16) else ""
    yield f"  cookies {pair}{message_id}"


def _rungs(record: View) -> Iterator[str]:
    begin = record["started"]
    for event in record["events"]:
        milliseconds = (event["at"] - begin) * 1000
        yield f"  {milliseconds:9.1f} ms  {rung(event, record['initiator'])}"
    if record["not_kept"]:
        yield f"  ... and {record['not_kept']} more that were not kept"
    if record["spis"]:
        yield f"  ESP SPIs: in {record['spis'][0]}, out {record['spis'][1]}"


def rung(event: View, initiator: bool) -> str:
    """One fact in one line, whatever a peer has put into it."""
    return printable(_rung(event, initiator))


def _rung(event: View, initiator: bool) -> str:
    match event["fact"]:
        case "sent":
            again = f"  (sent {event['copy']} times)" if event["copy"] > 1 else ""
            return _message(event, rightwards=initiator) + again
        case "heard":
            return _message(event, rightwards=not initiator)
        case "repeated":
            return f"{event['label']:<5} repeated by the peer{', answered again' if event['answered'] else ''}"
        case "dropped":
            return f"{event['label']:<5} dropped: {event['reason']} ({event['octets']} B)"
        case "hint":
            return f"hint  the peer says, unauthenticated: {event['notify']}"
        case "established":
            return f"up    {event['text']}"
        case "failed":
            return f"FAIL  {event['reason']}"
        case _:
            return f"note  {event.get('text', event['fact'])}"


def _message(event: View, *, rightwards: bool) -> str:
    arrow = "──▶" if rightwards else "◀──"
    payloads = ", ".join(event["payloads"])
    return f"{event['label']:<5} {arrow}  {payloads:<40} {event['octets']:>5} B"
