"""An attacker on the wire copies every message and is faster than the genuine one, from another port: whole engines in
virtual time, both roles, all exchanges."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from ikevd.addresses import Address, Endpoint, Path
from ikevd.host.sas import UdpPorts
from ikevd.policy.nat import Encap
from tests.builders import ALICE, BOB, connection, mirrored
from tests.duet import Network
from tests.gateways import Gateway, World, bring_up
from tests.nat import Nat
from tests.negotiation.test_behind_a_nat import CAROL, PUBLIC, gateway_view, roadwarrior
from tests.virtual_time import run

Elsewhere = Callable[[Path], Path]
WRONG_PORTS: dict[str, Elsewhere] = {
    "from another port": lambda path: replace(path, remote=replace(path.remote, port=6666)),
    "from port 4500": lambda path: replace(path, remote=replace(path.remote, port=4500)),
    "to port 500": lambda path: replace(path, local=replace(path.local, port=500)),
    "to port 4500": lambda path: replace(path, local=replace(path.local, port=4500)),
    "between ports 500": lambda path: at_ports(path, 500),
    "between ports 4500": lambda path: at_ports(path, 4500),
}


def at_ports(path: Path, port: int) -> Path:
    return Path(replace(path.local, port=port), replace(path.remote, port=port))


class RacedWorld(World):
    """What is sent to one of `victims` is delivered from elsewhere first."""

    def __init__(self, elsewhere: Elsewhere, *victims: Address, network: Network | None = None) -> None:
        super().__init__(network)
        self._elsewhere, self._victims = elsewhere, victims

    def carry(self, octets: bytes, path: Path) -> str | None:
        back = self.network.nat.arriving(path) if self.network.nat else Path(path.remote, path.local)
        if back and back.local.address in self._victims:
            copy = self._elsewhere(back)
            if copy != back:
                asyncio.get_running_loop().call_soon(self.gateways[back.local.address].engine.datagram, octets, copy)
        return super().carry(octets, path)


def encapsulations(gateway: Gateway, remote: Address) -> set[UdpPorts | None]:
    return {sa.encap for key, sa in gateway.kernel.sas.items() if key.destination == remote}


@pytest.mark.parametrize("elsewhere", WRONG_PORTS)
@pytest.mark.parametrize("encap", [Encap.AUTO, Encap.FORCE])
@pytest.mark.parametrize("aggressive", [False, True])
def test_a_copy_of_every_message_that_overtakes_it_from_another_port_moves_nothing(
    elsewhere: str, encap: Encap, aggressive: bool
) -> None:
    """`encap: force`, or a trial of it, is a NAT before the side that has it, for both sides; the other side's port
    stays."""

    async def story() -> None:
        view = connection(aggressive=aggressive, encap=encap)
        forced = encap in (Encap.FORCE, Encap.TRIED)
        victims = (ALICE,) if forced else (ALICE, BOB)
        world = RacedWorld(WRONG_PORTS[elsewhere], *victims)
        alice = world.gateway(ALICE, view)
        bob = world.gateway(BOB, replace(mirrored(view), encap=Encap.AUTO), seed=1)
        await bring_up(alice)
        await asyncio.sleep(1)

        ports = UdpPorts(4500, 4500) if forced else None
        assert encapsulations(alice, BOB) == encapsulations(bob, ALICE) == {ports}
        for gateway in (alice, bob):
            (live,) = gateway.session.live
            assert live.path.local.port == live.path.remote.port == (4500 if ports else 500)

    run(story())


RACED = 2
"""Message 5 of Main Mode and message 1 of Quick Mode."""


def test_behind_a_nat_the_tunnel_is_back_at_the_peers_port_with_its_next_message() -> None:
    """Nothing tells a message from its copy there. The repetition is answered at its own port, and message 3 of Quick
    Mode, of which there is no copy, brings the path back."""

    async def story() -> None:
        view = roadwarrior("alice", ALICE, "10.1.0.0/24", 0x696B0000)
        copied: list[Path] = []

        def copy_of_the_first(path: Path) -> Path:
            if path.local.port != 4500 or len(copied) == RACED:
                return path
            copied.append(path)
            return replace(path, remote=replace(path.remote, port=6666))

        world = RacedWorld(copy_of_the_first, BOB, network=Network(nat=Nat(PUBLIC, ALICE)))
        alice, bob = world.gateway(ALICE, view), world.gateway(BOB, gateway_view("alice", view), seed=1)
        await bring_up(alice)
        await asyncio.sleep(1)
        (live,) = bob.session.live
        assert len(copied) == RACED
        assert live.path == Path(Endpoint(BOB, 4500), Endpoint(PUBLIC, 40_001))
        assert encapsulations(bob, PUBLIC) == {UdpPorts(4500, 40_001)}

    run(story())


def test_behind_a_nat_copies_from_another_address_that_overtake_every_message_move_nothing() -> None:
    """Each is answered where it came from, the genuine one where that did. Whoever sends copies answers no question."""

    def from_another_address(path: Path) -> Path:
        return replace(path, remote=replace(path.remote, address=CAROL))

    async def story() -> None:
        view = roadwarrior("alice", ALICE, "10.1.0.0/24", 0x696B0000)
        world = RacedWorld(from_another_address, BOB, network=Network(nat=Nat(PUBLIC, ALICE)))
        alice, bob = world.gateway(ALICE, view), world.gateway(BOB, gateway_view("alice", view), seed=1)
        await bring_up(alice)
        await asyncio.sleep(1)
        (live,) = bob.session.live
        assert live.path == Path(Endpoint(BOB, 4500), Endpoint(PUBLIC, 40_001))
        assert encapsulations(bob, PUBLIC) == {UdpPorts(4500, 40_001)}
        assert bob.kernel.dead == []

    run(story())
