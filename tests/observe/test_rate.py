"""Bounds for lines that peers and strangers cause."""

from __future__ import annotations

from ikevd.observe.rate import INTERVAL, MAX_OWNERS, Limits, RateLimit


def passed(limit: RateLimit, pairs: list[tuple[int, int]]) -> int:
    return sum(limit.passes(kind, source) for kind, source in pairs)


def test_one_of_a_kind_passes_from_one_source() -> None:
    assert passed(RateLimit(0), [(1, 1)] * 5) == 1


def test_several_of_a_kind_pass_from_one_source_where_it_is_allowed() -> None:
    assert passed(RateLimit(0, same=3), [(1, 1)] * 5) == 3


def test_of_a_kind_so_many_pass_from_all_sources() -> None:
    assert passed(RateLimit(0, each=3), [(1, source) for source in range(50)]) == 3


def test_in_all_so_many_pass() -> None:
    assert passed(RateLimit(0, total=7), [(kind, 1) for kind in range(50)]) == 7


def test_what_does_not_pass_is_counted() -> None:
    limit = RateLimit(0)
    passed(limit, [(1, 1)] * 5)
    assert limit.held_back == 4


# -- for each owner


class Told:
    """What was held back, by owner."""

    def __init__(self) -> None:
        self.counts: list[tuple[str, int]] = []
        self.limits: Limits[str] = Limits(lambda owner, count: self.counts.append((owner, count)))

    def flood(self, owner: str, count: int, now: float) -> None:
        for _ in range(count):
            self.limits.passes(owner, "kind", "source", now)


def test_one_owner_hides_nothing_of_another() -> None:
    told = Told()
    told.flood("one", 5, now=0)
    assert told.limits.passes("two", "kind", "source", 0)


def test_the_next_interval_begins_anew_and_tells_how_many_were_held_back() -> None:
    told = Told()
    told.flood("one", 5, now=0)
    told.limits.turn(INTERVAL - 0.1)
    assert told.counts == []
    told.limits.turn(INTERVAL)
    assert told.counts == [("one", 4)]
    assert told.limits.passes("one", "kind", "source", INTERVAL)


def test_an_owner_that_was_quiet_for_an_interval_is_forgotten() -> None:
    told = Told()
    for number in range(100):
        told.limits.passes(f"owner {number}", "kind", "source", 0)
    told.limits.turn(INTERVAL)
    assert len(told.limits) == 0


def test_owners_are_bounded_and_what_the_oldest_held_back_is_told() -> None:
    told = Told()
    for number in range(10 * MAX_OWNERS):
        told.flood(f"owner {number}", 2, now=0)
    assert len(told.limits) == MAX_OWNERS
    assert told.counts == [(f"owner {number}", 1) for number in range(9 * MAX_OWNERS)]


def test_a_clock_that_was_set_back_does_not_silence_the_log() -> None:
    told = Told()
    told.flood("one", 1, now=1_000_000)
    told.limits.turn(5)
    assert told.limits.passes("one", "kind", "source", 5)
