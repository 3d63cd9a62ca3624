"""All delays in the life of one peer, in seconds. Those of one exchange stand in `conversation.timing`."""

from __future__ import annotations

# RFC 2408 and 2409 name none of them; all are ours.

# -- a child that is down ---------------------------------------------------------------------------------------------

FIRST_RETRY = 2.0
LAST_RETRY = 300.0
"""Each pause is twice the one before, up to this."""
SPREAD = 0.25
"""Of a pause: by up to so much it is shorter."""
FLAPPING = 10.0
"""A pair that the peer deletes within so many seconds counts as a failure, so that two gateways do not spin."""
STEADY = 30.0
"""Such failures are forgotten once a pair has stood for so many seconds and for as long as the last pause."""

# -- a child that is up -----------------------------------------------------------------------------------------------

BACKSTOP = 100 * 365 * 86_400
"""The time limit of an SA in the kernel, in seconds: beyond any step of the machine's clock, by which the kernel
counts. When a pair ends is decided here, on a clock that nobody sets."""

PAIR_MARGIN, LONGEST_PAIR_MARGIN = 0.1, 300.0
"""A pair is rekeyed by the end that began it this share of its life before its end, or so many seconds if that is less;
jitter makes it up to twice as much. A lost message, or a new phase 1, has its time."""
SOFT_VOLUME, SOFT_VOLUME_OF_PEERS, VOLUME_JITTER = 0.75, 0.88, 0.05
"""The share of its kilobytes at which a pair is rekeyed by the end that began it, and by the other end; jitter takes
away some. At 1 Gb/s 4,608,000 kB are 38 s: 9 s and 4.5 s are left."""
SOONEST_BY_VOLUME, SOONEST_BY_PEER = 2.0, 3.0
"""A pair is this old before it is rekeyed by volume, or made anew once its volume is used up: by the end that began it,
and by the other end."""
LAST_LOOK = 2.0
"""Whether a pair has carried a packet (`rekey: if_used`) is asked last so long before its end."""
REKEY_BLOCKED = 5.0
"""What cannot be rekeyed just now is looked at again so much later."""
USED_AFTER = 5.0
"""So long the initiator goes on with the old pair: a peer installs the new one perhaps only when message 3 comes, and
strongSwan asks for one that was lost after 4 s."""
USED_SOON = 1.0
"""Likewise, where a volume is counted that may be used up quickly."""
DELETED_AFTER, DELETED_BY_PEER_AFTER, NOT_BOTH = 14.0, 18.0, 2.0
"""So long after another pair is used the one before it is deleted: by the end that began the new one, later by the
other end if that does not. Where each end holds another pair for the newer one, since their Quick Modes crossed, one of
the two waits a little longer, or else they would delete both."""
HEARD_BY_THEN = 4.0
"""A process deletes none so soon after it has begun: what the peer has deleted meanwhile it says again in that time."""
LINGERS = 2.0
"""So long after its Delete is said a pair is still received on. In all, 30 s after a Quick Mode one pair is left."""

ASK_AGAIN = 2.0
"""A peer that seems to have moved is asked at its new address, after so long again if something comes from there."""
MOVES, MOVES_WITHIN = 6, 60.0
"""So many times within so many seconds a peer is followed on its word alone, and as often again where it has answered
from there: two NATs that take turns, or somebody who sends copies, move nothing at each packet."""
LIVING = 30.0
"""Who was heard of within so many seconds, by IKE or ESP, keeps what another peer asks for."""
TO_ANSWER = 2.0
"""Another one that speaks dead peer detection is asked, and has so long to answer."""
REMEMBERED = 10.0
"""So long what it answered, or that it did not, holds for whoever comes next (`unique: keep`)."""

LOOKS = 4
"""In the time after which a child without traffic ends the kernel is asked so often: it ends up to a quarter later."""

# -- whether the peer lives (RFC 3706, which names no time) -----------------------------------------------------------

QUESTIONS = 12
"""R-U-THERE that a silent peer gets until it is dead: where one datagram in five is lost, it is all of them once in
200,000 times."""
LEAST_PAUSE = 0.5
"""Between two of them."""
STAGGER = 1.0
"""The responder of phase 1 asks so much later: of two that wait equally long one asks."""
CONFIRMING = 75.0
"""So long a peer may still repeat its last message of phase 1, since our answer is lost, before it says anything else:
IOS does so every ten seconds."""
OUTLIVED = 45.0
"""Once a newer ISAKMP SA has stood so long, the peer is asked whether it still has the former one, of which whoever
renewed it would have said Delete by now."""
YOUNG = 4.0
"""A Quick Mode of ours that began so lately asks as much: its messages are repeated."""
ANSWERS = 4
"""R-U-THERE under one ISAKMP SA that are answered within one second."""
ANSWERS_TO_COPIES = 2
"""As long as no more were answered, so is what may be a copy of an old one."""

# -- a peer that begins anew ------------------------------------------------------------------------------------------

ITS_TURN = 1.0
"""So long a peer that has called us anew may bring up what it wants itself, before we do."""
RIVALS_WITHIN = 60.0
"""Two that replace each other three times within so many seconds are two peers with one identity."""
REFUSED_FOR = 60.0
"""So long the second of the two is refused."""

ASKED_AGAIN = 30.0
"""A peer that may have lost something is asked so seldom whether it lives, however often unproven words say so."""
CALLED_AGAIN = 300.0
"""One that cannot be asked is called so seldom."""

# -- Quick Modes under one ISAKMP SA ----------------------------------------------------------------------------------

PACE = 1.0
"""A Quick Mode of ours may stay unanswered so long before the next one begins beside it."""
MOST_DOUBLED = 3
"""So often that is doubled where several are unanswered."""
TRUSTED_FOR = 30.0
"""So long after its last sign of life an unanswered Quick Mode says nothing against an ISAKMP SA."""

# -- where ESP is blocked ---------------------------------------------------------------------------------------------

ONE_WAY_FOR, ONE_WAY_FOR_PEERS = 30.0, 60.0
"""So long packets leave and none comes before ESP in UDP is tried by the end that began the ISAKMP SA; and by the other
end, so that both do not try at once."""
LEFT_ASKED_EVERY = 1.5
"""Of `Dpd.delay`: so seldom it is asked whether any packet has left, at each second look for dead peer detection."""
ENOUGH_PACKETS = 20
"""So many have left by then at least."""
TRIED_CHILDREN = 8
"""So many children take part in a trial, those first that send most."""
JUDGED_EVERY, JUDGED_AFTER = 2.0, 12.0
"""The kernel is asked so often what came in UDP; that nothing came is final so long after the first pair of the trial
stands, before the pair that it replaced is deleted (`DELETED_AFTER`)."""
TRIAL_OVER = 40.0
"""A trial under whose ISAKMP SA no pair stands is over so long after that stands."""
AFTERMATH = 10.0
"""So long after a trial is undone a Delete of the peer is of what stood before it: that begins anew."""
TRIED_AGAIN, LAST_TRIED_AGAIN = 3600.0, 86_400.0
"""A trial that did not help is not repeated for so long, each time twice as long, up to a day: packets of which none
ever comes back may be all that a tunnel is for."""

# -- the end of an ISAKMP SA ------------------------------------------------------------------------------------------

SAID_AFTER = 8.0
"""The copies of a Delete take so long: an ISAKMP SA that was made to say it ends then."""
BEHIND_PHASE_1 = 0.5
"""So long after a last message of phase 1 that was ours the Delete of its ISAKMP SA is held: of two datagrams that come
one behind the other strongSwan may read the second first, and then none of its copies either."""
RETIRED_FOR = 10.0
"""A deleted ISAKMP SA still sends its farewells so long."""


# -- its renewal ------------------------------------------------------------------------------------------------------

RENEWAL_SHARE, LONGEST_MARGIN = 0.1, 540.0
"""The margin is that share of a lifetime, and so many seconds at most. Whoever began the ISAKMP SA renews it two to
three margins before its end, the other one, who is only there in case of need, one to one and a half."""
SOONEST = 30.0
"""No ISAKMP SA is renewed before it is so old, whatever is claimed of its life or sent under it."""
REPLACED_FOR = 30.0
"""So long after its renewal the former ISAKMP SA is told Delete by whoever renewed it."""
CROSSED_FOR = 10.0
"""Of two that crossed the second one goes so long after the first should have gone."""
LOOK_AGAIN = 2.0
"""What cannot be done now is looked at again after half of the time that is left, but not sooner than this."""


def backoff(failures: int) -> float:
    """The pause after so many failures in a row, at least one: 2, 4, 8 … 300 seconds."""
    return min(FIRST_RETRY * 2.0 ** min(failures - 1, 30), LAST_RETRY)
