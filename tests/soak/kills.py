"""Kills in virtual time, at every store write and kernel call of two machines, until there were enough.

python -m tests.soak.kills --kills 10000 --seed 0
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

from tests.soak.story import Outcome, story


def main() -> None:
    """Prints each seed whose story ended badly, and why; exits with 1 then."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first story; each next one has the next")
    options = parser.parse_args()
    begin, seed, kills, served, bad = time.monotonic(), options.seed, Counter[str](), 0, list[Outcome]()
    while kills.total() < options.kills:
        outcome = story(seed)
        kills, served, seed = kills + outcome.kills, served + outcome.served, seed + 1
        if outcome.wrong:
            bad.append(outcome)
            print(f"seed {outcome.seed}:", *outcome.wrong, sep="\n  ", flush=True)
    for point, number in sorted(kills.items()):
        print(f"{number:7,} {point}")
    seconds = time.monotonic() - begin
    print(
        f"{kills.total():,} kills in {seed - options.seed:,} stories (seeds {options.seed} to {seed - 1}), "
        f"{served:,} tunnels, {seconds:.0f} s: {len(bad)} stories ended badly, seeds {[one.seed for one in bad[:20]]}"
    )
    raise SystemExit(bool(bad))


if __name__ == "__main__":
    main()
