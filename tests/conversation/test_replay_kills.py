"""An exchange whose process is killed, at any point, ends as it would have."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from ikevd.errors import NoAnswer, ProbablePskMismatch
from ikevd.exchanges.link import OpenInbound, OpenOutbound
from tests.conversation.retold import (
    ROLES,
    Kill,
    Retold,
    Roles,
)
from tests.conversation.scenarios import SCENARIOS, undisturbed
from tests.duet import Network, Side


def kills() -> Iterator[tuple[str, Kill]]:
    """At every point of either side."""
    for scenario in SCENARIOS:
        for side in ROLES:
            for number in range(1, len(undisturbed(scenario).inputs[side].given) + 1):
                for said in (True, False):
                    for outage in (0.0, 5.0):
                        yield scenario, Kill(side, number, said, outage)


KILLS = pytest.mark.parametrize(("scenario", "kill"), list(kills()), ids=str)


def left_by(side: Side) -> object:
    """The SA, and of a Quick Mode the keys that stand in the kernel."""
    return side.result, {type(call): call for call in side.host.opened}


@KILLS
def test_an_exchange_that_is_killed_and_told_again_ends_with_the_same_sa_and_keys(scenario: str, kill: Kill) -> None:
    wanted, duet = undisturbed(scenario), Retold(SCENARIOS[scenario](), kill)
    duet.run()
    for ours, theirs in ((duet.initiator, wanted.initiator), (duet.responder, wanted.responder)):
        assert ours.error is None
        assert left_by(ours) == left_by(theirs)
        assert set(ours.sent) <= set(theirs.sent)


@pytest.mark.parametrize("scenario", ["Quick Mode", "Quick Mode with PFS"])
def test_both_sides_of_a_quick_mode_hold_the_same_keymat(scenario: str) -> None:
    duet = undisturbed(scenario)
    ours, theirs = ({type(call): call for call in side.host.opened} for side in (duet.initiator, duet.responder))
    for inbound, outbound in ((ours, theirs), (theirs, ours)):
        received, sent = inbound[OpenInbound], outbound[OpenOutbound]
        assert isinstance(received, OpenInbound)
        assert isinstance(sent, OpenOutbound)
        assert received.keys == sent.keys


class OftenKilled(Retold):
    """At a quarter of all points, either side, on a bad network; all by seed."""

    def __init__(self, roles: Roles, seed: int) -> None:
        super().__init__(roles, network=Network(loss=0.25, duplicate=0.2, jitter=0.5, seed=seed))
        self._chance = random.Random(seed)
        self.kills = 0

    def kill_now(self, side: str, number: int) -> Kill | None:
        if self._chance.random() >= 0.25:
            return None
        self.kills += 1
        return Kill(side, number, said=self._chance.random() < 0.5, outage=self._chance.choice((0.0, 0.3, 4.0)))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_however_often_both_sides_are_killed_on_a_bad_network_they_agree_or_hear_nothing(scenario: str) -> None:
    wanted, kills, up = undisturbed(scenario), 0, 0
    for seed in range(30):
        duet = OftenKilled(SCENARIOS[scenario](), seed).run()
        kills += duet.kills
        up += None not in (duet.initiator.result, duet.responder.result)
        for ours, theirs in ((duet.initiator, wanted.initiator), (duet.responder, wanted.responder)):
            assert isinstance(ours.error, NoAnswer | ProbablePskMismatch | None)
            assert ours.error or left_by(ours) == left_by(theirs)
            assert set(ours.sent) <= set(theirs.sent)
    assert kills > 30
    assert up > 20
