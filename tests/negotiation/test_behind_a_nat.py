"""Whole engines with a NAT between them, in virtual time (the real kernel's part: tests/interop)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.host.sas import UdpPorts
from ikevd.policy.connection import Connection
from tests.builders import ALICE, BOB, child, connection, fqdn, mirrored, psk
from tests.duet import Network
from tests.gateways import World, alice_and_bob, bring_up
from tests.nat import FIRST_PORT, Nat
from tests.virtual_time import run

CAROL, PUBLIC = ip_address("192.0.2.2"), ip_address("203.0.113.9")


def roadwarrior(name: str, address: object, lan: str, reqid: int, **changes: object) -> Connection:
    return connection(
        local=address,
        local_id=fqdn(f"{name}.example"),
        psk=psk(f"the secret of {name}"),
        children=(child(local=lan, reqid=reqid),),
        **changes,
    )


def gateway_view(name: str, view: Connection) -> Connection:
    return replace(mirrored(view), name=name, remote=None)


@pytest.mark.parametrize("aggressive", [False, True])
def test_esp_travels_between_the_ports_that_the_nat_shows(aggressive: bool) -> None:
    async def story() -> None:
        view = roadwarrior("alice", ALICE, "10.1.0.0/24", 0x696B0000, aggressive=aggressive)
        _, alice, bob = alice_and_bob(Network(nat=Nat(PUBLIC, ALICE)), view, gateway_view("alice", view))
        await bring_up(alice)
        await asyncio.sleep(1)

        outside = next(iter(bob.kernel.sas[sa].encap for sa in bob.kernel.sas if sa.destination == PUBLIC))
        assert outside == UdpPorts(4500, FIRST_PORT + 1)
        inside = next(iter(alice.kernel.sas[sa].encap for sa in alice.kernel.sas if sa.destination == BOB))
        assert inside == UdpPorts(4500, 4500)

    run(story())


@pytest.mark.parametrize("aggressive", [False, True])
def test_two_peers_behind_one_address_have_a_tunnel_each(aggressive: bool) -> None:
    async def story() -> None:
        alice_view = roadwarrior("alice", ALICE, "10.1.0.0/24", 0x696B0000, aggressive=aggressive)
        carol_view = roadwarrior("carol", CAROL, "10.3.0.0/24", 0x696B0001, aggressive=aggressive)
        world = World(Network(nat=Nat(PUBLIC, ALICE, CAROL)))
        alice, carol = world.gateway(ALICE, alice_view), world.gateway(CAROL, carol_view, seed=1)
        bob = world.gateway(BOB, gateway_view("alice", alice_view), gateway_view("carol", carol_view), seed=2)
        await asyncio.gather(bring_up(alice), bring_up(carol))
        await asyncio.sleep(1)

        outbound = [bob.kernel.sas[sa].encap for sa in bob.kernel.sas if sa.destination == PUBLIC]
        assert len(outbound) == len(set(outbound)) == 2
        assert {session.connection.name for session in bob.engine.sessions()} == {"alice", "carol"}

    run(story())


def test_who_is_behind_the_nat_keeps_its_mapping_alive() -> None:
    async def story() -> None:
        view = roadwarrior("alice", ALICE, "10.1.0.0/24", 0x696B0000, nat_keepalive=20.0)
        world, alice, _ = alice_and_bob(Network(nat=Nat(PUBLIC, ALICE)), view, gateway_view("alice", view))
        await bring_up(alice)
        await asyncio.sleep(65)

        assert [round(when) for when, _ in world.keepalives] == [20, 40, 60]
        assert {(path.local.port, path.remote.port) for _, path in world.keepalives} == {(4500, 4500)}

    run(story())


def test_keepalives_end_with_the_tunnel() -> None:
    async def story() -> None:
        view = roadwarrior("alice", ALICE, "10.1.0.0/24", 0x696B0000)
        world, alice, _ = alice_and_bob(Network(nat=Nat(PUBLIC, ALICE)), view, gateway_view("alice", view))
        await bring_up(alice)
        alice.session.end()
        await asyncio.sleep(60)
        said = len(world.keepalives)
        await asyncio.sleep(600)

        assert len(world.keepalives) == said

    run(story())


def test_without_a_nat_there_are_no_keepalives_and_no_encapsulation() -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob()
        await bring_up(alice)
        await asyncio.sleep(100)

        assert world.keepalives == []
        assert {sa.encap for gateway in (alice, bob) for sa in gateway.kernel.sas.values()} == {None}

    run(story())
