"""Two Quick Modes of one child that cross: which waits before it opens an SA."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.peer.child_state import ChildState, PairState
from ikevd.peer.crossing import must_wait
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.state import PeerState
from ikevd.sa.model import Cookies, IpsecSa, Spi
from tests.peer.records import NOW, A, B, ipsec, isakmp, mode, opening, ours, pair, peer

OURS, THEIRS = Attempt(7), Attempt(-1)
LOW, HIGH = Spi(0xC0000003), Spi(0xE0000003)
"""Smaller and larger than the SPI that we offer."""
OLD, LEFT = pair(1), pair(1, delete_at=NOW + 9, leave_at=NOW + 11)
NEW = pair(2, use_at=NOW + 4)


def asked(theirs: Spi, *, initiator: bool) -> IpsecSa:
    """The third pair. `theirs`: the peer's SPI."""
    return ipsec(3, outbound=theirs, initiator=initiator)


def making(attempt: Attempt, theirs: Spi) -> PairState:
    return replace(opening(3, attempt), sa=asked(theirs, initiator=attempt > 0))


def crossed(*pairs: PairState, under: Cookies = A, child: str = "lan", ending: bool = False) -> PeerState:
    """A Quick Mode of each end is under way; ours has offered its SPI."""
    mine = mode(child, spi=ours(3), under=under, ending=ending)
    return peer(isakmp(), lan=ChildState(pairs=pairs), modes={OURS: mine, THEIRS: mode(ours=False)})


@pytest.mark.parametrize(
    ("state", "theirs", "waits"),
    [
        (crossed(OLD), LOW, True),
        (crossed(OLD), HIGH, False),
        (crossed(OLD, making(OURS, HIGH)), HIGH, True),
        (crossed(), LOW, False),
        (crossed(OLD, under=B), LOW, False),
        (crossed(OLD, ending=True), LOW, False),
        (crossed(OLD, child="dmz"), LOW, False),
        (crossed(OLD, NEW, ending=True), LOW, True),
        (crossed(LEFT, replace(NEW, use_at=None), ending=True), LOW, False),
    ],
    ids=[
        "its SPI is the smaller one",
        "its SPI is the larger one",
        "ours is half made already",
        "no pair carries the child",
        "ours is under another ISAKMP SA",
        "ours ends",
        "ours is another child's",
        "a new pair is not used yet",
        "then the third one may be made",
    ],
)
def test_whether_that_of_the_peer_waits(state: PeerState, theirs: Spi, waits: bool) -> None:
    assert must_wait(state, THEIRS, asked(theirs, initiator=False)) == waits


@pytest.mark.parametrize(
    ("state", "waits"),
    [
        (crossed(OLD, making(THEIRS, HIGH)), True),
        (crossed(OLD, making(THEIRS, LOW)), False),
        (crossed(OLD), False),
        (crossed(making(THEIRS, HIGH)), False),
        (crossed(OLD, NEW), True),
    ],
    ids=[
        "that of the peer is half made, and first",
        "ours is first",
        "that of the peer has not come so far",
        "no pair carries the child",
        "a new pair is not used yet",
    ],
)
def test_whether_ours_waits(state: PeerState, waits: bool) -> None:
    assert must_wait(state, OURS, asked(HIGH, initiator=True)) == waits


def test_what_is_gone_waits_for_nothing() -> None:
    assert not must_wait(crossed(OLD), Attempt(9), asked(LOW, initiator=True))
