"""Records as plain data for JSON: what the control API gives out and the ladder draws."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from typing import Any

from ikevd.dissect.decode import cut_short, lazily_decoded
from ikevd.errors import Finding
from ikevd.facts import Dropped, Established, Fact, Failed, Heard, Hint, Note, Repeated, Sent
from ikevd.findings import Part
from ikevd.observe.budget import missing
from ikevd.observe.history import Entry, Record
from ikevd.observe.vendors import notifications_of, vendors_of
from ikevd.observe.words import say

View = dict[str, Any]


def lazy_record_view(record: Record, *, decode: bool = False) -> View:
    """One negotiation with all of its evidence; with `decode` every message as a tree, the encrypted ones opened.

    A view of `dissect.lazy`: one fact after the other, one payload after the other.
    """
    return {
        "number": record.number,
        "exchange": str(record.kind),
        "initiator": record.initiator,
        "cookies": {"initiator": record.cookies.initiator.hex(), "responder": record.cookies.responder.hex()},
        "message_id": f"{record.message_id:08x}",
        "peer": str(record.peer),
        "connection": record.connection,
        "child": record.child,
        "started": record.started,
        "spis": [str(spi) for spi in record.spis],
        "events": (entry_view(entry) | (_tree(entry.fact) if decode else {}) for entry in record.entries),
        "not_kept": record.overflow,
    }


def entry_view(entry: Entry) -> View:
    """One fact with its time."""
    view = {"at": entry.at, "fact": type(entry.fact).__name__.lower(), **fact_fields(entry.fact)}
    if isinstance(entry.fact, Sent | Heard):
        view["vendors"] = vendors_of(entry.fact)
        view["notifications"] = notifications_of(entry.fact)
    return view


def _tree(fact: Fact) -> View:
    if not isinstance(fact, Sent | Heard):
        return {}
    lost = missing(fact.octets)
    return {"message": cut_short(fact.octets, lost, "record") if lost else lazily_decoded(fact.octets, fact.chain)}


def fact_fields(fact: Fact) -> View:
    """The fields of one fact; wire octets in hex."""
    match fact:
        case Sent(label, payloads, octets, path, copy):
            return {**_message(label, payloads, octets), "path": str(path), "copy": copy}
        case Heard(label, payloads, octets, path):
            return {**_message(label, payloads, octets), "path": str(path)}
        case Repeated(label, answered):
            return {"label": label, "answered": answered}
        case Dropped(label, finding, error, size):
            reason = {"reason": say(finding), "finding": finding_view(finding)}
            return {"label": label, **reason, "error": error, "octets": size}
        case Hint(notify):
            return {"notify": str(notify)}
        case Note(finding) | Established(finding):
            return {"text": say(finding), "finding": finding_view(finding)}
        case Failed(finding, error):
            return {"reason": say(finding), "finding": finding_view(finding), "error": error}


def finding_view(finding: Finding) -> View:
    """The fields of a finding, with its kind: `NearestMiss` is `nearest_miss`."""
    return {"kind": kind_of(type(finding)), **_fields(finding)}


def kind_of(finding: type[Finding]) -> str:
    """As JSON names it."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in finding.__name__).lstrip("_")


def _plain(value: object) -> object:
    match value:
        case Finding():
            return finding_view(value)
        case Enum():
            return value.value
        case tuple():
            return [_plain(item) for item in value]
        case Part():
            return _fields(value)
        case _:
            return value


def _fields(value: Finding | Part) -> View:
    return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}


def _message(label: str, payloads: tuple[str, ...], octets: bytes) -> View:
    return {"label": label, "payloads": list(payloads), "octets": len(octets) + missing(octets), "wire": octets.hex()}
