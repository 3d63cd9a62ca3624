"""What brings a child up, as a table (`tests.peer.rows`)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.host.events import Packet
from ikevd.peer.child_state import Flaps
from ikevd.peer.command_facts import Wanted
from ikevd.peer.exchange_facts import QuickModeFailed
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Due
from ikevd.peer.kernel_facts import Acquired
from ikevd.peer.start import pause
from ikevd.peer.timing import SPREAD, backoff
from ikevd.policy.child import Start
from tests.peer.records import KEY, LAN, NOW, VIEW, isakmp, later, mode, peer, theirs
from tests.peer.rows import BY_PEER, DOWN, ELEVEN, NO, REFUSED, UP, WANTED, YOUNG, Row, deleted, lan, new, under_way, up

ON_DEMAND, PASSIVE = (
    replace(VIEW, children=(replace(LAN, start=start),)) for start in (Start.ON_DEMAND, Start.PASSIVE)
)
FAILS_OPEN = replace(VIEW, children=(replace(LAN, fail_open=True),))
PACKET = Packet(ip_address("10.1.0.10"), ip_address("10.2.0.10"), 6, 443)
PEER_ONLY = "answer lan: Abandoned (only the peer brings lan up (start: passive))"

ROWS = [
    # -- passive
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
    # -- on demand
    Row(
        "a packet begins a child that is on demand",
        lan(DOWN),
        Acquired("lan", PACKET),
        replace(WANTED, attempt=ELEVEN),
        ("begin lan as 11 under A: a packet from 10.1.0.10 to 10.2.0.10 (protocol 6, port 443) asks for lan",),
        view=ON_DEMAND,
    ),
    Row(
        "and phase 1 where none stands",
        peer(lan=DOWN),
        Acquired("lan", replace(PACKET, protocol=1, port=0)),
        WANTED,
        ("begin phase 1 as 11: a packet from 10.1.0.10 to 10.2.0.10 (protocol 1) asks for lan",),
        view=ON_DEMAND,
    ),
    Row("no packet begins one that is not", lan(DOWN), Acquired("lan"), DOWN),
    Row(
        "nor one that the operator has taken down",
        lan(replace(DOWN, by_command=True)),
        Acquired("lan"),
        replace(DOWN, by_command=True),
        view=ON_DEMAND,
    ),
    Row(
        "nor one that is held, but whose packets leave in the clear",
        lan(replace(DOWN, held=True)),
        Acquired("lan"),
        replace(DOWN, held=True),
        view=FAILS_OPEN,
    ),
    Row("nor one that is up", lan(UP), Acquired("lan"), UP, view=ON_DEMAND),
    Row(
        "nor one that begins already",
        peer(isakmp(), lan=replace(WANTED, attempt=Attempt(7)), modes={7: mode()}),
        Acquired("lan"),
        replace(WANTED, attempt=Attempt(7)),
        view=ON_DEMAND,
    ),
    Row(
        "after a failure the trap stays, and begins it no sooner than after a pause",
        under_way(WANTED),
        QuickModeFailed(Attempt(7), NO, spoken=True, sent=True),
        replace(DOWN, cause=REFUSED, failures=1, retry_at=later(1)),
        ("answer lan: PeerRefused (no)",),
        view=ON_DEMAND,
    ),
    Row(
        "a packet that comes meanwhile is remembered",
        lan(replace(DOWN, failures=1, retry_at=NOW + 1)),
        Acquired("lan"),
        replace(WANTED, failures=1, retry_at=NOW + 1),
        view=ON_DEMAND,
    ),
    Row(
        "and begins it when the pause is over",
        lan(replace(WANTED, failures=1, retry_at=NOW)),
        Due(("lan",)),
        replace(WANTED, failures=1, attempt=ELEVEN),
        ("begin lan as 11 under A",),
        view=ON_DEMAND,
    ),
    Row(
        "without one the trap waits on",
        lan(replace(DOWN, failures=1, retry_at=NOW)),
        Due(("lan",)),
        replace(DOWN, failures=1),
        view=ON_DEMAND,
    ),
    Row(
        "where the peer deletes its pair the trap is left",
        lan(UP),
        deleted(theirs(1)),
        replace(DOWN, cause=BY_PEER, since=NOW),
        view=ON_DEMAND,
    ),
    Row(
        "a pair that the peer deletes within 10 s is a failure, whoever made it",
        lan(replace(UP, pairs=(YOUNG,), wanted=False)),
        deleted(theirs(4)),
        replace(DOWN, cause=BY_PEER, since=NOW, failures=1, retry_at=later(1), flaps=Flaps(1, NOW)),
        view=ON_DEMAND,
    ),
    Row(
        "a packet for a child that is held begins it, whatever its start action",
        lan(replace(DOWN, held=True)),
        Acquired("lan"),
        replace(WANTED, held=True, attempt=ELEVEN),
        ("begin lan as 11 under A: a packet that came before ikevd listened asks for lan",),
    ),
    Row(
        "a held child that fails is held on",
        under_way(replace(WANTED, held=True)),
        QuickModeFailed(Attempt(7), NO, spoken=True, sent=True),
        replace(DOWN, held=True, cause=REFUSED, failures=1, retry_at=later(1)),
        ("answer lan: PeerRefused (no)",),
    ),
    Row(
        "one that is up is held no more",
        under_way(replace(WANTED, held=True)),
        up(),
        replace(WANTED, pairs=(new(3),), since=NOW),
        ("answer lan: up",),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=[row.rule for row in ROWS])
def test_what_follows(row: Row) -> None:
    row.hold()


def test_what_failed_together_is_not_tried_again_together() -> None:
    for failures in (1, 4, 9, 1000):
        pauses = [pause(KEY, f"lan[{number}]", failures) for number in range(1000)]
        assert len(set(pauses)) > 200
        assert backoff(failures) * (1 - SPREAD) <= min(pauses) < max(pauses) <= backoff(failures)
