"""What the peer is told of our IPsec SAs that are gone: under an ISAKMP SA that stands, or later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ikevd.peer import attempts, isakmp
from ikevd.peer.child_state import PairState
from ikevd.peer.draft import Draft
from ikevd.peer.due import lasts
from ikevd.peer.effects import Say
from ikevd.peer.notices import delete_ipsec
from ikevd.peer.state import SaidDelete
from ikevd.peer.timing import SAID_AFTER
from ikevd.sa.model import Cookies, Spi
from ikevd.wire.payloads import DeletePayload

MAX_DELETES = 1024
"""Kept of those that wait, and of those that were said."""
IN_ONE_MESSAGE = 256
"""So that the datagram, of 1,140 octets at most with the longest hash, is not fragmented."""


def say_delete(draft: Draft, *spis: Spi, under: Cookies | None = None, insist: bool = False) -> None:
    """We no longer receive on `spis`. `under`: said there, if it is still there; else under the best that stands; and
    once more under another one where the peer may not have that one. `insist`: where none does, an ISAKMP SA is made
    for it; not at the end of a lifetime, which the peer sees itself."""
    chosen = under if under and draft.isakmp.get(under) else isakmp.for_farewells(draft)
    if chosen is not None:
        _say(draft, chosen, spis)
        if (also := isakmp.surer(draft, chosen)) is not None:
            _tell(draft, also, spis)
    elif insist:
        draft.deletes_to_send = (*draft.deletes_to_send, *spis)[-MAX_DELETES:]


def say_deletes(draft: Draft, pairs: Iterable[PairState]) -> None:
    """Of pairs whose end no lifetime tells."""
    for pair in pairs:
        say_delete(draft, pair.sa.inbound, under=own(draft, pair), insist=True)


def own(draft: Draft, pair: PairState) -> Cookies | None:
    """The newest ISAKMP SA that serves and leads to where the pair leads: another may lead to where the peer was, or to
    where it will be."""
    sa = pair.sa
    for under, found in isakmp.serving(draft):
        there = found.path.remote
        if there.address == sa.remote and (sa.encap is None or sa.encap.remote_port == there.port):
            return under
    return None


def say_waiting(draft: Draft, under: Cookies) -> None:
    """An ISAKMP SA stands: those that waited for one."""
    spis, draft.deletes_to_send = draft.deletes_to_send, ()
    _say(draft, under, spis)


def say_again(draft: Draft) -> None:
    """The process that said them, or was about to, is gone, however long ago: it would have forgotten what had left."""
    spis, draft.deletes_said = tuple(said.spi for said in draft.deletes_said), ()
    owe(draft, spis)


def say_elsewhere(draft: Draft) -> None:
    """The peer had deleted the ISAKMP SA under which they were said, perhaps before the last of them came: so it is
    where this end has been away meanwhile. Where no pair stands the peer will hardly hold one."""
    forget_old(draft)
    if draft.deletes_said and any(child.standing for _, child in draft.children.items()):
        say_again(draft)


def owe(draft: Draft, spis: Sequence[Spi]) -> None:
    """As soon as they can be said."""
    draft.deletes_to_send = (*draft.deletes_to_send, *spis)[-MAX_DELETES:]
    say_now(draft)


def say_now(draft: Draft) -> None:
    """Those that wait, even under an ISAKMP SA that leaves, if the peer still has it. Not beside a Quick Mode of ours:
    strongSwan knows three exchanges of an ISAKMP SA at one time (`max_ikev1_exchanges`), and of an older one it cannot
    read message 3."""
    if not draft.deletes_to_send:
        return
    known = ((under, found) for under, found in draft.isakmp.items() if lasts(found, draft.now))
    leaving = (under for under, found in known if not found.peer_deleted)
    chosen = isakmp.for_farewells(draft) or next(leaving, None)
    if chosen is not None and not attempts.ours(draft, chosen):
        say_waiting(draft, chosen)


def forget_old(draft: Draft) -> None:
    """All copies have left."""
    if draft.deletes_said and draft.deletes_said[0].at + SAID_AFTER <= draft.now:
        draft.deletes_said = tuple(said for said in draft.deletes_said if draft.now < said.at + SAID_AFTER)


def _say(draft: Draft, under: Cookies, spis: Sequence[Spi]) -> None:
    """And keep that it was said."""
    _tell(draft, under, spis)
    forget_old(draft)
    draft.deletes_said = (*draft.deletes_said, *(SaidDelete(spi, draft.now) for spi in spis))[-MAX_DELETES:]


def _tell(draft: Draft, under: Cookies, spis: Sequence[Spi]) -> None:
    """In as few messages as can be: beside those that this fact has led to already."""
    left = tuple(spis)
    while left:
        place, said = draft.farewells.get(under, (len(draft.effects), ()))
        if len(said) == IN_ONE_MESSAGE:
            place, said = len(draft.effects), ()
        room = IN_ONE_MESSAGE - len(said)
        said, left = (*said, *left[:room]), left[room:]
        draft.farewells[under] = place, said
        draft.effects[place : place + 1] = [Say(under, tuple(_payloads(said)))]


def _payloads(spis: Sequence[Spi]) -> Iterator[DeletePayload]:
    """One for each protocol."""
    for protocol in {spi.protocol: None for spi in spis}:
        yield delete_ipsec(*(spi for spi in spis if spi.protocol == protocol))
