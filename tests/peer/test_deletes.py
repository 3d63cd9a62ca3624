"""Under which ISAKMP SA the peer is told of IPsec SAs that are gone."""

from __future__ import annotations

from ikevd.peer.command_facts import Unwanted
from ikevd.peer.isakmp_state import LastFlight
from ikevd.peer.message_facts import Heard
from tests.builders import ALICE_TO_BOB
from tests.peer.records import A, B, isakmp, ours, peer, told
from tests.peer.rows import UP

LAST_WORD = LastFlight(b"message 5", (b"message 6",))
"""Ours, which may have been lost."""
RENEWED = peer(isakmp(A), isakmp(B, last_flight=LAST_WORD), lan=UP)


def said(effects: list[str]) -> list[str]:
    return [effect for effect in effects if effect.startswith("say")]


def test_where_the_peer_may_not_have_the_newest_it_is_told_under_the_one_that_it_has_too() -> None:
    after, effects = told(RENEWED, Unwanted(("lan",)))
    assert said(effects) == ["say under B: delete d0000001", "say under A: delete d0000001"]
    assert [one.spi for one in after.deletes_said] == [ours()]


def test_once_the_peer_has_spoken_under_the_newest_it_is_told_there_alone() -> None:
    _, effects = told(RENEWED, Heard(B, ALICE_TO_BOB), Unwanted(("lan",)))
    assert said(effects) == ["say under B: delete d0000001"]


def test_where_there_is_no_other_one_it_is_told_under_that_which_it_may_not_have() -> None:
    _, effects = told(peer(isakmp(B, last_flight=LAST_WORD), lan=UP), Unwanted(("lan",)))
    assert said(effects) == ["say under B: delete d0000001"]
