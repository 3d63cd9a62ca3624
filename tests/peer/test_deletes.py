"""Under which ISAKMP SA the peer is told of IPsec SAs that are gone."""

from __future__ import annotations

from dataclasses import replace

from ikevd.errors import NoAnswer
from ikevd.peer.child_state import ChildState
from ikevd.peer.command_facts import Unwanted
from ikevd.peer.exchange_facts import QuickModeFailed
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Restarted
from ikevd.peer.message_facts import Heard
from ikevd.peer.state import SaidDelete
from tests.builders import ALICE_TO_BOB
from tests.peer.records import LAST_WORD, NOW, A, B, isakmp, mode, ours, peer, told
from tests.peer.rows import UP

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


def test_after_a_restart_they_wait_until_a_quick_mode_of_ours_has_ended() -> None:
    """strongSwan forgets an exchange when three others follow, and could not read message 3."""
    begun, trying = Attempt(7), ChildState(wanted=True, attempt=Attempt(7))
    under_way = peer(isakmp(A), lan=trying, modes={7: mode(spi=ours(7))})
    before = replace(under_way, deletes_said=(SaidDelete(ours(), NOW - 1),))
    after, effects = told(before, Restarted(frozenset({begun})))
    assert (said(effects), after.deletes_to_send) == ([], (ours(),))
    after, effects = told(after, QuickModeFailed(begun, NoAnswer("silence"), spoken=True, sent=False))
    assert (said(effects), after.deletes_to_send) == (["say under A: delete d0000001"], ())
