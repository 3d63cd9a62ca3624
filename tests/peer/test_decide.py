"""The entry to the rules of a peer's life."""

from __future__ import annotations

from typing import get_args

from ikevd.peer import decide
from ikevd.peer.facts import Fact


def test_every_kind_of_fact_has_one_rule() -> None:
    rules = [*decide._RULES, *decide._RULES_OF_WAITING]

    assert sorted(rules, key=str) == sorted(get_args(Fact), key=str)
