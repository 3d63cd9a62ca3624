"""Records as JSON-able views (see `ikevd.observe.view`)."""

from __future__ import annotations

from ikevd.facts import Dropped, Established, Failed, Hint, Note, Repeated, Sent
from ikevd.observe.history import Entry, Record
from ikevd.observe.view import EntryView, FactEvent, NegotiationView, RecordView


def record_view(record: Record) -> RecordView:
    """The whole record."""
    return {
        **negotiation_view(record),
        "spis": [str(spi) for spi in record.spis],
        "overflow": record.overflow,
        "entries": [entry_view(record, entry) for entry in record.entries],
    }


def fact_event(record: Record, entry: Entry) -> FactEvent:
    """One fact, for those who watch it happen."""
    return {"event": "fact", "negotiation": negotiation_view(record), "entry": entry_view(record, entry)}


def negotiation_view(record: Record) -> NegotiationView:
    """Which negotiation it is."""
    return {
        "number": record.number,
        "exchange": str(record.kind),
        "initiator": record.initiator,
        "cookies": str(record.cookies),
        "message_id": f"{record.message_id:08x}",
        "peer": str(record.peer),
        "connection": record.connection,
        "child": record.child,
        "started": record.started,
    }


def entry_view(record: Record, entry: Entry) -> EntryView:
    """One fact with its time."""
    at = round((entry.at - record.started) * 1000, 3)
    match entry.fact:
        case Repeated(label, answered):
            return {"at_ms": at, "kind": "repeated", "label": label, "answered": answered}
        case Dropped(label, reason, error, size):
            return {"at_ms": at, "kind": "dropped", "label": label, "text": reason, "error": error, "octets": size}
        case Hint(notify):
            return {"at_ms": at, "kind": "hint", "notify": str(notify)}
        case Note(text):
            return {"at_ms": at, "kind": "note", "text": text}
        case Established(text):
            return {"at_ms": at, "kind": "established", "text": text}
        case Failed(reason, error):
            return {"at_ms": at, "kind": "failed", "text": reason, "error": error}
    message: EntryView = {
        "at_ms": at,
        "kind": "heard",
        "label": entry.fact.label,
        "payloads": list(entry.fact.payloads),
        "octets": len(entry.fact.octets),
        "wire": entry.fact.octets.hex(),
        "local": str(entry.fact.path.local),
        "remote": str(entry.fact.path.remote),
    }
    if isinstance(entry.fact, Sent):
        message["kind"] = "sent"
        message["copy"] = entry.fact.copy
    return message
