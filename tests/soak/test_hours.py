"""A sample of `python -m tests.soak.hours`, which is part of `make soak`; and what is planted is caught."""

from __future__ import annotations

import pytest

from tests.mutant import Mutant
from tests.soak.hours.life import life
from tests.soak.hours.mutants import MUTANTS
from tests.soak.hours.troubles import trouble

LIVES, HOURS = range(60, 72), 4.0
"""In which each of what is planted is caught."""


@pytest.mark.long
@pytest.mark.parametrize("seed", [3, 9, 10])
def test_a_tunnel_lives_for_hours_whatever_happens(seed: int) -> None:
    outcome = life(seed, 1.0, trouble)
    assert outcome.wrong == ()
    assert outcome.troubles.total() > 10
    assert outcome.served > 3600


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_what_is_planted_is_caught(mutant: Mutant) -> None:
    with mutant.planted():
        assert any(life(seed, HOURS, trouble).wrong for seed in LIVES)
