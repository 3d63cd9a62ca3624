"""What brings a child up, as a table (`tests.peer.rows`)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.peer.facts import Wanted
from ikevd.policy.model import Start
from tests.peer.records import LAN, VIEW
from tests.peer.rows import DOWN, UP, Row, lan

PASSIVE = replace(VIEW, children=(replace(LAN, start=Start.PASSIVE),))
PEER_ONLY = "answer lan: Abandoned (only the peer brings lan up (start: passive))"

ROWS = [
    Row("a command brings up no passive child", lan(DOWN), Wanted("lan"), DOWN, (PEER_ONLY,), view=PASSIVE),
    Row(
        "but it takes back what another command did",
        lan(replace(DOWN, open=True, by_command=True)),
        Wanted("lan"),
        DOWN,
        (PEER_ONLY,),
        view=PASSIVE,
    ),
    Row(
        "a passive child that stands is up, and not called again when it goes",
        lan(replace(UP, wanted=False)),
        Wanted("lan"),
        replace(UP, wanted=False),
        ("answer lan: up",),
        view=PASSIVE,
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=[row.rule for row in ROWS])
def test_what_follows(row: Row) -> None:
    row.hold()
