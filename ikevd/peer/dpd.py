"""Messages of dead peer detection (RFC 3706) that come. What the peer asks is answered; only what can be no copy of an
old message shows that it lives."""

from __future__ import annotations

from hashlib import blake2b

from ikevd.addresses import Path
from ikevd.facts import Note
from ikevd.frozen import replace
from ikevd.liveness_findings import OddQuestion, Quirk
from ikevd.peer import isakmp
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Record, Say
from ikevd.peer.isakmp_state import IsakmpState, Liveness
from ikevd.peer.message_facts import HeardDpd
from ikevd.peer.notices import r_u_there_ack
from ikevd.peer.timing import ANSWERS, ANSWERS_TO_COPIES
from ikevd.sa.model import Cookies, IsakmpSa
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import NotifyType

NUMBERS = 2**32
"""They wrap; ours do not within the life of an ISAKMP SA: libreswan (4.10) compares them as they are, and takes each
one after that for old."""
NUMBER_OCTETS = 4
FAR, SHARE = 2**24, 128
"""The number of a question whose answer proves a place is up to so much beyond the one before, and no more than that
part of what is left."""
TOO_NEAR = 2**20
"""Where no more is left for it, no answer proves a place any more: after some 700 such questions, with room for a
hundred million others."""
MAX_ECHOED = 8
"""Octets of what came in place of a number."""


def heard(draft: Draft, fact: HeardDpd) -> bool:
    """A message with nothing else in it. It may be an old one: only a number that fits is a sign of life. True: it is
    one."""
    found = draft.isakmp.get(fact.under)
    if found is None:
        return False
    if shows_life := is_new(liveness_of(found, draft.salt), fact.said):
        isakmp.heard(draft, fact.under, fact.path, fact.last_blocks, lacks_ours=fact.lacks_ours)
    told(draft, fact.under, fact.said, fact.path)
    return shows_life


def told(draft: Draft, under: Cookies, said: NotifyPayload, came: Path | None = None) -> None:
    """R-U-THERE is answered whatever its number, as isakmpd repeats it, but not at any rate, and what may be a copy of
    an old one less often: no copies leave the peer's own without an answer. `came`: where it came from, if known."""
    found = draft.isakmp.get(under)
    if found is None or said.type != NotifyType.R_U_THERE:
        return
    live = liveness_of(found, draft.salt)
    for quirk in _quirks(found.sa, live, said):
        if quirk not in live.quirks:
            live = replace(live, quirks=(*live.quirks, quirk))
            draft.say(Record(under, Note(OddQuestion(quirk))))
    shows_life = is_new(live, said)
    if not _is_old(live, said):
        live = replace(live, theirs=number_of(said))
    if draft.now >= live.answered_at + 1 or not live.answers:
        live = replace(live, answers=0, answered_at=draft.now)
    if live.answers < (ANSWERS if shows_life else ANSWERS_TO_COPIES):
        live = replace(live, answers=live.answers + 1)
        ack = r_u_there_ack(under, said.data[:MAX_ECHOED])
        draft.say(Say(under, (ack,), once=True, to=None if came == found.path else came))
    put(draft, under, found, live)


def is_new(live: Liveness, said: NotifyPayload) -> bool:
    """Can it be no copy of an old one? An answer must be to what we ask now; a question counts on from the one before,
    of which some may have been lost."""
    number = number_of(said)
    if number is None:
        return False
    if said.type == NotifyType.R_U_THERE_ACK:
        return live.asked > 0 and (live.number - number) % NUMBERS < live.asked + live.jumped
    return _is_after(number, live.theirs) and _is_after(number, live.reserved)


def _is_old(live: Liveness, said: NotifyPayload) -> bool:
    """Is it no number of a question that this process has not heard?"""
    number = number_of(said)
    return number is None or not _is_after(number, live.theirs)


def _is_after(number: int, other: int | None) -> bool:
    return other is None or 0 < (number - other) % NUMBERS < NUMBERS // 2


def _quirks(sa: IsakmpSa, live: Liveness, said: NotifyPayload) -> list[Quirk]:
    cookies, quirks = sa.cookies, list[Quirk]()
    if not sa.dpd:
        quirks.append(Quirk.UNANNOUNCED)
    if said.spi == cookies.responder + cookies.initiator:
        quirks.append(Quirk.SWAPPED)
    elif said.spi != cookies.octets:
        quirks.append(Quirk.OTHER_COOKIES)
    if number_of(said) is None:
        quirks.append(Quirk.NO_NUMBER)
    elif _is_old(live, said):
        quirks.append(Quirk.OLD_NUMBER)
    return quirks


def number_of(said: NotifyPayload) -> int | None:
    """None: it holds none."""
    return int.from_bytes(said.data, "big") if len(said.data) == NUMBER_OCTETS else None


def liveness_of(found: IsakmpState, salt: bytes) -> Liveness:
    """Where nothing was asked before: our numbers begin where the peer cannot tell, with the top bit clear (RFC 3706
    section 6.2 wants room to count). `salt`: `Draft.salt`."""
    return found.liveness or Liveness(_drawn(salt, found.sa.cookies, 0) & (NUMBERS // 2 - 1))


def reach(live: Liveness) -> int:
    """How far beyond the one before the number of a question may be whose answer proves a place."""
    return min(FAR, (NUMBERS - live.number) // SHARE)


def numbered(draft: Draft, under: Cookies, live: Liveness, *, proves: bool) -> Liveness:
    """With the number of the next question. `proves`: its answer proves where the peer is, so nobody may know the
    number whom the question has not reached, not even the peer."""
    step = 1 + (_drawn(draft.salt, under, live.number) % reach(live) if proves else 0)
    jumped = live.jumped + (step if proves else 0) if live.asked else 0
    return replace(live, number=(live.number + step) % NUMBERS, jumped=jumped)


def _drawn(salt: bytes, under: Cookies, number: int) -> int:
    octets = under.octets + number.to_bytes(NUMBER_OCTETS, "big")
    return int.from_bytes(blake2b(octets, key=salt, digest_size=NUMBER_OCTETS).digest(), "big")


def put(draft: Draft, under: Cookies, found: IsakmpState, live: Liveness) -> IsakmpState:
    changed = replace(found, liveness=live)
    draft.isakmp.put(under, changed)
    return changed
