"""Views that are made while they are read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ikevd.dissect.lazy import pieces, whole


def view() -> dict[str, Any]:
    return {
        "first": 1,
        "list": iter([{"name": 'a "b" \x1b', "deeper": map(str, range(3))}, {"plain": [1, {"x": None}]}]),
        "within": {"none": iter(()), "true": True},
        "last": [1, 2],
    }


MADE = {
    "first": 1,
    "list": [{"name": 'a "b" \x1b', "deeper": ["0", "1", "2"]}, {"plain": [1, {"x": None}]}],
    "within": {"none": [], "true": True},
    "last": [1, 2],
}


def test_the_whole_has_lists_for_iterators() -> None:
    assert whole(view()) == MADE


def test_the_pieces_together_are_the_json_of_the_whole_in_the_same_order() -> None:
    assert json.loads("".join(pieces(view()))) == MADE
    assert "".join(pieces(view())) == json.dumps(MADE)


def test_an_item_is_made_when_its_piece_is_asked_for_and_not_before() -> None:
    made = list[int]()

    def items() -> Iterator[dict[str, int]]:
        for number in range(1000):
            made.append(number)
            yield {"number": number}

    coming = pieces({"items": items()})
    while '{"number": 0}' not in next(coming):
        assert len(made) <= 1
    assert made == [0]
    assert sum(1 for _ in coming) >= 1000
