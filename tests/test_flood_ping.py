"""What `ping` prints is read beyond the number at which it begins anew."""

from __future__ import annotations

from tests.interop.flood_ping import counted_on
from tests.interop.rekeying import gaps

LAST = [*range(1, 65_536)]


def test_the_numbers_of_packets_go_on_where_ping_counts_from_zero_again() -> None:
    assert list(counted_on([*LAST, 0, 1])) == [*LAST, 65_536, 65_537]


def test_a_packet_that_was_overtaken_keeps_its_number() -> None:
    assert list(counted_on([*LAST, 1, 0, 2])) == [*LAST, 65_537, 65_536, 65_538]


def test_packets_lost_to_one_cause_are_one_gap() -> None:
    assert gaps([7, 8, 10, 500, 501]) == [[7, 8, 10], [500, 501]]
