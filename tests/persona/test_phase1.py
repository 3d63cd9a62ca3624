"""Main Mode and Aggressive Mode with the router, either side first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.facts import Heard, Note, Sent
from ikevd.policy.connection import Connection
from ikevd.policy.identity import Identity
from ikevd.policy.lives import LEAST_SECONDS, Lifetime
from ikevd.policy.nat import NatMethod
from ikevd.sa.model import NatTraversal
from ikevd.wire.registry import Cipher, ExchangeType, Group, Hash, PayloadType
from tests.builders import ALICE, BOB, fqdn
from tests.duet import Duet, Network
from tests.nat import Nat
from tests.persona import octets
from tests.persona.meetings import (
    GROUP_NAME,
    SECRET,
    agree,
    both,
    ours,
    router_calls_us,
    seen_from_bob,
    suite,
    we_call_router,
)
from tests.persona.router import IOS_12, IOS_15, Policy, Release, Router
from tests.sayings import said

PUBLIC = ip_address("203.0.113.9")
RELEASES = [pytest.param(IOS_12, id="IOS 12"), pytest.param(IOS_15, id="IOS 15")]
CALLS = [pytest.param(router_calls_us, id="router calls"), pytest.param(we_call_router, id="we call")]
POLICIES = [
    pytest.param(Policy(), id="aes-sha-2"),
    pytest.param(Policy(group=Group.MODP_768), id="aes-sha-1"),
    pytest.param(Policy(Cipher.TRIPLE_DES_CBC, 0, Hash.MD5), id="3des-md5-2"),
    pytest.param(Policy(Cipher.DES_CBC, 0, Hash.SHA1, Group.MODP_768), id="des-sha-1, the default"),
    pytest.param(Policy(Cipher.AES_CBC, 256, Hash.SHA2_256, Group.MODP_2048), id="aes 256-sha256-14"),
]
Call = Callable[[Router], Duet]
Meet = Callable[[Router, Connection], Duet]
ALL_METHODS = tuple(NatMethod)
ALICE_BY_ADDRESS, BOB_BY_ADDRESS = Identity.of_address(ALICE), Identity.of_address(BOB)
"""The router calls itself by its own address, whatever a NAT makes of it."""


# -- Main Mode -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("call", CALLS)
def test_main_mode_ends_with_the_same_keys(call: Call, policy: Policy, release: Release) -> None:
    duet = call(Router(SECRET, release, (policy,)))

    agree(duet)
    assert both(duet)[1].suite == suite(policy)


@pytest.mark.parametrize("call", CALLS)
def test_the_router_is_known_by_its_vendor_ids(call: Call) -> None:
    duet = call(Router(SECRET, IOS_12))

    known = both(duet)[1].peer_vendors
    assert {"Cisco IOS device", "Cisco Unity 1.0", "DPD 1.0", "XAUTH"} <= set(known)


@pytest.mark.parametrize("call", CALLS)
def test_no_message_of_the_router_is_dropped_or_sent_twice(call: Call) -> None:
    duet = call(Router(SECRET))

    assert [type(fact) for fact in duet.initiator.facts if isinstance(fact, Heard | Sent)] == [Sent, Heard] * 3
    assert [type(fact) for fact in duet.responder.facts if isinstance(fact, Heard | Sent)] == [Heard, Sent] * 3


@pytest.mark.parametrize("group", [None, "clients"], ids=["message 5", "message 3 of Aggressive Mode"])
def test_initial_contact_of_the_router_is_understood(group: str | None) -> None:
    duet = router_calls_us(Router(SECRET, group_name=group))
    assert both(duet)[1].contacted


def test_initial_contact_in_message_5_does_not_disturb_the_proof() -> None:
    duet = router_calls_us(Router(SECRET))

    fifth = duet.responder.facts_of(Heard)[2]
    assert fifth.payloads == (str(PayloadType.ID), str(PayloadType.HASH), str(PayloadType.N))
    agree(duet)


@pytest.mark.parametrize("call", [router_calls_us, we_call_router])
def test_a_router_may_call_itself_by_its_hostname(call: Meet) -> None:
    router = Router(SECRET, hostname="r1.example.net")
    view = ours(router, remote_id=fqdn("r1.example.net"))
    duet = call(router, seen_from_bob(view) if call is router_calls_us else view)

    agree(duet)
    assert str(both(duet)[1].remote_id) == "r1.example.net"


def test_the_first_of_our_suites_wins_whatever_the_number_of_its_transform() -> None:
    weak, strong = Policy(Cipher.DES_CBC, 0, Hash.MD5, Group.MODP_768), Policy()
    view = seen_from_bob(ours(Router(SECRET, policies=(strong,))))
    duet = router_calls_us(Router(SECRET, policies=(weak, strong)), view)

    assert both(duet)[1].suite == suite(strong)


def test_the_routers_order_decides_where_it_answers() -> None:
    first, second = Policy(), Policy(Cipher.AES_CBC, 256)
    view = ours(Router(SECRET, policies=(second, first)))
    duet = we_call_router(Router(SECRET, policies=(first, second)), view)

    assert both(duet)[1].suite == suite(first)


@pytest.mark.parametrize("seconds", [7200, 65535, 65536, 86400, 604800])
@pytest.mark.parametrize("call", CALLS)
def test_a_life_in_two_or_four_octets_is_kept_down_to_our_own(call: Call, seconds: int) -> None:
    router = Router(SECRET, policies=(Policy(life=seconds),))
    duet = call(router)

    assert both(duet)[1].lifetime == Lifetime(min(seconds, 86400))


def test_sixteen_zero_octets_behind_every_message_of_the_router_do_no_harm() -> None:
    def trail(sender: str, datagram: bytes) -> list[bytes]:
        return [datagram + bytes(16)] if sender == "initiator" else [datagram]

    agree(router_calls_us(Router(SECRET), network=Network(tamper=trail)))


# -- Aggressive Mode -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", RELEASES)
def test_a_router_with_a_group_name_is_known_by_it(release: Release) -> None:
    duet = router_calls_us(Router(SECRET, release, group_name=GROUP_NAME))

    agree(duet)
    sa = both(duet)[1]
    assert sa.remote_id.data == GROUP_NAME.encode()
    assert sa.exchange == ExchangeType.AGGRESSIVE


def test_another_group_name_is_refused_in_silence() -> None:
    router = Router(SECRET, group_name="other")
    view = seen_from_bob(ours(Router(SECRET, group_name=GROUP_NAME)))

    assert router_calls_us(router, view).responder.sent == []


@pytest.mark.parametrize("encrypted", [True, False])
@pytest.mark.parametrize("release", RELEASES)
def test_a_router_answers_our_aggressive_mode(release: Release, encrypted: bool) -> None:
    router = Router(SECRET, release)
    view = ours(router, aggressive=True, local_id=fqdn("alice.example"), encrypt_third=encrypted)

    agree(we_call_router(router, view))


# -- NAT traversal -------------------------------------------------------------------------------------------------


def before(address: object) -> Nat:
    """A NAT before Alice, who begins, or before Bob."""
    return Nat(PUBLIC, ALICE) if address == ALICE else Nat(PUBLIC, server=BOB)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("inside", [ALICE, BOB])
@pytest.mark.parametrize("group_name", [None, GROUP_NAME])
def test_a_nat_is_found_with_the_router_as_initiator(group_name: str | None, inside: object, release: Release) -> None:
    router = Router(SECRET, release, group_name=group_name)
    view = seen_from_bob(ours(router, nat_methods=ALL_METHODS))
    if group_name is None:
        view = replace(view, remote_id=view.remote_id or ALICE_BY_ADDRESS)
    duet = router_calls_us(router, view, Network(nat=before(inside)))

    agree(duet)
    theirs, sa = both(duet)
    method = NatMethod.DRAFT_07 if release is IOS_12 else NatMethod.RFC_3947
    assert sa.nat == NatTraversal(method, local=inside == BOB, remote=inside == ALICE)
    assert theirs.udp_tunnel == 3
    assert sa.path.local.port == 4500


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("inside", [ALICE, BOB])
@pytest.mark.parametrize("aggressive", [False, True])
def test_a_nat_is_found_with_the_router_as_responder(aggressive: bool, inside: object, release: Release) -> None:
    router = Router(SECRET, release)
    view = ours(
        router,
        aggressive=aggressive,
        local_id=fqdn("alice.example"),
        remote_id=BOB_BY_ADDRESS,
        nat_methods=ALL_METHODS,
    )
    duet = we_call_router(router, view, Network(nat=before(inside)))

    agree(duet)
    theirs, sa = both(duet)
    method = NatMethod.DRAFT_07 if release is IOS_12 else NatMethod.RFC_3947
    assert sa.nat == NatTraversal(method, local=inside == ALICE, remote=inside == BOB)
    assert theirs.udp_tunnel == 3
    assert sa.path.local.port == 4500


def test_after_the_float_the_identity_of_the_router_has_port_0() -> None:
    duet = router_calls_us(
        Router(SECRET), seen_from_bob(ours(Router(SECRET), remote_id=ALICE_BY_ADDRESS)), Network(nat=before(ALICE))
    )

    fifth = duet.responder.facts_of(Heard)[2]
    assert fifth.chain[4:12] == octets.identity(octets.ID_IPV4, ALICE.packed, octets.UDP, 0)
    agree(duet)


@pytest.mark.parametrize("call", CALLS)
def test_without_a_nat_the_router_stays_on_port_500_and_says_so_in_its_identity(call: Call) -> None:
    duet = call(Router(SECRET, IOS_12))

    theirs, sa = both(duet)
    assert sa.path.local.port == 500
    assert theirs.udp_tunnel is None


WRONG = [pytest.param(octets.DRAFT_02, id="130"), pytest.param(octets.DRAFT_07, id="15")]


@pytest.mark.parametrize("numbers_of", WRONG)
@pytest.mark.parametrize("group_name", [None, GROUP_NAME])
def test_a_router_that_announces_all_and_speaks_a_draft_is_understood_and_answered_in_it(
    group_name: str | None, numbers_of: bytes
) -> None:
    router = Router(SECRET, replace(IOS_15, numbers_of=numbers_of), group_name=group_name)
    view = seen_from_bob(ours(router, nat_methods=ALL_METHODS))
    view = replace(view, remote_id=view.remote_id or ALICE_BY_ADDRESS)
    duet = router_calls_us(router, view, Network(nat=before(ALICE)))

    agree(duet)
    theirs, sa = both(duet)
    method = NatMethod.DRAFT_07 if numbers_of == octets.DRAFT_07 else NatMethod.DRAFT_03
    assert sa.nat == NatTraversal(method, local=False, remote=True)
    if group_name is None:  # in Aggressive Mode our hashes leave before the router's come
        assert theirs.udp_tunnel == (3 if numbers_of == octets.DRAFT_07 else 61443)


@pytest.mark.parametrize("numbers_of", WRONG)
def test_where_the_router_announced_the_rfc_alone_the_numbers_of_a_draft_count_for_nothing(numbers_of: bytes) -> None:
    router = Router(SECRET, replace(IOS_15, numbers_of=numbers_of))
    view = ours(router, local_id=fqdn("alice.example"), nat_methods=ALL_METHODS)
    duet = we_call_router(router, view, Network(nat=before(ALICE)))

    assert duet.initiator.result.nat is None


@pytest.mark.parametrize("method", [NatMethod.DRAFT_03, NatMethod.DRAFT_02, NatMethod.DRAFT_07])
def test_for_such_a_router_the_connection_names_a_draft(method: NatMethod) -> None:
    view = ours(Router(SECRET), local_id=fqdn("alice.example"), nat_methods=(method,))
    duet = we_call_router(Router(SECRET), view, Network(nat=before(ALICE)))

    agree(duet)
    theirs, sa = both(duet)
    assert sa.nat == NatTraversal(method, local=True, remote=False)
    assert theirs.udp_tunnel == (3 if method is NatMethod.DRAFT_07 else 61443)


@pytest.mark.parametrize("methods", [(NatMethod.DRAFT_03,), (NatMethod.DRAFT_02,), ()])
def test_the_connection_may_name_the_drafts_or_nothing_for_such_a_router(methods: tuple[NatMethod, ...]) -> None:
    router = Router(SECRET)
    view = seen_from_bob(ours(router, remote_id=ALICE_BY_ADDRESS, nat_methods=methods))
    duet = router_calls_us(router, view, Network(nat=None if not methods else before(ALICE)))

    agree(duet)
    sa = both(duet)[1]
    assert (sa.nat.method if sa.nat else None) == (methods[0] if methods else None)


# -- RESPONDER-LIFETIME -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("claimed", "counts"), [(3600, 3600), (100_000, 86_400), (1, LEAST_SECONDS), (0, 86_400)])
def test_the_life_that_the_router_claims_in_message_6_counts_where_it_is_shorter(claimed: int, counts: int) -> None:
    duet = we_call_router(Router(SECRET, isakmp_claims=claimed))

    assert both(duet)[1].lifetime.seconds == counts
    notes = [note for note in duet.initiator.facts_of(Note) if "RESPONDER-LIFETIME" in said(note)]
    assert len(notes) == (counts != 86_400)


def test_what_message_2_of_aggressive_mode_claims_is_noted_and_not_heeded_as_nothing_proves_it() -> None:
    """RFC 2407 section 4.6.3."""
    duet = we_call_router(Router(SECRET, isakmp_claims=3600), aggressive=True)

    assert both(duet)[1].lifetime.seconds == 86_400
    (note,) = [note for note in duet.initiator.facts_of(Note) if "RESPONDER-LIFETIME" in said(note)]
    assert "not heeded" in said(note)
