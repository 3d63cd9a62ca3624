"""What each format of the store looked like: typical records as an ikevd of that format wrote them.

`python -m tests.store.formats` writes the present one. Once a release bears it, it is never written again: what then
reads otherwise is a new format, with a migration (`ikevd/store/about.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ikevd.store.about import FORMAT
from ikevd.store.codec import encode
from tests.store.records import child_state, exchange_state, gates, isakmp_state, peer_state, refused_child

EXAMPLES: Mapping[str, Any] = {
    "ISAKMP SA": isakmp_state(),
    "child that is up": child_state(),
    "child that was refused": refused_child(),
    "head of a peer": peer_state({}, isakmp={}),
    "gates of a connection": gates(),
    "exchange": exchange_state(b"message 1", b"message 3"),
}


def file_of(number: int) -> Path:
    return Path(__file__).with_name(f"format_{number}.json")


def written(number: int) -> Mapping[str, bytes]:
    """The octets of each typical record, as that format has them."""
    records = json.loads(file_of(number).read_text())
    return {name: json.dumps(record).encode() for name, record in records.items()}


if __name__ == "__main__":
    records = {name: json.loads(encode(record)) for name, record in EXAMPLES.items()}
    file_of(FORMAT.number).write_text(json.dumps(records, indent=1) + "\n")
