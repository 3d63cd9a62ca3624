"""Transport mode: the selectors are the peers themselves, and a NAT shows other addresses (RFC 3947 section 5.2)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest

from ikevd.errors import InvalidId, NoProposalChosen
from ikevd.exchanges.link import Link
from ikevd.findings import NearestMiss
from ikevd.observe.words import say_error
from ikevd.policy.child import Child, Selection
from ikevd.policy.nat import NatMethod
from ikevd.policy.selectors import Dynamic, TrafficSelector
from ikevd.sa.model import IpsecSa, IsakmpSa
from ikevd.wire.payloads import IdPayload, NatOaPayload, NoncePayload, Payload
from ikevd.wire.registry import Encapsulation, PayloadType
from tests.builders import ALICE, BOB, ESP_AES128_SHA256, child, connection, fqdn
from tests.duet import Duet, Network
from tests.exchanges.phase1_pair import main_mode_between
from tests.exchanges.quick_mode_pair import (
    NI,
    against_initiator,
    against_responder,
    answers,
    offer,
    quick_mode_between,
    sends_first,
)
from tests.nat import Nat

PUBLIC = ip_address("203.0.113.9")
TRANSPORT = replace(ESP_AES128_SHA256, mode=Encapsulation.TRANSPORT)
ANY = IPv4Address(0)


def host_to_host(protocol: int = 0, ours: int = 0, theirs: int = 0) -> Child:
    """A child that names no addresses."""
    return replace(
        child(),
        local=Dynamic.of_end(ANY, protocol, ours),
        remote=Dynamic.of_end(ANY, protocol, theirs),
        suites=(TRANSPORT,),
    )


def behind_nat(**changes: object) -> tuple[tuple[IsakmpSa, IsakmpSa], Network]:
    """ISAKMP SAs of Alice, behind a NAT, and Bob; and that network."""
    network = Network(nat=Nat(PUBLIC, ALICE))
    duet = main_mode_between(connection(local_id=fqdn("alice.example"), **changes), network=network)
    return (duet.initiator.result, duet.responder.result), network


def both(duet: Duet) -> list[IpsecSa]:
    return [duet.initiator.result, duet.responder.result]


def test_without_addresses_the_child_is_for_the_ends_of_the_sa() -> None:
    alice, bob = both(quick_mode_between(host_to_host(), host_to_host()))

    assert (alice.local_selector, alice.remote_selector) == tuple(map(TrafficSelector.of_address, (ALICE, BOB)))
    assert (bob.local_selector, bob.remote_selector) == tuple(map(TrafficSelector.of_address, (BOB, ALICE)))
    assert alice.suite == bob.suite == TRANSPORT


def test_protocol_and_ports_are_negotiated() -> None:
    alice, bob = both(quick_mode_between(host_to_host(17, 1701, 0), host_to_host(17, 0, 1701)))

    assert str(alice.local_selector) == f"{ALICE}/32[udp/1701]"
    assert str(bob.local_selector) == f"{BOB}/32[udp]"


def test_other_ports_are_no_child() -> None:
    duet = quick_mode_between(host_to_host(17, 1701), host_to_host(17, 0, 1702))
    assert isinstance(duet.responder.error, InvalidId)


def test_where_it_is_narrow_the_peer_names_the_port_that_it_calls_from() -> None:
    server = replace(host_to_host(17, 1701), selection=Selection.NARROW)
    alice, bob = both(quick_mode_between(host_to_host(17, 50000, 1701), server))

    assert (str(alice.local_selector), str(bob.remote_selector)) == (f"{ALICE}/32[udp/50000]",) * 2
    assert bob.asked is not None, "so that only the peer rekeys it, and asks for that port again"


def test_where_it_is_narrow_what_has_just_these_ports_comes_first() -> None:
    wide = replace(host_to_host(17, 1701), name="wide", selection=Selection.NARROW)
    duet = quick_mode_between(host_to_host(17, 1701, 1701), wide, replace(host_to_host(17, 1701, 1701), name="own"))
    assert both(duet)[1].child == "own"


def test_where_it_is_narrow_more_than_it_is_for_is_refused_too() -> None:
    duet = quick_mode_between(host_to_host(), replace(host_to_host(17, 1701), selection=Selection.NARROW))
    assert isinstance(duet.responder.error, InvalidId)


@pytest.mark.parametrize("tunnel_at", ["initiator", "responder"])
def test_the_other_mode_is_refused_in_words(tunnel_at: str) -> None:
    hosts = host_to_host()
    tunnel = replace(
        hosts,
        local=TrafficSelector.of_address(ALICE),
        remote=TrafficSelector.of_address(BOB),
        suites=(ESP_AES128_SHA256,),
    )
    if tunnel_at == "initiator":
        duet = quick_mode_between(tunnel, hosts)
    else:
        duet = quick_mode_between(hosts, replace(tunnel, local=tunnel.remote, remote=tunnel.local))
    error = duet.responder.error

    assert isinstance(error, NoProposalChosen)
    assert isinstance(error.finding, NearestMiss)
    theirs, ours = ("tunnel", "transport") if tunnel_at == "initiator" else ("transport", "tunnel")
    assert say_error(error).endswith(f"they differ in the encapsulation (theirs {theirs}, ours {ours})")


METHODS = pytest.mark.parametrize(
    ("method", "mode", "original"),
    [
        (NatMethod.RFC_3947, Encapsulation.UDP_TRANSPORT, PayloadType.NAT_OA),
        (NatMethod.DRAFT_07, Encapsulation.UDP_TRANSPORT, PayloadType.NAT_OA_DRAFT_04),
        (NatMethod.DRAFT_03, Encapsulation.UDP_TRANSPORT_DRAFT, PayloadType.NAT_OA_DRAFT),
        (NatMethod.DRAFT_02, Encapsulation.UDP_TRANSPORT_DRAFT, PayloadType.NAT_OA_DRAFT),
    ],
    ids=lambda value: getattr(value, "name", None),
)


@METHODS
def test_behind_a_nat_each_end_has_the_addresses_that_it_sees(
    method: NatMethod, mode: Encapsulation, original: PayloadType
) -> None:
    sas, network = behind_nat(nat_methods=(method,))
    duet = quick_mode_between(host_to_host(17, 1701, 1701), host_to_host(17, 1701, 1701), sas=sas, network=network)
    alice, bob = both(duet)

    assert alice.suite.mode == bob.suite.mode == mode
    assert [str(one) for one in (alice.local_selector, alice.remote_selector)] == [
        f"{ALICE}/32[udp/1701]",
        f"{BOB}/32[udp/1701]",
    ]
    assert [str(one) for one in (bob.local_selector, bob.remote_selector)] == [
        f"{BOB}/32[udp/1701]",
        f"{PUBLIC}/32[udp/1701]",
    ]
    assert alice.encap is not None


@METHODS
def test_the_initiator_says_both_addresses_as_it_sees_them(
    method: NatMethod, mode: Encapsulation, original: PayloadType
) -> None:
    del mode
    sas, network = behind_nat(nat_methods=(method,))
    heard = list[Payload]()

    async def listen(link: Link, sa: IsakmpSa) -> None:
        message = await link.receive(lambda message: message)
        heard.extend(message.payloads)

    against_initiator(host_to_host(), listen, sas=sas, network=network)

    said_addresses = [payload for payload in heard if original == payload.TYPE]
    assert [payload.body[4:] for payload in said_addresses] == [ALICE.packed, BOB.packed]


def test_the_responder_says_them_behind_the_identities() -> None:
    sas, network = behind_nat()
    suite = replace(TRANSPORT, mode=Encapsulation.UDP_TRANSPORT)
    identities = [TrafficSelector.of_address(end).to_id() for end in (ALICE, BOB)]
    script = sends_first(offer(suite), NoncePayload(NI), *identities)
    duet = against_responder(script, host_to_host(), sas=sas, network=network)

    payloads = duet.initiator.result.payloads
    kinds = [type(payload) for payload in payloads]
    assert kinds[-4:] == [IdPayload, IdPayload, NatOaPayload, NatOaPayload]
    assert [one.address for one in payloads if isinstance(one, NatOaPayload)] == [PUBLIC, BOB]


def test_an_answer_with_the_addresses_that_the_peer_sees_is_right_behind_a_nat() -> None:
    """strongSwan does not repeat the identities of message 1 there."""
    sas, network = behind_nat()
    suite = replace(TRANSPORT, mode=Encapsulation.UDP_TRANSPORT)
    as_seen = [replace(TrafficSelector.of_address(end), protocol=47).to_id() for end in (PUBLIC, BOB)]
    answer = answers(lambda _: (offer(suite), NoncePayload(NI), *as_seen))
    duet = against_initiator(host_to_host(47), answer, sas=sas, network=network)

    assert str(duet.initiator.result.local_selector) == f"{ALICE}/32[gre]"


def test_a_network_is_no_end_of_the_sa() -> None:
    sas, network = behind_nat()
    suite = replace(TRANSPORT, mode=Encapsulation.UDP_TRANSPORT)
    wide = TrafficSelector.parse("10.0.0.0/8").to_id()
    script = sends_first(offer(suite), NoncePayload(NI), wide, TrafficSelector.of_address(BOB).to_id())
    duet = against_responder(script, host_to_host(), sas=sas, network=network)

    assert isinstance(duet.responder.error, InvalidId)
