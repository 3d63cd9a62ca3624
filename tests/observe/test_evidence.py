"""The record as a capture file."""

from __future__ import annotations

from ipaddress import ip_address

from ikevd.addresses import Endpoint, Path
from ikevd.dissect.frames import datagrams
from ikevd.dissect.pcap import frames
from ikevd.facts import Heard, Sent
from ikevd.observe.evidence import pcap
from tests.observe.by_hand import recorded

A, B = Endpoint(ip_address("192.0.2.1"), 500), Endpoint(ip_address("198.51.100.1"), 4500)


def test_messages_on_the_nat_port_are_captured_with_the_marker_that_they_had() -> None:
    floated = Path(Endpoint(A.address, 4500), Endpoint(B.address, 61000))
    first = Path(A, Endpoint(B.address, 4500))
    facts = Sent("MM3", (), b"clear", first), Sent("MM5", (), b"ours", floated), Heard("MM6", (), b"", floated)
    found = list(datagrams(frames(b"".join(pcap([recorded(*facts)], nat_port=4500)))))
    assert [datagram.payload for datagram in found] == [b"clear", bytes(4) + b"ours", bytes(4)]
    assert [datagram.source.port for datagram in found] == [500, 4500, 61000]
    assert [datagram.time for datagram in found] == [
        1_700_000_000_012_500_000 + step for step in (0, 12_500_000, 25_000_000)
    ]
