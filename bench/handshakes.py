"""CPU time of the responder for one Main Mode with its Quick Mode, beside the bare cryptography and beside charon.

Bursts of handshakes alternate between the responders and between the suites, so that a busy machine slows all alike;
the ratio is the median over the rounds of neighbouring bursts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from bench.bare import GROUPS, bare_cryptography
from bench.report import table, verdict
from bench.sides import Side, sides
from bench.sites import Spoke, Suite, suite

RATIO_AIMS = {"modp2048": 0.6, "ecp256": 1.2, "curve25519": 1.2}
"""To charon's CPU time."""
MODP1024_AIM = 2.5
"""Milliseconds."""


async def handshakes(*, rounds: int, each: int, charon: bool, netlink: bool) -> str:
    """The table."""
    suites = [(group, pfs, suite(group, pfs=pfs)) for group in GROUPS for pfs in (False, True)]
    bursts = _bursts([wanted for _, _, wanted in suites], rounds, each)
    everyone = [spoke for burst in bursts.values() for spokes in burst for spoke in spokes]
    async with sides(everyone, charon=charon, netlink=netlink) as responders:
        costs = await _measure(responders, bursts)
    rows = [_row(group, pfs, wanted, costs, native=not netlink) for group, pfs, wanted in suites]
    head = ("ms of CPU for each handshake", *costs[0], "bare crypto", "ratio to charon", "")
    return table(head, rows)


def _bursts(suites: Sequence[Suite], rounds: int, each: int) -> Mapping[Suite, Sequence[Sequence[Spoke]]]:
    """For each suite one burst to warm up and one for each round, of spokes that nobody else uses."""
    numbers = iter(range(len(suites) * (rounds + 1) * each))
    return {
        wanted: [[Spoke(next(numbers), wanted) for _ in range(each)] for _ in range(rounds + 1)] for wanted in suites
    }


async def _measure(
    responders: Sequence[Side], bursts: Mapping[Suite, Sequence[Sequence[Spoke]]]
) -> list[dict[str, dict[Suite, float]]]:
    """For each round: by responder and suite the cost of a handshake."""
    rounds = []
    for number in range(len(next(iter(bursts.values())))):
        costs: dict[str, dict[Suite, float]] = {side.hub.name: {} for side in responders}
        for wanted, spokes in bursts.items():
            for side in responders if number % 2 else reversed(responders):
                costs[side.hub.name][wanted] = await side.cost(spokes[number])
        rounds.append(costs)
    return rounds[1:]


def _row(
    group: str, pfs: bool, wanted: Suite, rounds: Sequence[Mapping[str, Mapping[Suite, float]]], *, native: bool
) -> list[str]:
    cost = {name: median(costs[name][wanted] for costs in rounds) for name in rounds[0]}
    cells = [wanted.name, *(f"{value:.2f}" for value in cost.values()), f"{bare_cryptography(group, pfs=pfs):.2f}"]
    if "charon" not in cost:
        ratio, judged = "-", ""
    else:
        value = median(costs["ikevd"][wanted] / costs["charon"][wanted] for costs in rounds)
        ratio, judged = f"{value:.2f}", verdict(value, RATIO_AIMS.get(group))
    if group == "modp1024" and native and not pfs:
        judged = verdict(cost["ikevd"], MODP1024_AIM, "ms")
    return [*cells, ratio, judged]
