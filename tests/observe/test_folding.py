"""Negotiations that failed alike stand once."""

from __future__ import annotations

from ikevd.errors import Said
from ikevd.facts import Established, Fact, Failed
from ikevd.observe.folding import folded_failures
from ikevd.observe.ladder import View, ladder
from tests.observe.by_hand import recorded
from tests.views import record_view

SILENT = Failed(Said("no MM2: MM1 was sent 6 times in 41 s"), "NoAnswer")
REFUSED = Failed(Said("the peer refuses"), "PeerRefused")
STANDS = Established(Said("ISAKMP SA"))


def records(*ends: tuple[str, Fact | None]) -> list[View]:
    """Of each the connection and how it ended; they began a minute apart."""
    views: list[View] = []
    for number, (connection, end) in enumerate(ends):
        view = record_view(recorded(*([end] if end else []), connection=connection))
        views.append({**view, "number": number, "started": 60.0 * number})
    return views


def runs(*ends: tuple[str, Fact | None]) -> list[tuple[int, int, float]]:
    """Of each run the number of the record that is shown, how many it has, and when it began."""
    return [(record["number"], alike.count, alike.since) for record, alike in folded_failures(records(*ends))]


def test_the_newest_of_equal_failures_stands_for_all() -> None:
    assert runs(("a", SILENT), ("a", SILENT), ("a", SILENT)) == [(2, 3, 0.0)]


def test_failures_of_two_connections_by_turns_are_two_runs() -> None:
    assert runs(("a", SILENT), ("b", SILENT), ("a", SILENT), ("b", SILENT)) == [(2, 2, 0.0), (3, 2, 60.0)]


def test_another_cause_and_a_success_end_a_run() -> None:
    ends = runs(("a", SILENT), ("a", REFUSED), ("a", SILENT), ("a", STANDS), ("a", SILENT))
    assert [count for _, count, _ in ends] == [1, 1, 1, 1, 1]


def test_what_stands_or_is_under_way_is_never_folded() -> None:
    assert [count for _, count, _ in runs(("a", STANDS), ("a", STANDS), ("b", None), ("b", None))] == [1, 1, 1, 1]


def test_the_drawing_tells_how_many_failed_and_since_when() -> None:
    ((record, alike),) = folded_failures(records(("a", SILENT), ("a", SILENT)))
    assert ladder(record, 80, alike).splitlines()[-1] == (
        "  the last of 2 that failed alike; the first began 1970-01-01 00:00:00.000 UTC"
    )


def test_where_no_more_were_asked_for_there_may_be_more_of_them() -> None:
    (_, (record, alike)) = folded_failures(records(("a", STANDS), ("a", SILENT), ("a", SILENT)), last=3)
    assert ladder(record, 80, alike).splitlines()[-2:] == [
        "  the last of 2 or more that failed alike;",
        "  the first of these began 1970-01-01 00:01:00.000 UTC",
    ]
