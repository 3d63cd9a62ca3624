"""Members of a group share one key: who comes from the place of one that lives answers there before anything is its."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.addresses import Path
from ikevd.peer import clients, crossing
from ikevd.peer.child_state import Half
from ikevd.peer.command_facts import Reloaded, Unwanted
from ikevd.peer.dpd import liveness_of
from ikevd.peer.exchange_facts import Opening, PhaseOneUp, QuickModeBegan, Reserved
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Doubted, Due
from ikevd.peer.isakmp_state import Liveness, Stage
from ikevd.peer.message_facts import Contacted, Heard, HeardDpd, Informed
from ikevd.peer.notices import delete_ipsec, delete_isakmp, r_u_there_ack
from ikevd.peer.quick_modes import MAX_MAKING
from ikevd.peer.state import PeerKey, PeerState
from ikevd.peer.timing import LIVING
from ikevd.peer.volume_facts import Carried
from ikevd.policy.connection import Connection, Unique
from ikevd.policy.dpd import Dpd, DpdMode
from ikevd.sa.model import Cookies, IpsecSa, IsakmpSa, Spi
from ikevd.wire.payloads import DeletePayload, NotifyPayload
from ikevd.wire.registry import NotifyType, Protocol
from tests.peer.mapped import behind_nat, in_udp, path, up
from tests.peer.records import KEY, NOW, SALT, VIEW, A, B, mode, ours, peer, told

FIRST = PeerKey(KEY.connection, KEY.identity, 1)
PLACE = path(40001)
GREETS = NotifyPayload(Protocol.ISAKMP, NotifyType.INITIAL_CONTACT, B.octets)


def stands(*, dpd: bool = True) -> PeerState:
    """A client of a group with its ISAKMP SA and a pair."""
    known = behind_nat(A)
    sa = replace(known.sa, dpd=dpd, initiator=False)
    return replace(peer(replace(known, sa=sa), lan=up(in_udp())), key=FIRST)


def newcomer(*, dpd: bool = True, contacted: bool = False) -> IsakmpSa:
    known = behind_nat(B).sa
    return replace(known, initiator=False, dpd=dpd, contacted=contacted, path=PLACE)


def came(state: PeerState, **how: bool) -> tuple[PeerState, list[str]]:
    """A phase 1 from the client's place."""
    return told(state, PhaseOneUp(None, newcomer(**how), began=NOW - 1))


def answer(state: PeerState, there: Path = PLACE) -> HeardDpd:
    number = liveness_of(state.isakmp[B], SALT).number
    return HeardDpd(B, r_u_there_ack(B, number.to_bytes(4, "big")), there)


def spis(state: PeerState) -> list[Spi]:
    return [pair.sa.inbound for pair in state.children["lan"].standing]


def test_it_is_asked_there_at_once() -> None:
    after, effects = came(stands())
    assert after.isakmp[B].unproven
    assert any(effect.startswith("say once under B: R_U_THERE") for effect in effects)


def test_its_answer_from_there_makes_it_the_client_as_before() -> None:
    before, _ = came(stands())
    after, _ = told(before, answer(before))
    assert not after.isakmp[B].unproven
    assert spis(after) == [ours()]


def test_the_first_of_a_client_is_not_asked() -> None:
    after, _ = came(replace(peer(), key=FIRST))
    assert not after.isakmp[B].unproven


def test_nor_is_one_whose_identity_is_its_own() -> None:
    after, _ = came(replace(stands(), key=KEY))
    assert not after.isakmp[B].unproven


@pytest.mark.parametrize("where", ["phase 1", "Informational", "Quick Mode"])
def test_its_initial_contact_ends_nothing_before_it_has_answered_and_is_heeded_then(where: str) -> None:
    before, _ = came(stands(), contacted=where == "phase 1")
    if where != "phase 1":
        before, _ = told(before, Informed(B, (GREETS,)) if where == "Informational" else Contacted(B))
    assert spis(before) == [ours()]
    after, _ = told(before, answer(before))
    assert spis(after) == []
    assert after.isakmp[A].stage is Stage.LEAVING


def test_one_that_speaks_from_another_port_goes_and_moves_nothing() -> None:
    before, _ = came(stands())
    after, effects = told(before, Heard(B, path(40009)))
    assert after.isakmp[B].stage is Stage.LEAVING
    assert (after.isakmp[A].path, spis(after)) == (PLACE, [ours()])
    assert any("it may be another member's, sent from a forged address" in effect for effect in effects)


def test_an_answer_from_another_port_is_none() -> None:
    before, _ = came(stands())
    after, _ = told(before, answer(before, path(40009)))
    assert after.isakmp[B].stage is Stage.LEAVING
    assert after.isakmp[A].path == PLACE


def test_one_that_never_answers_goes_alone_though_it_speaks_and_the_client_sends_packets() -> None:
    state, _ = came(stands())
    for second in range(1, 12):
        state, _ = told(state, Heard(B, PLACE), Due(), Carried(B, NOW + second), now=NOW + second)
    assert B not in state.isakmp or state.isakmp[B].stage is Stage.LEAVING
    assert state.isakmp[A].stage is Stage.READY
    assert spis(state) == [ours()]


def test_after_a_restart_in_which_the_question_was_lost_it_is_asked_again() -> None:
    before, _ = came(stands())
    known = before.isakmp[B]
    forgotten = replace(known, liveness=replace(liveness_of(known, SALT), asked=0))  # as the next process reads it
    again = replace(before, isakmp={**before.isakmp, B: forgotten})
    after, effects = told(again, Due(), Carried(B, None), now=NOW + 1)
    assert effects[0].startswith("say once under B: R_U_THERE")
    assert after.isakmp[B].unproven


def test_what_it_says_is_no_sign_of_life_of_the_client() -> None:
    before, _ = came(stands())
    after, _ = told(before, Heard(B, PLACE), now=NOW + LIVING)
    assert not clients.spoke(after, NOW + LIVING)


def test_it_can_delete_itself_and_no_ipsec_sa() -> None:
    before, _ = came(stands())
    after, _ = told(before, Informed(B, (delete_ipsec(Spi(0xE0000001)), delete_isakmp(B))))
    assert spis(after) == [ours()]
    assert after.isakmp[B].peer_deleted


@pytest.mark.parametrize("spis_of", [(A,), (A, B)], ids=["alone", "with its own"])
def test_it_cannot_delete_the_isakmp_sa_of_the_client(spis_of: tuple[Cookies, ...]) -> None:
    before, _ = came(stands())
    delete = DeletePayload(Protocol.ISAKMP, tuple(cookies.octets for cookies in spis_of))
    after, _ = told(before, Informed(B, (delete,)))
    assert after.isakmp[A].stage is Stage.READY


def test_deletes_for_the_client_are_not_said_under_it_before_it_has_answered() -> None:
    client = stands()
    waits = replace(client, isakmp={A: replace(client.isakmp[A], unresponsive=True)}, deletes_to_send=(ours(9),))
    before, effects = came(waits)
    assert before.deletes_to_send == (ours(9),)
    assert not any(effect.startswith("say under B") for effect in effects)
    after, effects = told(before, answer(before))
    assert after.deletes_to_send == ()
    assert any(effect.startswith("say under B: delete") for effect in effects)


def test_nor_those_of_what_ends_meanwhile() -> None:
    before, _ = came(stands())
    alone = replace(before, isakmp={B: before.isakmp[B]})
    _, effects = told(alone, Unwanted(("lan",)))
    assert not any("under B" in effect for effect in effects)


def test_nor_does_it_speak_for_the_client_once_that_is_dead() -> None:
    """The client is asked and silent, while the other one says what it likes."""
    client = stands()
    asked = replace(client.isakmp[A], liveness=Liveness(5, look_at=NOW))
    state, _ = came(replace(client, isakmp={A: asked}))
    state, _ = told(state, Doubted("it may have gone"))
    for second in range(1, 9):
        state, _ = told(state, Heard(B, PLACE), Carried(A, None), now=NOW + second)
    assert state.isakmp[A].stage is Stage.LEAVING
    assert spis(state) == []


def test_where_dead_peer_detection_ends_with_a_reload_its_quick_mode_decides() -> None:
    before, _ = came(stands())
    after, _ = told(before, Reloaded(), view=OFF)
    assert after.isakmp[B].unproven
    assert not heard_message_2(after, OFF).isakmp[B].unproven


def test_what_waits_for_another_isakmp_sa_waits_until_it_has_answered() -> None:
    client = stands()
    before, effects = came(replace(client, isakmp={A: replace(client.isakmp[A], outdated=True)}))
    assert before.isakmp[A].outdated
    assert not any(effect.startswith("begin lan") for effect in effects)
    after, effects = told(before, answer(before))
    assert not after.isakmp[A].outdated
    assert any(effect.startswith("begin lan") for effect in effects)


@pytest.mark.parametrize("lives", [False, True], ids=["silent", "lives"])
def test_with_unique_keep_it_gets_in_where_its_former_self_did_not_answer(lives: bool) -> None:
    keep = replace(VIEW, unique=Unique.KEEP)
    up = PhaseOneUp(None, newcomer(contacted=True), began=NOW - 1, former_lives=lives)
    before, _ = told(stands(), up, view=keep)
    after, _ = told(before, answer(before), view=keep)
    assert (after.isakmp[B].stage is Stage.READY) == (not lives)
    assert (spis(after) == []) == (not lives)


def test_nothing_of_ours_begins_under_it() -> None:
    before, _ = came(stands())
    _, effects = told(before, Informed(A, (delete_ipsec(Spi(0xE0000001)),)))
    assert not any("under B" in effect for effect in effects)


def asks_for(state: PeerState) -> tuple[PeerState, IpsecSa]:
    """A Quick Mode of the newcomer for what the client has."""
    state, _ = told(state, QuickModeBegan(Attempt(-1), B), Reserved(Attempt(-1), "lan", ours(7)))
    return state, replace(in_udp(7).sa, initiator=False)


def test_its_quick_mode_for_what_the_client_has_waits_for_the_answer() -> None:
    state, sa = asks_for(came(stands())[0])
    assert crossing.must_wait(state, Attempt(-1), sa)
    state, _ = told(state, answer(state))
    assert not crossing.must_wait(state, Attempt(-1), sa)


def test_a_peer_without_dead_peer_detection_is_not_who_had_it() -> None:
    after, _ = came(stands(), dpd=False)
    assert after.isakmp[B].stage is Stage.LEAVING
    assert spis(after) == [ours()]


def test_nor_once_the_isakmp_sa_of_that_one_leaves_or_is_gone() -> None:
    client = stands()
    for known in ({A: replace(client.isakmp[A], stage=Stage.LEAVING)}, {}):
        after, _ = came(replace(client, isakmp=known), dpd=False, contacted=True)
        assert after.isakmp[B].stage is Stage.LEAVING
        assert spis(after) == [ours()]


# -- where nobody is asked


OFF = replace(VIEW, dpd=Dpd(DpdMode.OFF))
NOBODY_ASKS = pytest.mark.parametrize(("speaks", "view"), [(False, VIEW), (True, OFF)], ids=["not spoken", "off"])


def came_unasked(*, speaks: bool, view: Connection, contacted: bool = False) -> tuple[PeerState, list[str]]:
    """A phase 1 from the client's place, where neither speaks dead peer detection, or it is off."""
    return told(
        stands(dpd=speaks), PhaseOneUp(None, newcomer(dpd=speaks, contacted=contacted), began=NOW - 1), view=view
    )


def heard_message_2(state: PeerState, view: Connection) -> PeerState:
    """Its Quick Mode for what the client has gets so far that message 3 has come."""
    state, sa = asks_for(state)
    assert not crossing.must_wait(state, Attempt(-1), sa)
    state, _ = told(state, Opening(Attempt(-1), sa, Half.INBOUND), view=view)
    assert state.isakmp[B].unproven
    assert spis(state) == [ours()]
    return told(state, Opening(Attempt(-1), sa, Half.BOTH), view=view)[0]


@NOBODY_ASKS
def test_nobody_is_asked_and_message_3_of_its_quick_mode_shows_that_it_hears_us_there(
    speaks: bool, view: Connection
) -> None:
    before, effects = came_unasked(speaks=speaks, view=view)
    assert before.isakmp[B].unproven
    assert not any("R_U_THERE" in effect for effect in effects)
    after = heard_message_2(before, view)
    assert not after.isakmp[B].unproven
    assert spis(after) == [ours()], "as at any rekeying"


@NOBODY_ASKS
def test_its_initial_contact_is_heeded_then(speaks: bool, view: Connection) -> None:
    before, _ = came_unasked(speaks=speaks, view=view, contacted=True)
    assert (spis(before), before.isakmp[A].stage) == ([ours()], Stage.READY)
    after = heard_message_2(before, view)
    assert (spis(after), after.isakmp[A].stage) == ([], Stage.LEAVING)


@NOBODY_ASKS
def test_until_then_it_can_delete_nothing_of_the_client_and_nothing_of_ours_begins_under_it(
    speaks: bool, view: Connection
) -> None:
    before, _ = came_unasked(speaks=speaks, view=view)
    after, _ = told(before, Informed(B, (delete_ipsec(Spi(0xE0000001)), delete_isakmp(A))), view=view)
    assert (spis(after), after.isakmp[A].stage) == ([ours()], Stage.READY)
    _, effects = told(before, Informed(A, (delete_ipsec(Spi(0xE0000001)),)), view=view)
    assert not any("under B" in effect for effect in effects)


@NOBODY_ASKS
def test_nor_does_its_quick_mode_keep_another_one_for_the_child_waiting(speaks: bool, view: Connection) -> None:
    state, sa = asks_for(came_unasked(speaks=speaks, view=view)[0])
    state, _ = told(state, Opening(Attempt(-1), sa, Half.INBOUND), view=view)
    rekeying = replace(state, quick_modes={**state.quick_modes, Attempt(11): mode(spi=ours(8))})
    assert not crossing.must_wait(rekeying, Attempt(11), in_udp(8).sa)


@NOBODY_ASKS
def test_nor_does_it_keep_a_rekeying_of_ours_from_beginning(speaks: bool, view: Connection) -> None:
    state, _ = asks_for(came_unasked(speaks=speaks, view=view)[0])
    due = replace(state, children={**state.children, "lan": up(replace(in_udp(), rekey_at=NOW))})
    _, effects = told(due, Due(("lan",)), view=view)
    assert any(effect.startswith("begin lan as") and effect.endswith("under A") for effect in effects)


@NOBODY_ASKS
def test_nor_do_many_of_its_quick_modes_push_out_one_of_the_client(speaks: bool, view: Connection) -> None:
    state, _ = came_unasked(speaks=speaks, view=view)
    for number, under in ((-1, A), *((-n, B) for n in range(2, MAX_MAKING + 2))):
        began = QuickModeBegan(Attempt(number), under), Reserved(Attempt(number), "lan", ours(10 - number))
        sa = replace(in_udp(10 - number).sa, initiator=False)
        state, effects = told(state, *began, Opening(Attempt(number), sa, Half.INBOUND), view=view)
    assert any(effect.startswith("abort -2:") for effect in effects)
    assert not state.quick_modes[Attempt(-1)].ending


@NOBODY_ASKS
def test_what_speaks_from_another_port_goes_there_too(speaks: bool, view: Connection) -> None:
    before, _ = came_unasked(speaks=speaks, view=view)
    after, _ = told(before, Heard(B, path(40009)), view=view)
    assert after.isakmp[B].stage is Stage.LEAVING
    assert spis(after) == [ours()]
