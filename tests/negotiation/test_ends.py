"""From which last block of phase 1 the peer goes on."""

from __future__ import annotations

from ikevd.frozen import replace
from ikevd.negotiation.ends import Ends
from tests.peer.records import isakmp

FIFTH, SIXTH = b"end of message 5", b"end of message 6"
ALTERED = b"altered 6", b"altered 5"
"""Behind the copy of message 5 whose end was altered on the way."""


def ends() -> Ends:
    """Of a responder of Main Mode to which message 5 came twice, once with another end."""
    found = Ends(replace(isakmp().sa, initiator=False, last_blocks=(SIXTH, FIFTH)))
    assert found.learn([ALTERED]) == ALTERED[:1]
    return found


def test_who_goes_on_from_its_own_last_message_does_not_have_ours_however_often_it_speaks() -> None:
    found = ends()
    assert found.prove(ALTERED[1])
    assert found.sa.last_blocks == (*ALTERED, SIXTH, FIFTH)
    assert found.prove(ALTERED[1])
    assert not found.prove(ALTERED[0])


def test_who_goes_on_from_our_last_message_has_it() -> None:
    found = ends()
    assert not found.prove(SIXTH)
    assert found.sa.last_blocks == (SIXTH, FIFTH, *ALTERED)


def test_an_initiator_has_sent_no_last_message() -> None:
    found = Ends(replace(isakmp().sa, initiator=True, last_blocks=(SIXTH,)))
    assert not found.prove(SIXTH)
