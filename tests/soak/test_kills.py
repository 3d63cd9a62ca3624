"""A sample of `python -m tests.soak.kills`, which is part of `make soak`."""

from __future__ import annotations

import pytest

from tests.soak.story import story


@pytest.mark.parametrize("seed", [14, 20])
@pytest.mark.long
def test_no_kill_cuts_a_tunnel_and_in_the_end_all_agree(seed: int) -> None:
    outcome = story(seed)
    assert outcome.wrong == ()
    assert outcome.kills.total() > 10
    assert outcome.served
