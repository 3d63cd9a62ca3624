"""The exchanges that are told again, each kind once."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from ikevd.policy.nat import Encap, NatMethod
from ikevd.sa.model import NatTraversal
from ikevd.wire.registry import ExchangeType, Group
from tests.builders import ESP_AES128_SHA256, child, connection
from tests.conversation.retold import (
    Retold,
    Scenario,
    phase1,
    quick_mode_of,
)

NATTED = NatTraversal(NatMethod.RFC_3947, local=True, remote=True)
SCENARIOS: dict[str, Scenario] = {
    "Main Mode": lambda: phase1(ExchangeType.MAIN_MODE),
    "Main Mode in UDP": lambda: phase1(ExchangeType.MAIN_MODE, connection(encap=Encap.FORCE)),
    "Aggressive Mode": lambda: phase1(ExchangeType.AGGRESSIVE),
    "Quick Mode": lambda: quick_mode_of(),
    "Quick Mode in UDP": lambda: quick_mode_of(nat=NATTED),
    "Quick Mode with PFS": lambda: quick_mode_of(child(suites=(replace(ESP_AES128_SHA256, group=Group.ECP_256),))),
}


@cache
def undisturbed(scenario: str) -> Retold:
    return Retold(SCENARIOS[scenario]()).run()
