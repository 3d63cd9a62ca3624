"""Quick Mode and Informational with the router, either side first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.facts import Heard
from ikevd.observe.words import say_error
from ikevd.policy.child import Child
from ikevd.policy.connection import Connection
from ikevd.policy.identity import Identity
from ikevd.policy.lives import Lifetime
from ikevd.policy.nat import NatMethod
from ikevd.policy.selectors import TrafficSelector
from ikevd.policy.suites import IpsecSuite
from ikevd.sa.model import IpsecSa
from ikevd.wire.registry import Encapsulation, Group
from tests.builders import ALICE, fqdn
from tests.duet import Duet, Network
from tests.nat import Nat
from tests.persona.meetings import (
    ESP_AES_SHA,
    SECRET,
    lan,
    ours,
    quick_mode_between,
    router_calls_us,
    seen_from_bob,
    we_call_router,
)
from tests.persona.router import IOS_12, IOS_15, Release, Router, RouterPair

PUBLIC = ip_address("203.0.113.9")
Meet = Callable[..., Duet]
FOREVER = lan(lifetime=Lifetime(86400))
RELEASES = [pytest.param(IOS_12, id="IOS 12"), pytest.param(IOS_15, id="IOS 15")]


def swapped(child: Child) -> Child:
    return replace(child, local=child.remote, remote=child.local)


def pairs(duet: Duet) -> tuple[RouterPair, IpsecSa]:
    """The router's and ours."""
    results = duet.initiator.result, duet.responder.result
    assert None not in results, (duet.initiator.error, duet.responder.error)
    first, second = results
    return (first, second) if isinstance(first, RouterPair) else (second, first)


def agree(duet: Duet) -> IpsecSa:
    """Ours, whose keys are the router's."""
    theirs, mine = pairs(duet)
    assert (mine.outbound.octets, mine.inbound.octets) == theirs.spis
    side = duet.initiator if duet.initiator.result is mine else duet.responder
    inbound, outbound = (side.host.keys[spi] for spi in (mine.inbound, mine.outbound))
    assert outbound.encryption.reveal() + outbound.integrity.reveal() == theirs.inbound
    assert inbound.encryption.reveal() + inbound.integrity.reveal() == theirs.outbound
    return mine


def router_begins(router: Router, child: Child = FOREVER) -> Duet:
    return quick_mode_between(router_calls_us(router), (swapped(child),), router_begins=True)


def we_begin(router: Router, child: Child = FOREVER) -> Duet:
    return quick_mode_between(we_call_router(router), (child,), router_begins=False)


@pytest.mark.parametrize("meet", [router_begins, we_begin])
@pytest.mark.parametrize("release", RELEASES)
def test_both_hold_the_same_keys(meet: Meet, release: Release) -> None:
    agree(meet(Router(SECRET, release)))


def test_life_in_seconds_and_kilobytes_is_read_in_either_encoding() -> None:
    assert agree(router_begins(Router(SECRET))).lifetime == Lifetime(3600, 4_608_000)
    assert agree(router_begins(Router(SECRET, seconds=86_400, kilobytes=2560))).lifetime == Lifetime(86_400, 2560)


def test_the_access_list_of_the_router_is_our_child() -> None:
    mine = agree(router_begins(Router(SECRET)))

    assert (mine.local_selector, mine.remote_selector) == (FOREVER.remote, FOREVER.local)


@pytest.mark.parametrize("meet", [router_begins, we_begin])
def test_pfs_with_the_group_of_the_crypto_map(meet: Meet) -> None:
    child = replace(FOREVER, suites=(replace(ESP_AES_SHA, group=Group.MODP_1024),))

    assert agree(meet(Router(SECRET, pfs=Group.MODP_1024), child)).suite.group == Group.MODP_1024


def test_a_router_without_pfs_is_refused_where_it_is_required() -> None:
    child = replace(FOREVER, suites=(replace(ESP_AES_SHA, group=Group.MODP_1024),))
    duet = router_begins(Router(SECRET), child)

    assert duet.responder.result is None
    assert "group" in say_error(duet.responder.error)


def test_a_vti_asks_for_everything() -> None:
    anywhere = TrafficSelector.parse("0.0.0.0/0")
    child = replace(FOREVER, local=anywhere, remote=anywhere)
    router = Router(SECRET, local_lan=(bytes(4), bytes(4)), remote_lan=(bytes(4), bytes(4)))

    assert agree(router_begins(router, child)).local_selector == anywhere


def test_the_responder_lifetime_of_the_router_counts() -> None:
    assert agree(we_begin(Router(SECRET, claims=1800))).lifetime == Lifetime(1800)


def test_no_responder_lifetime_makes_our_own_longer() -> None:
    child = replace(FOREVER, lifetime=Lifetime(3600))

    assert agree(we_begin(Router(SECRET, claims=86_400), child)).lifetime == Lifetime(3600)


# -- behind a NAT --------------------------------------------------------------------------------------------------


def through_nat(release: Release, view: Connection, *, router_calls: bool) -> Duet:
    router, nat = Router(SECRET, release), Network(nat=Nat(PUBLIC, ALICE))
    if router_calls:
        return router_calls_us(router, seen_from_bob(view), nat)
    return we_call_router(router, view, nat)


@pytest.mark.parametrize("method", [NatMethod.RFC_3947, NatMethod.DRAFT_07, NatMethod.DRAFT_03, NatMethod.DRAFT_02])
@pytest.mark.parametrize("router_calls", [True, False])
def test_behind_a_nat_the_mode_has_the_number_of_the_method(router_calls: bool, method: NatMethod) -> None:
    by_address = Identity.of_address(ALICE)
    names = {"remote_id": by_address} if router_calls else {"local_id": fqdn("alice.example")}
    view = ours(Router(SECRET), nat_methods=(method,), **names)
    phase1 = through_nat(IOS_15, view, router_calls=router_calls)
    child = swapped(FOREVER) if router_calls else FOREVER
    mine = agree(quick_mode_between(phase1, (child,), router_begins=router_calls))

    draft = method in (NatMethod.DRAFT_02, NatMethod.DRAFT_03)
    assert mine.suite.mode == (Encapsulation.UDP_TUNNEL_DRAFT if draft else Encapsulation.UDP_TUNNEL)
    assert mine.encap is not None
    assert isinstance(mine.suite, IpsecSuite)


def test_the_transform_of_the_router_is_that_of_its_debug_output() -> None:
    duet = router_begins(Router(SECRET))

    encaps, seconds, kilobytes = "80040001", "80010001 80020e10", "80010002 0002000400465000"
    authenticator, key_length = "80050002", "80060080"
    written = bytes.fromhex(f"010c0000 {encaps} {seconds} {kilobytes} {authenticator} {key_length}")
    (first, *_) = duet.responder.facts_of(Heard)
    assert written in first.chain
