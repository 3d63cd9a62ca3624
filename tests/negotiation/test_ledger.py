"""What is kept of exchanges, and how much."""

from __future__ import annotations

from dataclasses import replace

from ikevd.conversation.effects import Remember
from ikevd.conversation.inputs import MAX_OCTETS, Input, InputKind
from ikevd.negotiation.ledger import MAX_KEPT_OCTETS, Kept, Ledger
from ikevd.peer.state import PeerState
from ikevd.sa.model import Cookies
from ikevd.store.interface import ExchangeKey
from ikevd.store.memory import Disk, MemoryStore
from tests.builders import connection
from tests.store.records import COOKIES, KEY, exchange_state, isakmp_state

LONG = Remember(Input(InputKind.HEARD, octets=bytes(MAX_OCTETS - 1)), b"")


def ledger_on(disk: Disk) -> Ledger:
    """Of a peer with one ISAKMP SA."""
    ledger = Ledger(MemoryStore(disk), KEY, connection(), list[str]().append)
    ledger.learnt(PeerState(KEY, isakmp={COOKIES: isakmp_state()}))
    return ledger


def test_the_datagrams_that_are_kept_of_one_peer_have_a_bound_and_room_comes_back() -> None:
    disk = Disk()
    ledger = ledger_on(disk)
    begin = exchange_state().inputs.beginning
    many = [Kept(ledger, replace(begin, message_id=number)) for number in range(1, 40)]
    for kept in many:
        kept.remember(LONG)
    stored = disk.peers[KEY].exchanges
    assert len(stored) == MAX_KEPT_OCTETS // (MAX_OCTETS - 1)
    for kept in many:
        kept.forget()
    assert (len(stored), ledger.kept_octets) == (0, 0)


def test_an_exchange_that_is_not_kept_any_more_leaves_its_message_id_and_takes_no_room() -> None:
    disk = Disk()
    ledger = ledger_on(disk)
    kept = Kept(ledger, replace(exchange_state().inputs.beginning, message_id=7, initiator=False))
    kept.remember(Remember(Input(InputKind.STARTED), b""))
    kept.remember(Remember(Input(InputKind.HEARD, octets=bytes(MAX_OCTETS + 1)), b""))
    assert (disk.peers[KEY].exchanges, ledger.kept_octets) == ({}, 0)
    assert disk.peers[KEY].used == {COOKIES: (7,)}


def test_a_phase_1_of_the_peer_is_kept_under_the_cookie_that_it_is_given_and_not_longer_than_the_peer() -> None:
    disk = Disk()
    ledger = ledger_on(disk)
    begin = replace(exchange_state().inputs.beginning, message_id=0, cookies=Cookies(b"initiate"), minted=b"minted!!")
    kept = Kept(ledger, begin)
    kept.remember(Remember(Input(InputKind.STARTED), b""))
    assert [*disk.peers[KEY].exchanges] == [ExchangeKey(Cookies(b"initiate", b"minted!!"), 0)]
    ledger.gone()
    kept.remember(Remember(Input(InputKind.HEARD), b""))
    kept.forget()
    assert KEY not in disk.peers
