"""How often a peer is followed to another place: two NATs that take turns, or somebody who sends copies from another
port, must not move its SAs at each packet. Beyond a bound it stays where it has answered last."""

from __future__ import annotations

from ikevd.addresses import Endpoint
from ikevd.facts import Note
from ikevd.frozen import replace
from ikevd.path_findings import MovesTooOften
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Record
from ikevd.peer.state import Moves
from ikevd.peer.timing import ASK_AGAIN, MOVES, MOVES_WITHIN


def admit(draft: Draft, stays: Endpoint, came: Endpoint, *, answered: bool = False) -> bool:
    """May the peer be followed to where something `came` from? `answered`: it has answered there. That it moves too
    often is noted, in the record, too."""
    recent = _recent(draft)
    if len(recent) < (2 * MOVES if answered else MOVES):
        return True
    if draft.moves is not None and not draft.moves.told:
        draft.moves = replace(draft.moves, told=True)
        newest = next(reversed(tuple(draft.isakmp)), None)
        if newest is not None:
            finding = MovesTooOften(len(recent), int(MOVES_WITHIN), str(came), str(stays))
            draft.say(Record(newest, Note(finding)))
    return False


def moved(draft: Draft) -> None:
    """It was followed."""
    recent = (*_recent(draft), draft.now)[-2 * MOVES :]
    draft.moves = replace(draft.moves, at=recent) if draft.moves and flaps(draft) else Moves(recent)


def flaps(draft: Draft) -> bool:
    """Does it move too often, as the record has it?"""
    return draft.moves is not None and draft.moves.told and bool(_recent(draft))


def admit_question(draft: Draft) -> bool:
    """May it be asked where it is? Not at each packet: when it was is noted."""
    if draft.moves is None or not flaps(draft):
        return True
    if draft.now < draft.moves.asked_at + ASK_AGAIN:
        return False
    draft.moves = replace(draft.moves, asked_at=draft.now)
    return True


def _recent(draft: Draft) -> tuple[float, ...]:
    return tuple(at for at in draft.moves.at if draft.now < at + MOVES_WITHIN) if draft.moves else ()
