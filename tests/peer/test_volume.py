"""A volume that is used up as soon as a pair stands brings no storm: a pair is so old at least before it is rekeyed by
volume, or made anew, and what we have set ourselves is never exceeded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.errors import Said
from ikevd.host.sas import SaId
from ikevd.peer.child_state import ChildState, PairState
from ikevd.peer.desired import desired_child
from ikevd.peer.kernel_facts import Acquired, Expired
from ikevd.peer.timing import SOONEST_BY_PEER, SOONEST_BY_VOLUME
from ikevd.peer.volume_facts import SoftExpired
from ikevd.policy.child import Start
from ikevd.policy.lives import Lifetime
from tests.builders import BOB
from tests.peer.records import LAN, NOW, VIEW, ipsec, isakmp, ours, pair, peer, theirs, told
from tests.peer.rows import DOWN, ELEVEN, UP, WANTED, Row, dmz, lan

OVER = Said("lifetime ended")
DEMAND = replace(VIEW, children=(replace(LAN, start=Start.ON_DEMAND),))
MEBIBYTES = 10_240
SMALL = pair(1, sa=ipsec(lifetime=Lifetime(3600, MEBIBYTES)), born=NOW - 0.5, expires=NOW + 3599, rekey_at=NOW + 2700)
THEIRS = replace(SMALL, sa=replace(SMALL.sa, initiator=False))
OLD_ENOUGH = replace(SMALL, born=NOW - SOONEST_BY_VOLUME)
TOLD = (
    "record of A: most of the 10240 kB of an IPsec SA of lan were used up in 0.5 s, sooner than another one is made: "
    "at this rate lifetime_kilobytes of 1228800 (or more, at both ends) would last a minute"
)


def child(one: PairState, **changes: object) -> ChildState:
    return replace(UP, pairs=(one,), **changes)  # type: ignore[arg-type]


ROWS = [
    Row(
        "a young pair is rekeyed when it is 2 s old, and the operator is told what would be right",
        lan(child(SMALL)),
        SoftExpired("lan", ours(1)),
        child(replace(SMALL, rekey_at=SMALL.born + SOONEST_BY_VOLUME), hurried=True),
        (TOLD,),
    ),
    Row(
        "by the end that did not begin it a second later",
        lan(child(THEIRS, hurried=True)),
        SoftExpired("lan", ours(1)),
        child(replace(THEIRS, rekey_at=SMALL.born + SOONEST_BY_PEER), hurried=True),
    ),
    Row(
        "the operator is told once",
        lan(child(SMALL, hurried=True)),
        SoftExpired("lan", ours(1)),
        child(replace(SMALL, rekey_at=SMALL.born + SOONEST_BY_VOLUME), hurried=True),
    ),
    Row(
        "a pair that would be rekeyed sooner still is",
        lan(child(replace(SMALL, rekey_at=NOW + 0.1), hurried=True)),
        SoftExpired("lan", ours(1)),
        child(replace(SMALL, rekey_at=NOW + 0.1), hurried=True),
    ),
    Row(
        "one that is old enough is rekeyed at once",
        lan(child(OLD_ENOUGH, hurried=True)),
        SoftExpired("lan", ours(1)),
        child(replace(OLD_ENOUGH, rekey_at=None), attempt=ELEVEN),
        ("begin lan as 11 under A",),
    ),
    # -- the kernel has ended it
    Row(
        "a young pair whose volume is used up is made anew when it would be 2 s old",
        lan(child(SMALL)),
        Expired("lan", ours(1)),
        replace(WANTED, cause=OVER, since=NOW, retry_at=SMALL.born + SOONEST_BY_VOLUME),
        ("say under A: delete d0000001",),
    ),
    Row(
        "by whatever command it is up: but for its age it would have been rekeyed",
        dmz(child(SMALL)),
        Expired("dmz", ours(1)),
        replace(WANTED, cause=OVER, since=NOW, retry_at=SMALL.born + SOONEST_BY_VOLUME),
        ("say under A: delete d0000001",),
        name="dmz",
    ),
    Row(
        "so is that of a child on demand",
        lan(child(SMALL, wanted=False)),
        Expired("lan", ours(1)),
        replace(DOWN, cause=OVER, since=NOW, retry_at=SMALL.born + SOONEST_BY_VOLUME),
        ("say under A: delete d0000001",),
        view=DEMAND,
    ),
    Row(
        "an older one at once",
        lan(child(OLD_ENOUGH)),
        Expired("lan", ours(1)),
        replace(WANTED, cause=OVER, since=NOW, attempt=ELEVEN),
        ("say under A: delete d0000001", "begin lan as 11 under A"),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=[row.rule for row in ROWS])
def test_what_follows(row: Row) -> None:
    row.hold()


def test_a_packet_that_meets_the_trap_meanwhile_waits_as_well() -> None:
    _, effects = told(peer(isakmp(), lan=child(SMALL)), Expired("lan", ours(1)), Acquired("lan"), view=DEMAND)
    assert effects == []


@pytest.mark.parametrize(
    ("agreed", "set_by_us", "in_kernel"),
    [
        (None, None, None),
        (MEBIBYTES, MEBIBYTES, MEBIBYTES),
        (MEBIBYTES, None, 4_608_000),
        (MEBIBYTES, 20_480, 20_480),
        (MEBIBYTES, 9_000_000, 4_608_000),
        (8_000_000, None, 8_000_000),
        (8_000_000, 8_000_000, 8_000_000),
    ],
    ids=["none", "ours", "theirs", "theirs below ours", "theirs far below ours", "theirs is large", "both are"],
)
def test_the_kernel_ends_an_sa_at_what_we_have_set_and_no_sooner_than_a_pair_can_be_rekeyed(
    agreed: int | None, set_by_us: int | None, in_kernel: int | None
) -> None:
    configured = replace(LAN, lifetime=Lifetime(3600, set_by_us))
    state = ChildState(pairs=(replace(SMALL, sa=ipsec(lifetime=Lifetime(3600, agreed))),))
    sas = desired_child(VIEW, configured, state).sas
    assert {sa.lifetime.kilobytes for sa in sas.values()} == {in_kernel}
    assert SaId(BOB, theirs(1)) in sas
