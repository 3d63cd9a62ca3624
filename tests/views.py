"""The view of a record as a whole, as the reader of an answer has it."""

from __future__ import annotations

from ikevd.dissect.lazy import whole
from ikevd.observe.history import Record
from ikevd.observe.views import View, lazy_record_view


def record_view(record: Record, *, decode: bool = False) -> View:
    """One negotiation with all of its evidence."""
    view: View = whole(lazy_record_view(record, decode=decode))
    return view
