"""Kills while the tunnel that a flood ping crosses is rekeyed, its ISAKMP SA renewed, or a peer asked whether it lives.

What such a kill must leave: the tunnel, and in the end one pair on both sides, under an ISAKMP SA that both have.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.eventually import eventually
from tests.interop.keyed_sas import keyed_sas
from tests.interop.kills import Act, Point, Restarts, Standing, serving
from tests.interop.moments import Moment, Place

PROBING = "dpd: {mode: periodic, delay: 2s, timeout: 5m}"
"""Each side asks the other, whatever crosses. On a busy machine the next process answers after half a minute only."""
RETIRED = 120
"""Seconds after which nothing of what was replaced is left, by far."""
AT_MOST = 4
"""SAs of one child: two pairs."""


def _messages(kind: str, *counts: int) -> list[tuple[Place, str, int]]:
    """Those that leave and those that come."""
    return [(Place.WIRE, f"{kind} from {side}", count) for count in counts for side in ("here", "there")]


def _points() -> Iterator[Point]:
    last_of = {side: [(Place.WIRE, f"Quick Mode from {side}", 2)] for side in ("here", "there")}
    kernel = [(Place.KERNEL, event, 1) for event in ("UPDSA", "NEWSA", "UPDPOLICY")]
    store = [(Place.STORE, "written", count) for count in (1, 4, 8, 12)]
    for act, moments in (
        (Act.REKEY, [*_messages("Quick Mode", 1), *last_of["here"], *kernel, *store]),
        (Act.PEER_REKEY, [*_messages("Quick Mode", 1), *last_of["there"], *kernel, *store]),
        (Act.FORMER_ENDS, [(Place.KERNEL, "DELSA", 1), (Place.KERNEL, "DELSA", 2)]),
        (Act.RENEW, [*_messages("Main Mode", 1, 2, 3), *_messages("Quick Mode", 1), *store[:2]]),
        (Act.PEER_RENEW, [*_messages("Main Mode", 1, 2, 3), *store[:2]]),
        (Act.PROBES, _messages("Informational", 1, 2)),
    ):
        yield from (Point(act, Moment(*moment)) for moment in moments)


LIFE_POINTS = tuple(_points())


class Lives(Restarts):
    """As `Restarts`; whatever replaces what, the tunnel stands."""

    def _holds(self, point: Point, before: Standing) -> None:
        """The tunnel carries what each side sends."""
        eventually(self._carries)

    def _carries(self) -> bool:
        """Does each side hold what the other sends by, and neither more than two pairs? (strongSwan sends by the newest
        pair alone, so that it lacks one half of the former.)"""
        a, b = self._topology.gw_a, self._topology.gw_b
        here, there = keyed_sas(a), keyed_sas(b)
        sent_by = {sa for sa in here if sa[1] == a.address}, {sa for sa in there if sa[1] == b.address}
        return all(sent_by) and sent_by[0] <= there and sent_by[1] <= here and max(len(here), len(there)) <= AT_MOST

    def settle(self) -> None:
        """What was replaced goes: one pair and one ISAKMP SA are left on both sides, and both sides go on under it."""
        try:
            eventually(lambda: (len(self._agreed()), len(self._common())), (2, 1).__eq__, within=RETIRED)
            self._goes_on(self.standing())
        except AssertionError as error:
            error.add_note(self._told(Point(Act.NOTHING)))
            raise

    def _common(self) -> set[str]:
        """The ISAKMP SAs that both sides have, and that neither has replaced. (strongSwan keeps one that it has renewed
        for hours, its `over_time`; ikevd answers under it for as long.)"""
        return serving(self._ikevd) & self._opposite.serving()
