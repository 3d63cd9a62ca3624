"""Lines that break between values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ikevd.text import flow

VALUES = st.lists(st.text("abc:/.", min_size=1, max_size=30), max_size=12)


def test_a_line_breaks_between_values() -> None:
    assert flow(["aaaa", "bbbb", "cccc"], 12, first="> ", rest="  ", separator=", ") == ["> aaaa,", "  bbbb, cccc"]


def test_a_value_longer_than_the_line_stands_alone() -> None:
    assert flow(["a", "b" * 20, "c"], 10, separator=", ") == ["a,", "b" * 20 + ",", "c"]


def test_nothing_gives_the_beginning_alone() -> None:
    assert flow([], 10, first="nothing ") == ["nothing"]


@given(VALUES, st.integers(1, 60))
def test_no_value_is_broken_or_lost_and_no_line_of_several_is_too_long(values: list[str], width: int) -> None:
    lines = flow(values, width, separator=", ")
    assert [value for line in lines for value in line.rstrip(",").split(", ") if value] == values
    assert all(len(line) <= width for line in lines if ", " in line)


def test_a_long_beginning_has_a_line_to_itself_where_the_first_item_does_not_fit_behind_it() -> None:
    assert flow(["pfs required"], 20, first="configured: lan  ", rest="    ") == ["configured: lan", "    pfs required"]
    assert flow(["pfs off"], 24, first="configured: lan  ", rest="    ") == ["configured: lan  pfs off"]
