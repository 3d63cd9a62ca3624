"""A thousand handshakes over a network that loses 30 %, doubles 10 %, delays and reorders, by seed."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import cache

import pytest

from ikevd.errors import IkeError
from tests.duet import Network
from tests.gateways import alice_and_bob, bring_up
from tests.virtual_time import run

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]  # 20 s on a quiet machine

HANDSHAKES = 1000
ATTEMPTS = 3
QUIET = 300.0


async def handshake(seed: int) -> tuple[int | None, bool]:
    """The attempt that succeeded (None: none of three), and whether both sides agree once all timers are over."""
    network = Network(loss=0.30, duplicate=0.10, jitter=0.2, seed=seed)
    _, alice, bob = alice_and_bob(network, seed=seed * 10)
    succeeded = None
    for attempt in range(1, ATTEMPTS + 1):
        try:
            await bring_up(alice)
        except IkeError:
            continue
        succeeded = attempt
        break
    await asyncio.sleep(QUIET)
    agree = alice.pairs == bob.pairs and len(alice.kernel.sas) == len(bob.kernel.sas) == 2 * alice.pairs
    return succeeded, agree


@cache
def outcomes() -> tuple[tuple[int | None, bool], ...]:
    return tuple(run(handshake(seed)) for seed in range(HANDSHAKES))


def test_nine_in_ten_complete_at_the_first_attempt() -> None:
    attempts = Counter(attempt for attempt, _ in outcomes())
    assert attempts[1] >= 0.9 * HANDSHAKES, attempts


def test_all_complete_within_three_attempts() -> None:
    attempts = Counter(attempt for attempt, _ in outcomes())
    assert attempts[None] == 0, attempts


def test_after_the_deadline_no_side_is_up_without_the_other() -> None:
    one_sided = [seed for seed, (_, agree) in enumerate(outcomes()) if not agree]
    assert len(one_sided) < HANDSHAKES / 1000, one_sided
