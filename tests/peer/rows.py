"""A table about one child: a fact in a state, the child after, and what is done about it.

`lan` is persistent (`start: always`), `dmz` is not. One ISAKMP SA, A, serves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ikevd.errors import PeerRefused, Said
from ikevd.peer.child_state import ChildState, PairState
from ikevd.peer.exchange_facts import QuickModeUp
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Fact
from ikevd.peer.message_facts import Informed
from ikevd.peer.notices import delete_ipsec
from ikevd.peer.state import PeerState
from ikevd.policy.connection import Connection
from ikevd.sa.model import Spi
from ikevd.wire.registry import NotifyType
from tests.peer.records import NOW, VIEW, A, ipsec, isakmp, mode, opening, ours, pair, peer, told

NO = PeerRefused("no", NotifyType.NO_PROPOSAL_CHOSEN)
REFUSED, BY_PEER, OVER = Said("no"), Said("deleted by the peer"), Said("lifetime ended")
TAKEN_DOWN, LOST = Said("taken down by command"), Said("its IPsec SA is gone from the kernel before its time")

DOWN = ChildState(since=5.0)
WANTED = ChildState(wanted=True, since=5.0)
OLD, OLDER, YOUNG = (replace(one, rekey_at=NOW + 2700) for one in (pair(1), pair(2, born=NOW - 900), pair(4)))
YOUNG = replace(YOUNG, born=NOW - 9.9)
UP = ChildState(wanted=True, pairs=(OLD,), since=5.0)
ELEVEN = Attempt(11)


def new(number: int, name: str = "lan", *, initiator: bool = True) -> PairState:
    """A pair that came up now. Of an hour: its initiator rekeys it 300 s before its end, the other end 150 s."""
    sa, rekey_at = ipsec(number, name, initiator=initiator), NOW + (3300 if initiator else 3450)
    return replace(pair(number, name), sa=sa, born=NOW, expires=opening(number, 7).expires, rekey_at=rekey_at)


def under_way(lan: ChildState, *, theirs: bool = False) -> PeerState:
    """Quick Mode 7 makes the third pair of `lan`."""
    made = replace(opening(3, 7), sa=ipsec(3, initiator=not theirs))
    child = replace(lan, pairs=(*lan.pairs, made), attempt=lan.attempt if theirs else Attempt(7))
    return peer(isakmp(), lan=child, modes={7: mode(ours=not theirs, spi=ours(3))})


def up(*, theirs: bool = False) -> QuickModeUp:
    return QuickModeUp(Attempt(7), ipsec(3, initiator=not theirs))


def deleted(*spis: Spi) -> Informed:
    return Informed(A, (delete_ipsec(*spis),))


@dataclass(frozen=True)
class Row:
    rule: str
    before: PeerState
    fact: Fact
    after: ChildState
    effects: tuple[str, ...] = ()
    name: str = "lan"
    view: Connection = VIEW

    def hold(self) -> None:
        """Is that what follows?"""
        after, effects = told(self.before, self.fact, view=self.view)
        assert (after.children[self.name], tuple(effects)) == (self.after, self.effects)


def lan(state: ChildState) -> PeerState:
    return peer(isakmp(), lan=state)


def dmz(state: ChildState) -> PeerState:
    return peer(isakmp(), dmz=state)
