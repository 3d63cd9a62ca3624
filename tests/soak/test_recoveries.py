"""The tunnel is soon back on a bad network, whoever has lost everything; `recoveries` prints the distribution."""

from __future__ import annotations

import pytest

from tests.soak.recoveries import RECOVERIES, Recovery, held, trials

EACH = pytest.mark.parametrize("recovery", RECOVERIES, ids=lambda recovery: recovery.name)


@pytest.mark.long
@EACH
def test_nearly_always_within_the_promised_time(recovery: Recovery) -> None:
    assert held(recovery, trials(recovery, range(30))) >= 29


@pytest.mark.soak
@pytest.mark.timeout(900)
@EACH
def test_in_98_of_100_trials(recovery: Recovery) -> None:
    assert held(recovery, trials(recovery, range(1000))) >= 980
