"""`unreachable` routes: several connections may have the same one. It stands as long as one of them wants it."""

from __future__ import annotations

from collections.abc import Iterable

from ikevd.host.links import Route, Thing


class Unreachable:
    """Who wants which, of one daemon."""

    def __init__(self) -> None:
        self._of = dict[object, frozenset[Route]]()
        self._by = dict[Route, set[object]]()

    def want(self, who: object, things: Iterable[Thing]) -> frozenset[Route]:
        """What is unreachable of these, and nothing else any more, is wanted by `who`."""
        self.release(who)
        routes = unreachable(things)
        if routes:
            self._of[who] = routes
        for route in routes:
            self._by.setdefault(route, set()).add(who)
        return routes

    def release(self, who: object) -> None:
        """It wants none any more."""
        for route in self._of.pop(who, ()):
            self._by[route].discard(who)
            if not self._by[route]:
                del self._by[route]

    def is_wanted(self, thing: Thing) -> bool:
        """By anybody?"""
        return thing in self._by


def unreachable(things: Iterable[Thing]) -> frozenset[Route]:
    """Those of them that lead nowhere."""
    return frozenset(thing for thing in things if isinstance(thing, Route) and thing.link is None)
