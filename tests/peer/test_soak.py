"""Two pure peers in virtual time: loss, refusing kernels, SAs that somebody removes, commands, and kills at every store
write and kernel call. At the end both ends, both stores and both kernels agree."""

from __future__ import annotations

import pytest

from tests.peer.soak.story import story

BAD = (462,)
"""Seeds that once found a fault: one end began anew three times, and the other held to what that had lost."""


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.long) for seed in (3, 4, 5, *BAD))])
def test_both_ends_agree_in_the_end(seed: int) -> None:
    outcome = story(seed)
    assert outcome.wrong == ()
    assert outcome.facts > 100


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_both_ends_agree_in_the_end_of_two_thousand_stories() -> None:
    outcomes = {seed: story(seed) for seed in range(2000)}
    assert {seed: outcome.wrong for seed, outcome in outcomes.items() if outcome.wrong} == {}
    assert sum(outcome.kills for outcome in outcomes.values()) > 10_000
