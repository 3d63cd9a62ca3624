"""How often something happened: datagrams dropped by reason, and the like."""

from __future__ import annotations

from collections import Counter

MAX_NAMES = 200


class Counters:
    """Named counts; the number of names is bounded, whatever peers send."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def count(self, name: str) -> None:
        """One more of `name`."""
        known = name in self._counts or len(self._counts) < MAX_NAMES
        self._counts[name if known else "other"] += 1

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def as_dict(self) -> dict[str, int]:
        """All counts by name."""
        return dict(sorted(self._counts.items()))
