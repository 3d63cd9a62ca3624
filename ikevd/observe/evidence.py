"""The messages on record as the datagrams that they were: what `ikevd capture` writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

from ikevd.dissect.capture import NON_ESP_MARKER
from ikevd.dissect.frames import Datagram
from ikevd.dissect.pcap_writer import file_header, record
from ikevd.facts import Heard, Sent
from ikevd.observe.budget import missing
from ikevd.observe.history import Entry, Record


def pcap(records: Iterable[Record], nat_port: int) -> Iterator[bytes]:
    """A pcap file in pieces, by time. `nat_port`: the local port whose messages have the non-ESP marker (RFC 3948)."""
    yield file_header()
    for entry in _by_time(records):
        yield record(_datagram(entry, nat_port))


def _by_time(records: Iterable[Record]) -> Iterator[Entry]:
    """The messages of records that stand in the order in which they began; no more is unpacked than must be."""
    waiting: list[tuple[float, int, Entry]] = []
    number = 0
    for each in records:
        while waiting and waiting[0][0] < each.started:
            yield heappop(waiting)[-1]
        for entry in each.entries:
            if isinstance(entry.fact, Sent | Heard):
                number += 1
                heappush(waiting, (entry.at, number, entry))
    while waiting:
        yield heappop(waiting)[-1]


def _datagram(entry: Entry, nat_port: int) -> Datagram:
    fact = entry.fact
    assert isinstance(fact, Sent | Heard)
    local, remote = fact.path.local, fact.path.remote
    source, destination = (local, remote) if isinstance(fact, Sent) else (remote, local)
    marker = NON_ESP_MARKER if local.port == nat_port else b""
    time = round(entry.at * 10**6) * 1000
    return Datagram(time, source, destination, marker + fact.octets, missing(fact.octets))
