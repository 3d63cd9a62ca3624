"""A sample of `python -m tests.soak.hours`, which is part of `make soak`; and what is planted is caught."""

from __future__ import annotations

import pytest

from tests.mutant import Mutant
from tests.soak.hours.life import life
from tests.soak.hours.mutants import MUTANTS
from tests.soak.hours.troubles import trouble

LIVES, HOURS = (60, 61, 62), 4.0
"""In one of which each of what is planted is caught."""


@pytest.mark.long
@pytest.mark.parametrize("seed", [3, 9, 10])
def test_a_tunnel_lives_for_hours_whatever_happens(seed: int) -> None:
    outcome = life(seed, 1.0, trouble)
    assert outcome.wrong == ()
    assert outcome.troubles.total() > 10
    assert outcome.served > 3600


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", LIVES)
def test_the_lives_in_which_something_is_planted_go_well_without_it(seed: int) -> None:
    assert life(seed, HOURS, trouble).wrong == ()


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_what_is_planted_is_caught(mutant: Mutant) -> None:
    with mutant.planted():
        assert any(life(seed, HOURS, trouble).wrong for seed in LIVES)
