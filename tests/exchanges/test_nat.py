"""NAT traversal in phase 1: what is found, where IKE goes, which numbers are spoken (RFC 3947)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.conversation.timing import Timing
from ikevd.exchanges import aggressive_mode, main_mode, nat
from ikevd.exchanges.link import Link, Situation
from ikevd.exchanges.phase1 import Candidates
from ikevd.facts import Heard, Note
from ikevd.policy.connection import Connection
from ikevd.policy.nat import Encap, NatMethod
from ikevd.sa.model import Cookies, NatTraversal
from ikevd.wire.message import Header, Message
from ikevd.wire.payloads import NatDPayload
from ikevd.wire.registry import ExchangeType, Flags, Hash, PayloadType
from tests.builders import ALICE, BOB, SeededEntropy, connection, fqdn, mirrored
from tests.duet import Duet, Network
from tests.nat import Nat
from tests.sayings import said

PUBLIC = ip_address("203.0.113.9")
MODES = (main_mode, aggressive_mode)
ALICE_ID, BOB_ID = fqdn("alice.example"), fqdn("bob.example")


def phase1(mode: object, alice: Connection, bob: Connection | None = None, nat: Nat | None = None) -> Duet:
    aggressive = mode is aggressive_mode
    view = bob or mirrored(alice)
    return Duet(
        ExchangeType.AGGRESSIVE if aggressive else ExchangeType.MAIN_MODE,
        lambda link, _: mode.initiate(link, alice, SeededEntropy(1)),  # type: ignore[attr-defined]
        lambda link, _: mode.respond(link, Candidates((view,)), SeededEntropy(2)),  # type: ignore[attr-defined]
        network=Network(nat=nat),
        timing=Timing(resend=alice.resend),
    ).run()


def alice_behind_nat(**changes: object) -> Connection:
    return connection(local_id=ALICE_ID, **changes)


@pytest.mark.parametrize("mode", MODES)
def test_without_a_nat_both_see_none_and_stay_on_port_500(mode: object) -> None:
    duet = phase1(mode, alice_behind_nat())

    for side in (duet.initiator, duet.responder):
        assert side.result.nat == NatTraversal(NatMethod.RFC_3947, local=False, remote=False)
        assert side.result.path.local.port == 500


@pytest.mark.parametrize("mode", MODES)
def test_a_nat_before_the_initiator_is_seen_by_both(mode: object) -> None:
    duet = phase1(mode, alice_behind_nat(), nat=Nat(PUBLIC, ALICE))

    assert duet.initiator.result.nat == NatTraversal(NatMethod.RFC_3947, local=True, remote=False)
    assert duet.responder.result.nat == NatTraversal(NatMethod.RFC_3947, local=False, remote=True)


@pytest.mark.parametrize("mode", MODES)
def test_behind_a_nat_the_exchange_goes_on_at_port_4500(mode: object) -> None:
    duet = phase1(mode, alice_behind_nat(), nat=Nat(PUBLIC, ALICE))

    ports = [fact.path.local.port for fact in duet.responder.facts_of(Heard)]
    assert ports == ([500, 4500] if mode is aggressive_mode else [500, 500, 4500])
    assert duet.responder.result.path.remote.address == PUBLIC
    assert duet.responder.result.path.remote.port not in (500, 4500)
    assert duet.initiator.result.path.local.port == 4500


def test_ports_of_message_1_are_accepted_in_a_message_3_that_came_by_port_4500() -> None:
    """libreswan as initiator of Aggressive Mode hashes the old ports."""
    pair, hash_ = (b"initiatr", b"respondr"), Hash.SHA1
    cookies = Cookies(*pair)
    first = Path(Endpoint(BOB, 500), Endpoint(PUBLIC, 20_001))
    third = Path(Endpoint(BOB, 4500), Endpoint(PUBLIC, 20_002))
    link = Link(Situation(cookies, 0, first, arriving=third))

    def found(ours: Endpoint, theirs: Endpoint) -> NatTraversal | None:
        header = Header(*pair, PayloadType.NAT_D, ExchangeType.AGGRESSIVE, Flags(0), 0)
        hashes = (nat.endpoint_hash(hash_, cookies, endpoint) for endpoint in (ours, theirs))
        payloads = tuple(NatDPayload(PayloadType.NAT_D, octets) for octets in hashes)
        message = Message(header, payloads, b"")
        return nat.discovered(NatMethod.RFC_3947, hash_, link, connection(), message)

    method = NatMethod.RFC_3947
    assert found(first.local, first.remote) == NatTraversal(method, local=False, remote=False)
    assert found(first.local, Endpoint(ALICE, 500)) == NatTraversal(method, local=False, remote=True)
    assert found(Endpoint(PUBLIC, 500), third.remote) == NatTraversal(method, local=True, remote=False)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("forcing", ["initiator", "responder"])
def test_either_side_can_force_encapsulation(mode: object, forcing: str) -> None:
    alice = alice_behind_nat()
    bob = mirrored(alice)
    if forcing == "initiator":
        alice = replace(alice, encap=Encap.FORCE)
    else:
        bob = replace(bob, encap=Encap.FORCE)
    duet = phase1(mode, alice, bob)

    assert duet.initiator.result.nat.encapsulates
    assert duet.responder.result.nat.encapsulates
    assert duet.responder.result.path.local.port == 4500


@pytest.mark.parametrize("mode", MODES)
def test_who_forces_encapsulation_without_a_nat_knows_that_there_is_none(mode: object) -> None:
    plain = alice_behind_nat()
    forcing = phase1(mode, replace(plain, encap=Encap.FORCE), mirrored(plain)).initiator.result.nat
    assert (forcing.local, forcing.remote, forcing.forced) == (False, False, True)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", list(NatMethod))
def test_every_method_finds_the_nat(mode: object, method: NatMethod) -> None:
    duet = phase1(mode, alice_behind_nat(nat_methods=(method,)), nat=Nat(PUBLIC, ALICE))

    assert duet.responder.result.nat == NatTraversal(method, local=False, remote=True)


@pytest.mark.parametrize("mode", MODES)
def test_a_peer_without_nat_traversal_gets_none(mode: object) -> None:
    alice = alice_behind_nat()
    duet = phase1(mode, alice, replace(mirrored(alice), nat_methods=()))

    assert duet.initiator.result.nat is None
    assert duet.responder.result.nat is None


@pytest.mark.parametrize("mode", MODES)
def test_the_peers_vendor_ids_are_named_and_kept(mode: object) -> None:
    duet = phase1(mode, alice_behind_nat(cisco_unity=True))

    assert "NAT-T RFC 3947" in duet.initiator.result.peer_vendors
    assert any("Cisco Unity" in name for name in duet.responder.result.peer_vendors)
    assert any("NAT-T draft-03" in said(note) for note in duet.responder.facts_of(Note))


def test_the_responder_answers_with_the_one_method_it_chose() -> None:
    alice = alice_behind_nat()
    bob = replace(mirrored(alice), nat_methods=(NatMethod.DRAFT_03, NatMethod.DRAFT_02))

    announced = phase1(main_mode, alice, bob).initiator.result.peer_vendors
    assert [name for name in announced if "NAT-T" in name] == ["NAT-T draft-03"]


@pytest.mark.parametrize("mode", MODES)
def test_a_nat_before_the_responder_is_seen_by_both(mode: object) -> None:
    alice = alice_behind_nat(remote_id=BOB_ID)
    duet = phase1(mode, alice, mirrored(alice), nat=Nat(PUBLIC, server=BOB))

    assert duet.initiator.result.nat == NatTraversal(NatMethod.RFC_3947, local=False, remote=True)
    assert duet.responder.result.nat == NatTraversal(NatMethod.RFC_3947, local=True, remote=False)
    assert duet.responder.result.path.remote.port == 4500
