"""Both ends rekey one child at one moment, with packets across: two pairs at most, in the end one, no packet lost."""

from __future__ import annotations

import pytest

from tests.duet import Network
from tests.negotiation.crossings import against_a_careless_peer, between_two_ikevd
from tests.virtual_time import run


def test_two_ikevd_rekey_at_one_moment() -> None:
    assert run(between_two_ikevd(20, Network(), 1)) == 0


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long), pytest.param(2, marks=pytest.mark.long)])
def test_and_messages_are_lost(seed: int) -> None:
    """Message 3 may come late, when the oldest pair has gone: of some 9,000 packets a few seconds' worth are lost."""
    assert run(between_two_ikevd(5, Network(loss=0.2, duplicate=0.1, jitter=0.03, seed=seed), seed)) < 100


def test_a_peer_that_follows_no_rule_rekeys_at_the_same_moment() -> None:
    run(against_a_careless_peer(30, 1))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_thousand_crossings_with_a_peer_that_follows_no_rule() -> None:
    run(against_a_careless_peer(1000, 2))
