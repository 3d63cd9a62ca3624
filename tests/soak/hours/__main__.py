"""Tunnels that live for hours in virtual time, with all that happens to gateways, until there were enough hours.

python -m tests.soak.hours --hours 1000 --seed 0
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter

from tests.soak.hours.life import HOUR, Outcome, life
from tests.soak.hours.troubles import trouble

LIFE = 8.0
"""Hours of one life."""


SAME = {"PYTHONHASHSEED": "0"}
"""By which the order of a set is the same in every process, so that a seed tells all."""


def main() -> None:
    """Prints each seed whose life went badly, and why; exits with 1 then."""
    if not os.environ.items() >= SAME.items():
        os.execve(sys.executable, [sys.executable, "-m", "tests.soak.hours", *sys.argv[1:]], os.environ | SAME)  # noqa: S606  (no shell)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1000, help="in which a tunnel stood, summed over tunnels")
    parser.add_argument("--seed", type=int, default=0, help="of the first life; each next one has the next")
    options = parser.parse_args()
    begin, seed, lives = time.monotonic(), options.seed, list[Outcome]()
    while sum(one.served for one in lives) < options.hours * HOUR:
        lives.append(life(seed, LIFE, trouble))
        seed += 1
        if lives[-1].wrong:
            print(f"seed {lives[-1].seed}:", *lives[-1].wrong, sep="\n  ", flush=True)
    report(lives, time.monotonic() - begin)
    raise SystemExit(any(one.wrong for one in lives))


def report(lives: list[Outcome], seconds: float) -> None:
    """What they came to."""
    troubles, most = sum((one.troubles for one in lives), Counter[str]()), Counter[str]()
    for number in lives:
        most |= number.most
    for what, count in sorted(troubles.items()):
        print(f"{count:7,} times {what.replace('_', ' ')}")
    for what, count in sorted(most.items()):
        print(f"{count:7,} {what} at most")
    bad = [one.seed for one in lives if one.wrong]
    print(
        f"{sum(one.served for one in lives) / HOUR:,.0f} tunnel-hours in {len(lives)} lives of "
        f"{sum(one.seconds for one in lives) / HOUR:,.0f} hours (seeds {lives[0].seed} to {lives[-1].seed}), "
        f"{sum(one.facts for one in lives):,} stored facts, {sum(one.packets['sent'] for one in lives):,} packets, "
        f"{seconds:.0f} s: {len(bad)} went badly, seeds {bad[:20]}"
    )


if __name__ == "__main__":
    main()
