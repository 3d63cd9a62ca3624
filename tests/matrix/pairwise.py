"""All pairs: few cases in which every two values of two dimensions meet at least once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product

Case = Mapping[str, str]
Pair = tuple[tuple[str, str], tuple[str, str]]
"""Two (dimension, value), the dimensions in their given order."""


def all_pairs(
    dimensions: Mapping[str, Sequence[str]],
    allowed: Callable[[Case], bool],
    *,
    independent: Sequence[frozenset[str]] = (),
    seeds: Iterable[Case] = (),
) -> list[Case]:
    """Cases, always the same for the same arguments, that cover every pair that `allowed` lets exist.

    `allowed` is asked of partial cases too, and says no as soon as a case cannot be completed. Two dimensions in
    `independent` need not meet in all their values. `seeds` are partial cases that shall occur in any event.
    """
    search = _Search(dimensions, allowed, dict.fromkeys(_pairs(dimensions, independent)))
    for seed in seeds:
        search.add(seed)
    while search.open:
        search.add(dict(next(iter(search.open))))
    return search.cases


def _pairs(dimensions: Mapping[str, Sequence[str]], independent: Sequence[frozenset[str]]) -> Iterator[Pair]:
    """The largest dimensions first: their pairs need the most cases, and the rest falls in on the way."""
    both = [pair for pair in combinations(dimensions, 2) if frozenset(pair) not in independent]
    for left, right in sorted(both, key=lambda pair: -len(dimensions[pair[0]]) * len(dimensions[pair[1]])):
        for values in product(dimensions[left], dimensions[right]):
            yield (left, values[0]), (right, values[1])


class _Search:
    def __init__(
        self, dimensions: Mapping[str, Sequence[str]], allowed: Callable[[Case], bool], pairs: dict[Pair, None]
    ) -> None:
        self._dimensions = dimensions
        self._places = {name: place for place, name in enumerate(dimensions)}
        self._allowed = allowed
        self._met = Counter[Pair]()
        self.open = pairs
        self.cases: list[Case] = []

    def add(self, given: Case) -> None:
        """One more case that has what is given; where there is none, the pairs of `given` cannot be."""
        case = self._complete(given)
        if case is not None:
            self.cases.append(case)
            self._met.update(combinations(case.items(), 2))
        for met in combinations((case or given).items(), 2):
            self.open.pop(met, None)

    def _complete(self, given: Case) -> Case | None:
        """Fill the other dimensions in their order, each with what closes most pairs, and then with what met the rest
        of the case least: so that three values that nobody asked for meet too."""
        if not self._allowed(given):
            return None
        name = next((name for name in self._dimensions if name not in given), None)
        if name is None:
            return {name: given[name] for name in self._dimensions}

        def merit(value: str) -> tuple[int, int]:
            pairs = [self._pair((name, value), met) for met in given.items()]
            return sum(pair in self.open for pair in pairs), -sum(self._met[pair] for pair in pairs)

        for value in sorted(self._dimensions[name], key=merit, reverse=True):
            case = self._complete({**given, name: value})
            if case is not None:
                return case
        return None

    def _pair(self, one: tuple[str, str], other: tuple[str, str]) -> Pair:
        return (one, other) if self._places[one[0]] < self._places[other[0]] else (other, one)
