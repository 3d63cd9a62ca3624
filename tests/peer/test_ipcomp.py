"""IPComp in the life of a peer: what stands in the kernel for a pair that compresses, and what ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.host.policies import Direction
from ikevd.host.sas import SaId
from ikevd.peer.child_state import ChildState, Half, PairState
from ikevd.peer.decide import decide
from ikevd.peer.desired import View, desired_child
from ikevd.peer.effects import Say
from ikevd.peer.exchange_facts import Reserved
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.kernel_facts import Vanished
from ikevd.peer.message_facts import Informed
from ikevd.peer.notices import delete_ipsec
from ikevd.policy.marks import Mark
from ikevd.policy.packing import CopyDscp, HwOffload, Packing
from ikevd.sa.model import Cpis, Spi
from ikevd.wire.payloads import DeletePayload, NotifyPayload
from ikevd.wire.registry import Encapsulation, NotifyType, Protocol
from tests.builders import ALICE, BOB, ESP_AES128_SHA256
from tests.peer.records import LAN, NOW, SALT, VIEW, A, isakmp, mode, ours, pair, peer, theirs, told

IPCOMP = Protocol.IPCOMP
OURS, THEIRS = Spi.of(IPCOMP, b"\xd0\x01"), Spi.of(IPCOMP, b"\x42\x42")
TRANSPORT = replace(ESP_AES128_SHA256, mode=Encapsulation.TRANSPORT)


def compressed(**changes: object) -> PairState:
    plain = pair(1)
    return replace(plain, sa=replace(plain.sa, cpis=Cpis(OURS, THEIRS), **changes))  # type: ignore[arg-type]


UP = ChildState(wanted=True, pairs=(compressed(),))


def shown(state: ChildState = UP) -> View:
    return desired_child(VIEW, LAN, state)


def test_ipcomp_makes_the_tunnel_and_esp_around_it_is_in_transport_mode() -> None:
    sas = shown().sas
    assert list(sas) == [SaId(ALICE, OURS), SaId(ALICE, ours(1)), SaId(BOB, THEIRS), SaId(BOB, theirs(1))]
    assert {sa.suite.transport for name, sa in sas.items() if name.spi.protocol == IPCOMP} == {False}
    assert {sa.suite.transport for name, sa in sas.items() if name.spi.protocol == Protocol.ESP} == {True}


def test_in_transport_mode_both_are() -> None:
    assert {sa.suite.transport for sa in shown(ChildState(pairs=(compressed(suite=TRANSPORT),))).sas.values()} == {True}


def test_the_first_half_of_a_pair_are_the_two_sas_that_come() -> None:
    state = ChildState(pairs=(replace(compressed(), half=Half.INBOUND, attempt=Attempt(7)),))
    assert list(shown(state).sas) == [SaId(ALICE, OURS), SaId(ALICE, ours(1))]


def test_what_leaves_takes_exactly_the_two_sas_of_the_pair() -> None:
    for policy in shown().policies.values():
        assert policy.template is not None
        first, second = policy.template.steps
        leaves = policy.id.direction is Direction.OUT
        assert (first.protocol, first.spi) == (IPCOMP, THEIRS if leaves else None)
        assert (second.protocol, second.spi) == (Protocol.ESP, theirs(1) if leaves else None)


def test_a_pair_without_beside_one_with_takes_its_own_way() -> None:
    view = shown(ChildState(pairs=(compressed(), pair(2))))
    assert {policy.template.compressed for policy in view.policies.values() if policy.template} == {False}
    assert len(view.sas) == 6


def test_how_packets_are_packed_is_the_business_of_the_tunnel_and_of_esp_what_a_device_does() -> None:
    packing = Packing(copy_df=False, copy_dscp=CopyDscp.NO, hw_offload=HwOffload.AUTO)
    child = replace(LAN, packing=packing, set_mark_in=Mark(7), set_mark_out=Mark(8))
    sas = desired_child(VIEW, child, UP).sas
    for end, number, spis in ((ALICE, 7, (OURS, ours(1))), (BOB, 8, (THEIRS, theirs(1)))):
        ipcomp, esp = (sas[SaId(end, spi)] for spi in spis)
        assert ipcomp.packing == replace(packing, hw_offload=HwOffload.NO)
        assert esp.packing == Packing(hw_offload=HwOffload.AUTO)
        assert ipcomp.set_mark == esp.set_mark == Mark(number)


def test_esp_counts_the_volume_and_keeps_the_replay_window() -> None:
    sa = compressed().sa
    limited = ChildState(pairs=(compressed(lifetime=replace(sa.lifetime, kilobytes=4000)),))
    sas = shown(limited).sas
    assert sas[SaId(BOB, theirs(1))].lifetime.kilobytes is not None
    assert sas[SaId(BOB, THEIRS)].lifetime.kilobytes is sas[SaId(BOB, THEIRS)].soft_kilobytes is None
    assert sas[SaId(BOB, THEIRS)].replay_window == 0


@pytest.mark.parametrize("spi", [OURS, THEIRS, ours(1), theirs(1)], ids=["our CPI", "its CPI", "our SPI", "its SPI"])
def test_whichever_sa_vanishes_the_pair_goes_and_the_peer_hears_the_spi_of_esp(spi: Spi) -> None:
    after, effects = decide(VIEW, peer(isakmp(), lan=UP), Vanished("lan", spi), NOW, SALT)
    assert after.children["lan"].pairs == ()
    said = [payload for effect in effects if isinstance(effect, Say) for payload in effect.payloads]
    assert said == [DeletePayload(Protocol.ESP, (ours(1).octets,))]


def test_a_delete_of_esp_ends_all_and_one_of_ipcomp_alone_has_no_consequence() -> None:
    before = peer(isakmp(), lan=UP)
    kept, _ = told(before, Informed(A, (DeletePayload(IPCOMP, (THEIRS.octets[2:],)),)))
    assert kept.children["lan"].pairs == UP.pairs
    gone, _ = told(before, Informed(A, (delete_ipsec(theirs(1)),)))
    assert gone.children["lan"].pairs == ()


def test_a_quick_mode_keeps_its_spi_and_its_cpi_apart() -> None:
    before = peer(isakmp(), modes={Attempt(7): mode()}, lan=ChildState(wanted=True, attempt=Attempt(7)))
    with_spi, _ = told(before, Reserved(Attempt(7), "lan", ours(1)))
    with_both, _ = told(with_spi, Reserved(Attempt(7), "lan", OURS))
    known = with_both.quick_modes[Attempt(7)]
    assert (known.spi, known.cpi) == (ours(1), OURS)


@pytest.mark.parametrize("protocol", [0, 1, 4, 99])
def test_an_invalid_spi_of_any_protocol_is_read(protocol: int) -> None:
    notify = NotifyPayload(Protocol.of(protocol), NotifyType.INVALID_SPI, theirs(2).octets)
    after, _ = told(peer(isakmp(), lan=UP), Informed(A, (notify,)))
    assert after.children["lan"].pairs == UP.pairs
