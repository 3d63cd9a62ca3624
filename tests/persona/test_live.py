"""Whole engines against the router."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.facts import Hint, Note
from ikevd.host.sas import UdpPorts
from ikevd.observe.history import Record
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.policy.identity import Identity
from ikevd.policy.nat import NatMethod
from ikevd.wire.registry import ExchangeType, NotifyType
from tests.builders import ALICE, BOB, BOB_TO_ALICE, NO_DPD, fqdn
from tests.duet import Network
from tests.gateways import Gateway, World, bring_up
from tests.nat import FIRST_PORT, Nat
from tests.persona import octets
from tests.persona.live import LiveRouter
from tests.persona.meetings import GROUP_NAME, SECRET, lan, ours, seen_from_bob
from tests.persona.octets import DELETE, ESP, ISAKMP, NOTIFY, payload
from tests.persona.router import IOS_12, IOS_15, Release, Router, RouterPair
from tests.sayings import said
from tests.virtual_time import run

PUBLIC = ip_address("203.0.113.9")
RELEASES = [pytest.param(IOS_12, id="IOS 12"), pytest.param(IOS_15, id="IOS 15")]
GROUPS = [pytest.param(None, id="Main Mode"), pytest.param(GROUP_NAME, id="Aggressive Mode")]
ALICE_BY_ADDRESS = Identity.of_address(ALICE)


def router_at_alice(
    router: Router, view: Connection | None = None, network: Network | None = None
) -> tuple[World, LiveRouter, Gateway]:
    """The router calls; we are Bob."""
    world = World(network)
    bob = world.gateway(BOB, view or seen_from_bob(ours(router)))
    return world, LiveRouter(world, ALICE, router), bob


def router_at_bob(
    router: Router, view: Connection | None = None, network: Network | None = None
) -> tuple[World, Gateway, LiveRouter]:
    """We call; the router is Bob."""
    world = World(network)
    alice = world.gateway(ALICE, view or ours(router))
    return world, alice, LiveRouter(world, BOB, router)


def phase1(gateway: Gateway) -> Record:
    """The evidence of its only phase 1."""
    (isakmp,) = gateway.session.live
    (record,) = [r for r in gateway.history.find() if r.cookies == isakmp.sa.cookies and not r.message_id]
    return record


def keys_in_kernel(gateway: Gateway) -> set[bytes]:
    """Encryption and integrity key of every SA that the kernel holds."""
    return {keys.encryption.reveal() + keys.integrity.reveal() for keys in gateway.kernel.keys.values()}


def agree(gateway: Gateway, pair: RouterPair) -> None:
    """The router's keys stand in our kernel, and no others."""
    assert keys_in_kernel(gateway) == {pair.inbound, pair.outbound}


# -- up ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("group_name", GROUPS)
def test_a_tunnel_comes_up_when_the_router_calls(group_name: str | None, release: Release) -> None:
    async def story() -> None:
        _, router, bob = router_at_alice(Router(SECRET, release, group_name=group_name))
        await router.call(BOB)
        pair = await router.quick_mode()
        await asyncio.sleep(1)
        agree(bob, pair)
        assert not bob.troubles

    run(story())


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("aggressive", [False, True])
def test_a_tunnel_comes_up_when_we_call(aggressive: bool, release: Release) -> None:
    async def story() -> None:
        router = Router(SECRET, release)
        view = ours(router, aggressive=aggressive, local_id=fqdn("alice.example"))
        _, alice, live = router_at_bob(router, view)
        await bring_up(alice)
        await asyncio.sleep(1)
        (pair,) = live.pairs
        agree(alice, pair)

    run(story())


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("group_name", GROUPS)
def test_a_router_of_unknown_address_behind_a_nat_gets_its_tunnel(group_name: str | None, release: Release) -> None:
    async def story() -> None:
        router = Router(SECRET, release, group_name=group_name)
        view = seen_from_bob(ours(router, nat_methods=tuple(NatMethod)))
        view = replace(view, remote=None, remote_id=view.remote_id or ALICE_BY_ADDRESS)
        _, live, bob = router_at_alice(router, view, Network(nat=Nat(PUBLIC, ALICE)))
        await live.call(BOB)
        pair = await live.quick_mode()
        await asyncio.sleep(1)
        agree(bob, pair)
        encaps = {sa.encap for sa in bob.kernel.sas.values() if sa.id.destination == PUBLIC}
        assert encaps == {UdpPorts(4500, FIRST_PORT + 1)}

    run(story())


def test_a_first_message_may_come_from_port_4500() -> None:
    async def story() -> None:
        world, router, bob = router_at_alice(Router(SECRET))
        await router.call(BOB, port=4500)
        pair = await router.quick_mode()
        await asyncio.sleep(1)
        agree(bob, pair)
        assert {path.remote.port for _, path, _ in world.wire} == {4500}

    run(story())


def test_sixteen_zero_octets_behind_every_datagram_of_the_router_do_no_harm() -> None:
    async def story() -> None:
        network = Network(tamper=lambda sender, octets: [octets + bytes(16)] if sender == "alice" else [octets])
        _, router, bob = router_at_alice(Router(SECRET), network=network)
        await router.call(BOB)
        pair = await router.quick_mode()
        await asyncio.sleep(1)
        agree(bob, pair)

    run(story())


def test_a_network_that_loses_a_third_is_no_hindrance() -> None:
    async def story() -> None:
        _, router, bob = router_at_alice(Router(SECRET), network=Network(loss=0.33, seed=1))
        await router.call(BOB)
        pair = await router.quick_mode()
        await asyncio.sleep(60)
        agree(bob, pair)

    run(story())


# -- what the router says in between -------------------------------------------------------------------------------

HARMLESS = [
    pytest.param(octets.INITIAL_CONTACT, id="INITIAL-CONTACT"),
    pytest.param(30000, id="HELLO"),
    pytest.param(30001, id="WWTEBR"),
    pytest.param(30002, id="SHUT_UP"),
    pytest.param(40501, id="load balance"),
    pytest.param(40503, id="preshared-key hash"),
    pytest.param(65535, id="nobody's"),
]


async def up(router: LiveRouter) -> RouterPair:
    """Both phases."""
    await router.call(BOB)
    pair = await router.quick_mode()
    await asyncio.sleep(1)
    return pair


def cookies(router: LiveRouter, *, swapped: bool = False) -> bytes:
    pair = router.sa.cookies
    return b"".join(reversed(pair) if swapped else pair)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("number", HARMLESS)
def test_a_notification_that_we_do_not_act_on_is_named_and_does_no_harm(number: int, swapped: bool) -> None:
    async def story() -> None:
        _, router, bob = router_at_alice(Router(SECRET))
        pair = await up(router)
        spi = cookies(router, swapped=swapped)
        await router.tell(payload(NOTIFY, octets.notify(ISAKMP, number, spi, bytes(4))))
        await asyncio.sleep(1)
        agree(bob, pair)
        notes = [said(entry.fact) for entry in phase1(bob).entries if isinstance(entry.fact, Note)]
        assert any(str(NotifyType(number)) in text for text in notes)

    run(story())


@pytest.mark.parametrize("swapped", [False, True])
def test_r_u_there_of_the_router_is_answered_also_with_its_cookies_swapped(swapped: bool) -> None:
    """As IOS 12.3(8)T swaps them on an 836."""

    async def story() -> None:
        _, router, bob = router_at_alice(Router(SECRET))
        pair = await up(router)
        number = bytes([1, 2, 3, 4])
        asked = octets.notify(ISAKMP, octets.R_U_THERE, cookies(router, swapped=swapped), number)
        await router.tell(payload(NOTIFY, asked))
        await asyncio.sleep(1)
        assert router.heard(NOTIFY) == [octets.notify(ISAKMP, octets.R_U_THERE_ACK, cookies(router), number)]
        notes = [said(entry.fact) for entry in phase1(bob).entries if isinstance(entry.fact, Note)]
        assert any("cookies swapped" in text for text in notes) is swapped
        agree(bob, pair)

    run(story())


def test_a_router_that_is_asked_whether_it_lives_keeps_its_tunnel() -> None:
    async def story() -> None:
        _, alice, router = router_at_bob(Router(SECRET))
        await bring_up(alice)
        await asyncio.sleep(300)
        asked = [body for body in router.heard(NOTIFY) if body[6:8] == octets.R_U_THERE.to_bytes(2, "big")]
        assert len(asked) == 9
        agree(alice, router.pairs[0])

    run(story())


def test_a_refusal_in_the_clear_after_message_2_does_not_end_what_goes_on() -> None:
    """As in a capture of strongSwan: the initiator says NO-PROPOSAL-CHOSEN, and goes on when message 2 comes again."""

    async def story() -> None:
        def refuse_first(sender: str, datagram: bytes) -> list[bytes]:
            third = sender == "alice" and datagram[8:16] != bytes(8) and not datagram[19]
            refusal = octets.notify(ISAKMP, 14, b"")
            body = octets.chain_of(payload(NOTIFY, refusal))
            header = datagram[:16] + bytes([NOTIFY, 0x10, 5, 0]) + bytes(4) + (28 + len(body)).to_bytes(4, "big")
            return [header + body, datagram] if third else [datagram]

        _, router, bob = router_at_alice(Router(SECRET), network=Network(tamper=refuse_first))
        pair = await up(router)
        agree(bob, pair)
        assert Hint(NotifyType.NO_PROPOSAL_CHOSEN) in [entry.fact for entry in phase1(bob).entries]

    run(story())


def test_what_does_not_decrypt_is_met_with_silence() -> None:
    """An answer in the clear would tell a forger which cookies live, and confuse the peer."""

    async def story() -> None:
        world, router, bob = router_at_alice(Router(SECRET), seen_from_bob(ours(Router(SECRET), dpd=NO_DPD)))
        pair = await up(router)
        said = len(world.wire)
        for exchange in (2, 4, 5, 6, 32):
            head = cookies(router) + bytes([8, 0x10, exchange, 1]) + bytes([9, 9, 9, exchange])
            bob.engine.datagram(head + (28 + 64).to_bytes(4, "big") + bytes(range(64)), BOB_TO_ALICE)
        await asyncio.sleep(60)
        assert len(world.wire) == said
        agree(bob, pair)

    run(story())


def test_an_xauth_that_the_router_begins_by_mistake_does_no_harm() -> None:
    """Its key line lacks `no-xauth`."""

    async def story() -> None:
        _, router, bob = router_at_alice(Router(SECRET))
        await router.call(BOB)
        request = payload(14, bytes.fromhex("01000001 c0880000 40890000 408a0000"))
        await router.tell(request, kind=ExchangeType.TRANSACTION)
        pair = await router.quick_mode()
        await asyncio.sleep(1)
        agree(bob, pair)

    run(story())


# -- down ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("doi", [0, 1])
@pytest.mark.parametrize("whose", [0, 1])
def test_a_delete_names_the_pair_by_either_spi_and_either_doi(whose: int, doi: int) -> None:
    async def story() -> None:
        _, router, bob = router_at_alice(Router(SECRET))
        pair = await up(router)
        await router.tell(payload(DELETE, octets.delete(ESP, pair.spis[whose], doi=doi)))
        await asyncio.sleep(1)
        assert bob.nothing_installed
        assert len(bob.session.live) == 1

    run(story())


def test_a_delete_said_twice_removes_nothing_else() -> None:
    async def story() -> None:
        _, router, bob = router_at_alice(Router(SECRET))
        first = await up(router)
        second = await router.quick_mode()
        await asyncio.sleep(1)
        for _ in range(2):
            await router.tell(payload(DELETE, octets.delete(ESP, first.spis[0])))
            await asyncio.sleep(1)
        agree(bob, second)

    run(story())


@pytest.mark.parametrize("doi", [0, 1])
def test_the_end_of_the_isakmp_sa_of_the_router_cuts_no_tunnel(doi: int) -> None:
    async def story() -> None:
        _, router, bob = router_at_alice(Router(SECRET))
        pair = await up(router)
        await router.tell(payload(DELETE, octets.delete(ISAKMP, cookies(router), doi=doi)))
        await asyncio.sleep(60)
        assert not bob.session.live
        agree(bob, pair)

    run(story())


def test_after_clear_crypto_session_a_child_that_is_always_wanted_is_back_at_once() -> None:
    async def story() -> None:
        child = lan(start=Start.ALWAYS)
        _, alice, router = router_at_bob(Router(SECRET), ours(Router(SECRET), children=(child,)))
        alice.engine.start()
        await asyncio.sleep(60)
        await router.clear()
        await asyncio.sleep(1)
        (pair,) = router.pairs
        agree(alice, pair)

    run(story())


def test_a_delete_of_a_child_that_is_always_wanted_brings_its_replacement_at_once() -> None:
    async def story() -> None:
        child = lan(start=Start.ALWAYS)
        _, alice, router = router_at_bob(Router(SECRET), ours(Router(SECRET), children=(child,)))
        alice.engine.start()
        await asyncio.sleep(60)
        (pair,) = router.pairs
        await router.tell(payload(DELETE, octets.delete(ESP, pair.spis[0])))
        await asyncio.sleep(0.5)
        agree(alice, router.pairs[1])
        assert len(router.sas) == 1

    run(story())


def test_our_delete_reaches_the_router_with_our_spi_before_that_of_the_isakmp_sa() -> None:
    async def story() -> None:
        _, alice, router = router_at_bob(Router(SECRET))
        await bring_up(alice)
        await asyncio.sleep(1)
        (pair,) = router.pairs
        await alice.engine.stop()
        said = [octets.delete(ESP, pair.spis[1]), octets.delete(ISAKMP, cookies(router))]
        assert list(dict.fromkeys(router.heard(DELETE))) == said

    run(story())
