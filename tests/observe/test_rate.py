"""Bounds for lines that strangers cause."""

from __future__ import annotations

from ikevd.observe.rate import MAX_KEYS, RateLimit


def passed(limit: RateLimit, pairs: list[tuple[int, int]]) -> int:
    return sum(limit.passes(kind, source) for kind, source in pairs)


def test_one_of_a_kind_passes_from_one_source() -> None:
    assert passed(RateLimit(), [(1, 1)] * 5) == 1


def test_of_a_kind_so_many_pass_from_all_sources() -> None:
    assert passed(RateLimit(each=3), [(1, source) for source in range(50)]) == 3


def test_in_all_so_many_pass() -> None:
    assert passed(RateLimit(total=7), [(kind, 1) for kind in range(50)]) == 7


def test_the_next_interval_begins_anew_and_tells_how_many_were_held_back() -> None:
    limit = RateLimit(interval=60)
    assert limit.turn(0) == 0
    assert passed(limit, [(1, 1)] * 5) == 1
    assert limit.turn(59.9) == 0
    assert limit.turn(60) == 4
    assert limit.passes(1, 1)


def test_a_clock_that_was_set_back_does_not_silence_the_log() -> None:
    limit = RateLimit(interval=60)
    limit.turn(1_000_000)
    limit.passes(1, 1)
    limit.turn(5)
    assert limit.passes(1, 1)


def test_memory_is_bounded_and_the_quietest_is_forgotten_first() -> None:
    limit = RateLimit(total=10**9)
    passed(limit, [(kind, 0) for kind in range(MAX_KEYS)])
    assert len(limit._counts) == MAX_KEYS
    assert limit.passes(0, 0)
    assert not limit.passes(MAX_KEYS - 1, 0)
