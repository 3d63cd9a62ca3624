"""What a verified Informational message of the peer means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.errors import NoAnswer, PeerRefused
from ikevd.peer.child_state import ChildState
from ikevd.peer.exchange_facts import QuickModeFailed, QuickModeUp
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.informed import MAX_HELD
from ikevd.peer.isakmp_state import Stage
from ikevd.peer.message_facts import Informed
from ikevd.peer.notices import delete_ipsec, delete_isakmp
from ikevd.peer.state import PeerState, SaidDelete
from ikevd.sa.model import Cookies, Spi
from ikevd.wire.payloads import NotifyPayload, Payload
from ikevd.wire.registry import NotifyType, Protocol
from tests.peer.records import NOW, A, B, ipsec, isakmp, mode, opening, ours, pair, peer, theirs, told

SEVEN, EIGHT = Attempt(7), Attempt(8)
NO = NotifyType.NO_PROPOSAL_CHOSEN
UP = ChildState(wanted=True, pairs=(pair(1),), since=5.0)
LAN, DMZ = ChildState(wanted=True, attempt=SEVEN), ChildState(wanted=True, attempt=EIGHT)


def said(*payloads: Payload, under: Cookies = A) -> Informed:
    return Informed(under, payloads)


def refusal(spi: bytes = b"") -> NotifyPayload:
    return NotifyPayload(Protocol.ESP, NO, spi)


def claim(seconds: int) -> NotifyPayload:
    life = b"\x80\1\0\1\0\2\0\4" + seconds.to_bytes(4, "big")
    return NotifyPayload(Protocol.ISAKMP, NotifyType.RESPONDER_LIFETIME, A.octets, life)


def two(**changes: object) -> PeerState:
    """Two Quick Modes of ours are under way."""
    modes = {7: mode(spi=ours(7)), 8: mode("dmz", spi=ours(8))}
    return peer(isakmp(A, **changes), lan=LAN, dmz=DMZ, modes=modes)


def aborted(effects: list[str]) -> list[str]:
    return [effect.split(":")[0] for effect in effects if effect.startswith("abort")]


def test_under_an_isakmp_sa_that_is_gone_it_means_nothing() -> None:
    assert told(peer(lan=UP), said(delete_ipsec(theirs(1)))) == (peer(lan=UP), [])


def test_what_has_no_consequence_is_kept_in_the_record() -> None:
    before = peer(isakmp())
    after, effects = told(before, said(NotifyPayload(Protocol.ISAKMP, NotifyType.REPLAY_STATUS, b"")))
    assert after == before
    (record,) = effects
    assert record.startswith("record of A: ")
    assert "REPLAY_STATUS" in record


# -- refusals


def test_a_refusal_ends_the_quick_mode_whose_spi_it_names() -> None:
    after, effects = told(two(), said(refusal(ours(8).octets)))
    assert aborted(effects) == ["abort 8"]
    assert "NO_PROPOSAL_CHOSEN" in effects[-1]
    assert [mode.ending for mode in after.quick_modes.values()] == [False, True]


def test_that_the_peer_could_not_read_a_message_ends_no_quick_mode_but_that_whose_spi_it_names() -> None:
    """strongSwan (5.9.8) says it of a late copy, of an exchange that it has forgotten meanwhile."""
    under_way = peer(isakmp(), lan=LAN, modes={7: mode(spi=ours(7))})
    after, effects = told(under_way, said(NotifyPayload(Protocol.ESP, NotifyType.PAYLOAD_MALFORMED, b"")))
    assert after == under_way
    assert [effect for effect in effects if not effect.startswith("record")] == []
    named = NotifyPayload(Protocol.ESP, NotifyType.PAYLOAD_MALFORMED, ours(7).octets)
    assert aborted(told(under_way, said(named))[1]) == ["abort 7"]


def test_without_spi_it_ends_the_only_one_under_way() -> None:
    before = peer(isakmp(), lan=LAN, modes={7: mode(spi=ours(7)), 9: mode(ours=False), 8: mode("dmz", under=B)})
    assert aborted(told(before, said(refusal()))[1]) == ["abort 7"]


def test_where_several_are_under_way_it_is_kept() -> None:
    after, effects = told(two(), said(refusal()))
    assert aborted(effects) == []
    assert after.isakmp[A].refusals == (NO,)


def test_it_belongs_to_the_one_that_is_left() -> None:
    """strongSwan's INVALID-ID-INFORMATION names no SPI."""
    answered = replace(two(refusals=(NO,)), children={"lan": replace(LAN, pairs=(opening(7, 7),)), "dmz": DMZ})
    after, effects = told(answered, QuickModeUp(SEVEN, ipsec(7)))
    assert aborted(effects) == ["abort 8"]
    assert after.isakmp[A].refusals == ()


def test_as_many_refusals_as_quick_modes_end_them_all_one_after_the_other() -> None:
    three = replace(two(refusals=(NO, NO)), quick_modes={**two().quick_modes, Attempt(9): mode(None)})
    error = PeerRefused("no", NO)
    first, effects = told(three, QuickModeFailed(Attempt(9), error, spoken=True, sent=True))
    assert aborted(effects) == ["abort 7"]
    _, effects = told(first, QuickModeFailed(SEVEN, error, spoken=True, sent=True))
    assert aborted(effects) == ["abort 8"]


def test_the_last_one_under_way_takes_what_was_kept_with_it() -> None:
    before = peer(isakmp(refusals=(NO, NO)), lan=LAN, modes={7: mode()})
    after, _ = told(before, QuickModeFailed(SEVEN, NoAnswer("silence"), spoken=True, sent=True))
    assert after.isakmp[A].refusals == ()


def test_where_none_is_under_way_it_is_only_kept_in_the_record() -> None:
    after, effects = told(peer(isakmp()), said(refusal()))
    assert after == peer(isakmp())
    assert [effect[:11] for effect in effects] == ["record of A"]


def test_no_more_than_32_are_kept() -> None:
    after, _ = told(two(), *[said(*[refusal()] * 20)] * 4)
    assert len(after.isakmp[A].refusals) == MAX_HELD


# -- Deletes of IPsec SAs


def test_one_message_may_delete_pairs_of_several_children() -> None:
    before = peer(isakmp(), lan=replace(UP, wanted=False), dmz=replace(UP, wanted=False, pairs=(pair(2, "dmz"),)))
    after, _ = told(before, said(delete_ipsec(theirs(1), theirs(2))))
    assert [child.pairs for child in after.children.values()] == [(), ()]


def test_it_counts_under_an_isakmp_sa_that_leaves() -> None:
    before = peer(isakmp(stage=Stage.LEAVING, leave_at=NOW + 5), lan=UP)
    after, _ = told(before, said(delete_ipsec(theirs(1))))
    assert after.children["lan"].pairs == ()


def test_a_delete_that_overtakes_the_end_of_its_quick_mode_is_kept_for_it() -> None:
    lan = replace(LAN, pairs=(opening(3, 7),))
    before = peer(isakmp(), lan=lan, modes={7: mode(spi=ours(3))})
    early, _ = told(before, said(delete_ipsec(theirs(3), theirs(9))))
    assert early.isakmp[A].early_deletes == (theirs(3), theirs(9))
    assert early.children["lan"] == lan
    after, effects = told(early, QuickModeUp(SEVEN, ipsec(3)))
    assert effects == ["answer lan: up"]
    assert after.children["lan"].pairs == ()
    assert after.isakmp[A].early_deletes == ()


def test_one_for_an_unknown_spi_is_kept_only_while_a_quick_mode_is_under_way() -> None:
    assert told(peer(isakmp()), said(delete_ipsec(theirs(9)))) == (peer(isakmp()), [])
    early = peer(isakmp(early_deletes=(theirs(9),)), modes={7: mode(None, ours=False)})
    after, _ = told(early, QuickModeFailed(SEVEN, NoAnswer("silence"), spoken=True, sent=False))
    assert after.isakmp[A].early_deletes == ()


def test_no_more_than_32_unknown_spis_are_kept() -> None:
    before = peer(isakmp(), modes={7: mode(None, ours=False)})
    after, _ = told(before, said(delete_ipsec(*map(Spi, range(256, 512)))))
    assert after.isakmp[A].early_deletes == tuple(map(Spi, range(480, 512)))


# -- Deletes of ISAKMP SAs


def test_the_peers_delete_ends_the_isakmp_sa_and_is_not_answered_with_one() -> None:
    before = peer(isakmp(), lan=LAN, modes={7: mode()}, dmz=UP)
    after, effects = told(before, said(delete_isakmp(A)))
    assert effects == [
        "record of A: the peer deleted the ISAKMP SA",
        "abort 7: PeerDeleted (the peer deleted the ISAKMP SA)",
    ]
    assert after.isakmp[A] == isakmp(stage=Stage.LEAVING, leave_at=NOW + 10, peer_deleted=True)
    assert after.children["dmz"] == UP, "it cuts no IPsec SA"


@pytest.mark.parametrize(
    ("stands", "since", "again"),
    [
        (UP, 7, ["say under B: delete d0000006"]),
        (UP, 8, []),
        (ChildState(), 7, []),
    ],
    ids=["a tunnel stands", "all copies had left long since", "nothing stands any more"],
)
def test_a_delete_said_under_an_isakmp_sa_that_the_peer_then_deletes_may_have_come_too_late_and_is_said_again(
    stands: ChildState, since: float, again: list[str]
) -> None:
    before = peer(isakmp(B), isakmp(A), lan=stands, deletes_said=(SaidDelete(ours(6), NOW - since),))
    _, effects = told(before, said(delete_isakmp(A)))
    assert [effect for effect in effects if effect.startswith("say")] == again


def test_it_may_name_another_one_of_the_same_peer_and_no_other() -> None:
    before = peer(isakmp(A), isakmp(B))
    after, _ = told(before, said(delete_isakmp(B), delete_isakmp(Cookies(b"somebody", b"elses 3!"))))
    assert [stands.stage for stands in after.isakmp.values()] == [Stage.READY, Stage.LEAVING]


# -- claims of a life


@pytest.mark.parametrize(
    ("seconds", "expires"), [(600, 1100.0), (1, NOW + 60), (90_000, 86900.0)], ids=["sooner", "too soon", "later"]
)
def test_the_peer_may_say_that_the_isakmp_sa_ends_sooner(seconds: int, expires: float) -> None:
    after, effects = told(peer(isakmp()), said(claim(seconds)))
    assert after.isakmp[A].expires == expires
    assert len(effects) == (expires < 86900), "the record says so"


def test_the_life_of_one_that_leaves_does_not_change() -> None:
    before = peer(isakmp(stage=Stage.LEAVING, leave_at=NOW + 5))
    assert told(before, said(claim(600))) == (before, [])
