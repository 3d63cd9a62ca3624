"""Quick Mode, both roles against each other: what is agreed, and what is refused (foreign peers: tests/interop)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from ikevd.errors import (
    IkeError,
    InvalidId,
    InvalidKey,
    Malformed,
    NoProposalChosen,
)
from ikevd.facts import Heard, Sent
from ikevd.observe.words import say_error
from ikevd.policy.lives import Lifetime, LifetimeCheck
from ikevd.policy.selectors import TrafficSelector
from ikevd.sa.model import IpsecSa, Spi
from ikevd.wire.payloads import IdPayload, KePayload, NoncePayload, Payload
from ikevd.wire.registry import Group, IdType
from tests.builders import ALICE, BOB, ESP_AES128_SHA256, ESP_AES256_SHA1, child, key_pair
from tests.exchanges.phase1_pair import MESSAGE_ID
from tests.exchanges.quick_mode_pair import (
    IDCR,
    NI,
    PFS,
    SPI,
    against_initiator,
    against_responder,
    answers,
    offer,
    quick_mode_between,
    sends_first,
    swapped,
)

# -- what is agreed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", [ESP_AES128_SHA256, PFS, replace(PFS, group=Group.MODP_2048)])
def test_both_sides_hold_the_same_pair_of_sas(suite: Any) -> None:
    alice = child(suites=(suite,))
    duet = quick_mode_between(alice, swapped(alice))

    ours: IpsecSa = duet.initiator.result
    theirs: IpsecSa = duet.responder.result
    assert ours.suite == theirs.suite == suite
    assert duet.agreed()
    inbound, outbound = (duet.initiator.host.keys[spi].encryption for spi in (ours.inbound, ours.outbound))
    assert inbound != outbound
    assert len(inbound) == 16
    assert (ours.local_selector, ours.remote_selector) == (theirs.remote_selector, theirs.local_selector)
    assert (ours.local, ours.remote, theirs.local, theirs.remote) == (ALICE, BOB, BOB, ALICE)
    assert (ours.initiator, theirs.initiator) == (True, False)
    assert ours.replay_window == theirs.replay_window == 128


def test_neither_the_pair_nor_what_the_kernel_is_asked_shows_a_key() -> None:
    duet = quick_mode_between(child(), swapped(child()))
    shown = repr((duet.initiator.result, duet.initiator.host.opened, duet.initiator.host.keys))
    secrets = [secret for keys in duet.initiator.host.keys.values() for secret in (keys.encryption, keys.integrity)]
    assert len(secrets) == 4
    for secret in secrets:
        assert secret.reveal().hex() not in shown
        assert repr(secret.reveal())[2:-1] not in shown


def test_three_messages_cross_each_sent_once() -> None:
    duet = quick_mode_between(child(), swapped(child()))
    labels = [fact.label for fact in duet.initiator.facts if isinstance(fact, Sent | Heard)]
    assert labels == ["QM1", "QM2", "QM3"]
    assert duet.responder.ended_at == 0.03, "nothing was sent by timer"


def test_without_pfs_no_ke_crosses_and_with_it_both_do() -> None:
    for suite, names in ((ESP_AES128_SHA256, 0), (PFS, 2)):
        alice = child(suites=(suite,))
        facts = quick_mode_between(alice, swapped(alice)).initiator.facts
        assert sum("KE" in fact.payloads for fact in facts if isinstance(fact, Sent | Heard)) == names


def test_of_several_groups_the_responder_takes_the_one_that_is_offered_and_the_initiator_offers_the_first() -> None:
    first, second = (replace(ESP_AES128_SHA256, group=group) for group in (Group.CURVE25519, Group.ECP_256))
    both, only_second = child(suites=(first, second)), child(suites=(second,))
    duet = quick_mode_between(only_second, swapped(both))
    assert duet.initiator.result.suite == duet.responder.result.suite == second
    assert quick_mode_between(both, swapped(both)).responder.result.suite == first
    assert isinstance(quick_mode_between(both, swapped(only_second)).responder.error, NoProposalChosen)


def test_the_responder_picks_by_its_own_order_and_the_shorter_life() -> None:
    alice = child(suites=(ESP_AES256_SHA1, ESP_AES128_SHA256), lifetime=Lifetime(7200, 4096))
    bob = replace(swapped(alice), suites=(ESP_AES128_SHA256, ESP_AES256_SHA1), lifetime=Lifetime(3600))
    duet = quick_mode_between(alice, bob)
    assert duet.initiator.result.suite == duet.responder.result.suite == ESP_AES128_SHA256
    assert duet.responder.result.lifetime == Lifetime(3600, 4096)


def test_message_2_tells_the_initiator_of_a_shorter_life() -> None:
    alice = child(lifetime=Lifetime(7200))
    bob = replace(swapped(alice), lifetime=Lifetime(3600, 5000))
    duet = quick_mode_between(alice, bob)
    assert duet.initiator.result.lifetime == duet.responder.result.lifetime == Lifetime(3600, 5000)


def test_of_a_life_that_it_takes_as_it_is_it_tells_nothing() -> None:
    alice = child(lifetime=Lifetime(7200))
    for check, ours in ((LifetimeCheck.OBEY, 3600), (LifetimeCheck.CLAIM, 7200), (LifetimeCheck.STRICT, 9000)):
        bob = replace(swapped(alice), lifetime=Lifetime(ours), lifetime_check=check)
        duet = quick_mode_between(alice, bob)
        assert duet.initiator.result.lifetime == duet.responder.result.lifetime == Lifetime(7200)
        assert not [fact for fact in duet.initiator.facts if isinstance(fact, Heard) and "N" in fact.payloads]


def test_a_longer_life_is_refused_where_the_configuration_wants_that() -> None:
    alice = child(lifetime=Lifetime(7200))
    bob = replace(swapped(alice), lifetime=Lifetime(3600), lifetime_check=LifetimeCheck.STRICT)
    assert isinstance(quick_mode_between(alice, bob).responder.error, NoProposalChosen)


def test_two_quick_modes_under_one_sa_have_their_own_keys_and_iv_chains() -> None:
    first = quick_mode_between(child(), swapped(child()))
    second = quick_mode_between(child(), swapped(child()), message_id=MESSAGE_ID + 1)
    assert second.initiator.result is not None
    assert first.initiator.sent[0][28:44] != second.initiator.sent[0][28:44]
    assert first.agreed()
    assert second.agreed()
    ours, others = (duet.initiator.host.keys[duet.initiator.result.inbound] for duet in (first, second))
    assert ours.encryption != others.encryption


# -- selectors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("local", "remote"),
    [
        ("10.1.0.5", "10.2.0.0/24"),
        ("10.1.0.10-10.1.0.20", "10.2.0.0/24"),
        ("10.1.0.0/24[tcp/443]", "10.2.0.0/24[tcp]"),
        ("10.1.0.0/24[icmp]", "0.0.0.0/0[icmp]"),
        ("2001:db8:1::/48", "2001:db8:2::5"),
        ("2001:db8::1-2001:db8::9", "::/0"),
    ],
)
def test_every_kind_of_selector_is_agreed(local: str, remote: str) -> None:
    wanted = {"local": TrafficSelector.parse(local), "remote": TrafficSelector.parse(remote)}
    alice = replace(child(), **wanted)  # type: ignore[arg-type]
    assert quick_mode_between(alice, swapped(alice)).responder.result.local_selector == alice.remote


@pytest.mark.parametrize(
    "idci",
    [
        IdPayload(IdType.IPV4_SUBNET, 0, 0, ip_address("10.1.0.5").packed + b"\xff\xff\xff\xff"),
        IdPayload(IdType.IPV4_ADDR, 0, 0, ip_address("10.1.0.5").packed),
        IdPayload(IdType.IPV4_RANGE, 0, 0, ip_address("10.1.0.5").packed * 2),
    ],
    ids=["/32", "address", "range of one"],
)
def test_an_address_is_its_own_subnet_and_the_ids_come_back_octet_by_octet(idci: IdPayload) -> None:
    bob = swapped(child("10.1.0.5/32"))
    duet = against_responder(sends_first(offer(), NoncePayload(NI), idci, IDCR), bob)
    assert duet.initiator.result.all(IdPayload) == (idci, IDCR)
    assert duet.responder.result.remote_selector == bob.remote


def test_a_range_that_is_a_subnet_comes_back_as_a_range() -> None:
    whole = ip_address("10.1.0.0").packed + ip_address("10.1.0.255").packed
    idci = IdPayload(IdType.IPV4_RANGE, 0, 0, whole)
    duet = against_responder(sends_first(offer(), NoncePayload(NI), idci, IDCR), swapped(child()))
    assert duet.initiator.result.all(IdPayload)[0] == idci
    assert duet.responder.result is not None


def test_no_ids_mean_the_addresses_of_the_peers() -> None:
    bob = replace(child(), local=TrafficSelector.of_address(BOB), remote=TrafficSelector.of_address(ALICE))
    duet = against_responder(sends_first(offer(), NoncePayload(NI)), child("1.0.0.0/8", "2.0.0.0/8"), bob)
    assert duet.responder.result.local_selector == bob.local
    assert duet.initiator.result.all(IdPayload) == ()


def test_an_initiator_of_host_to_host_bears_an_answer_without_ids() -> None:
    alice = replace(child(), local=TrafficSelector.of_address(ALICE), remote=TrafficSelector.of_address(BOB))
    duet = against_initiator(alice, answers(lambda _: (offer(), NoncePayload(NI))))
    assert duet.initiator.result is not None


def test_other_selectors_are_refused_with_both_pairs_and_the_peers_spi() -> None:
    duet = quick_mode_between(child("10.9.0.0/24"), swapped(child()))
    error = duet.responder.error
    assert isinstance(error, InvalidId)
    assert "the peer asks for 10.2.0.0/24 === 10.9.0.0/24" in say_error(error)
    assert "lan has 10.2.0.0/24 === 10.1.0.0/24" in say_error(error)
    assert "wrong way round" not in say_error(error)
    assert len(error.spi) == 4
    assert duet.responder.host.opened == []


def test_selectors_the_wrong_way_round_are_called_so() -> None:
    error = quick_mode_between(child(), child()).responder.error
    assert isinstance(error, InvalidId)
    assert "the peer has local and remote the wrong way round" in say_error(error)


def test_a_difference_in_protocol_or_port_is_a_difference() -> None:
    alice = replace(child(), local=TrafficSelector.parse("10.1.0.0/24[tcp/443]"))
    assert isinstance(quick_mode_between(alice, swapped(child())).responder.error, InvalidId)


@pytest.mark.parametrize(
    ("ids", "error", "said"),
    [
        ((IDCR,), Malformed, "1 ID payloads in Quick Mode; two or none"),
        ((IDCR, IDCR, IDCR), Malformed, "3 ID payloads"),
        ((IDCR, IdPayload(IdType.FQDN, 0, 0, b"bob.example")), InvalidId, "type FQDN selects no traffic"),
        ((IDCR, IdPayload(IdType(99), 0, 0, b"")), InvalidId, "IDTYPE_99 selects no traffic"),
        ((IDCR, IdPayload(IdType.IPV4_ADDR, 0, 0, b"")), Malformed, "an address of 0 octets, not 4"),
        ((IDCR, IdPayload(IdType.IPV4_ADDR, 0, 0, bytes(16))), Malformed, "an address of 16 octets, not 4"),
        ((IDCR, IdPayload(IdType.IPV6_SUBNET, 0, 0, bytes(8))), Malformed, "an address of 4 octets, not 16"),
        ((IDCR, IdPayload(IdType.IPV4_SUBNET, 0, 0, b"\n\1\0\0\xff\0\xff\0")), InvalidId, "is not contiguous"),
        ((IDCR, IdPayload(IdType.IPV4_RANGE, 0, 0, b"\n\1\0\2\n\1\0\1")), InvalidId, "ends before it begins"),
    ],
)
def test_ids_that_select_no_traffic_are_refused(ids: tuple[IdPayload, ...], error: type[IkeError], said: str) -> None:
    duet = against_responder(sends_first(offer(), NoncePayload(NI), *ids), swapped(child()))
    assert isinstance(duet.responder.error, error)
    assert said in say_error(duet.responder.error)
    assert duet.responder.host.opened == []


def test_the_initiator_refuses_narrowed_selectors() -> None:
    narrowed = child("10.1.0.0/25").local.to_id()
    duet = against_initiator(child(), answers(lambda _: (offer(), NoncePayload(NI), narrowed, IDCR)))
    assert isinstance(duet.initiator.error, InvalidId)
    assert "we asked for 10.1.0.0/24 === 10.2.0.0/24, the peer answered with 10.1.0.0/25 === 10.2.0.0/24" in say_error(
        duet.initiator.error
    )
    assert duet.initiator.host.opened == []


# -- proposals and PFS ------------------------------------------------------------------------------------------------


def test_no_common_proposal_names_the_nearest_miss_and_the_peers_spi() -> None:
    error = quick_mode_between(
        child(suites=(ESP_AES256_SHA1,)), swapped(child(suites=(PFS, ESP_AES128_SHA256)))
    ).responder.error
    assert isinstance(error, NoProposalChosen)
    differences = (
        "they differ in the cipher (theirs aes256, ours aes128), and in the integrity (theirs sha1, ours sha256)"
    )
    assert say_error(error).endswith(differences)
    assert len(error.spi) == 4


@pytest.mark.parametrize(
    ("suite", "ke", "error", "said"),
    [
        (PFS, (), NoProposalChosen, "PFS with CURVE25519 was agreed, but the peer sent no KE payload"),
        (ESP_AES128_SHA256, (KePayload(bytes(32)),), NoProposalChosen, "names no PFS group"),
        (PFS, (KePayload(b"\2" * 256),), InvalidKey, "32"),
        (PFS, (KePayload(bytes(32)),), InvalidKey, ""),
        (PFS, (KePayload(b""),), InvalidKey, ""),
        (PFS, (KePayload(b"\2" * 32),) * 2, Malformed, "2 KE payloads"),
    ],
    ids=["missing", "unasked", "another group's", "zero", "empty", "twice"],
)
def test_a_ke_that_does_not_fit_the_chosen_transform_is_refused(
    suite: Any, ke: tuple[KePayload, ...], error: type[IkeError], said: str
) -> None:
    first: tuple[Payload, ...] = (offer(suite), NoncePayload(NI), *ke, child().local.to_id(), IDCR)
    duet = against_responder(sends_first(*first), swapped(child(suites=(suite,))))
    assert isinstance(duet.responder.error, error)
    assert said in say_error(duet.responder.error)
    assert duet.responder.error.spi == SPI
    assert duet.responder.host.opened == []


@pytest.mark.parametrize("ke", [(), (KePayload(bytes(32)),), (KePayload(key_pair(Group.MODP_2048).public),)])
def test_the_initiator_refuses_an_answer_without_a_fitting_ke(ke: tuple[KePayload, ...]) -> None:
    ids = child().local.to_id(), IDCR
    duet = against_initiator(child(suites=(PFS,)), answers(lambda _: (offer(PFS), NoncePayload(NI), *ke, *ids)))
    assert isinstance(duet.initiator.error, NoProposalChosen | InvalidKey)
    assert duet.initiator.host.opened == []


@pytest.mark.parametrize("spi", [0, 1, 255])
def test_a_reserved_spi_of_the_peer_is_refused(spi: int) -> None:
    octets, ids = Spi(spi).octets, (child().local.to_id(), IDCR)
    as_responder = against_responder(sends_first(offer(spi=octets), NoncePayload(NI), *ids), swapped(child()))
    as_initiator = against_initiator(child(), answers(lambda _: (offer(spi=octets), NoncePayload(NI), *ids)))
    for side in (as_responder.responder, as_initiator.initiator):
        assert isinstance(side.error, Malformed)
        assert f"the peer's ESP SPI {Spi(spi)} is a reserved one" in say_error(side.error)
        assert side.host.opened == []


def test_the_initiator_refuses_a_choice_that_it_did_not_offer() -> None:
    ids = child().local.to_id(), IDCR
    duet = against_initiator(child(), answers(lambda _: (offer(ESP_AES256_SHA1), NoncePayload(NI), *ids)))
    assert isinstance(duet.initiator.error, NoProposalChosen)
    assert "which we did not offer" in say_error(duet.initiator.error)
