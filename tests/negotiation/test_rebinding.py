"""The NAT in front of a peer makes a new mapping: whole engines in virtual time (a real NAT: tests/interop)."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.addresses import Address, Endpoint
from ikevd.errors import KernelRefused
from ikevd.host.sas import KernelSa, SaId, UdpPorts
from ikevd.kernel.memory import MemoryKernel
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.policy.nat import Encap
from tests.builders import ALICE, BOB, child, connection, fqdn, mirrored
from tests.duet import Network
from tests.gateways import alice_and_bob, bring_up
from tests.nat import FIRST_PORT, Nat
from tests.negotiation.test_behind_a_nat import PUBLIC
from tests.virtual_time import run

LAN, DMZ = child(), child(name="dmz", reqid=0x696B0001, local="10.1.9.0/24", remote="10.2.9.0/24")
ALICE_VIEW = connection(local=ALICE, local_id=fqdn("alice.example"), children=(LAN, DMZ))
BOB_VIEW = replace(mirrored(ALICE_VIEW), remote=None)
FORMER, NOW = FIRST_PORT + 1, FIRST_PORT + 2
"""Port 500 got the first one."""


OTHER = ip_address("203.0.113.77")
"""That the NAT has later."""


class Story:
    """Alice is behind a NAT; one child is up. Then the NAT forgets what it knows of her."""

    def __init__(self, view: Connection = ALICE_VIEW, other: Connection = BOB_VIEW) -> None:
        self.nat = Nat(PUBLIC, ALICE)
        self.world, self.alice, self.bob = alice_and_bob(Network(nat=self.nat), view, other)

    async def until_forgotten(self) -> None:
        await bring_up(self.alice)
        await asyncio.sleep(5)
        assert self.port == FORMER
        self.nat.forget(ALICE)

    @property
    def inbound(self) -> SaId:
        """Of Bob's kernel."""
        return next(name for name in self.bob.kernel.sas if name.destination == BOB)

    @property
    def port(self) -> int:
        """Where Bob's packets for Alice go."""
        (port,) = {sa.encap.destination for sa in self.bob.kernel.sas.values() if sa.encap and sa.destination != BOB}
        return port

    @property
    def address(self) -> Address:
        """Where Bob's packets for Alice go."""
        (address,) = {sa.destination for sa in self.bob.kernel.sas.values()} - {BOB}
        return address

    def change_address(self) -> None:
        """Of the NAT."""
        self.nat.public = OTHER
        self.nat.forget(ALICE)

    @property
    def isakmp_port(self) -> int:
        """Where Bob's messages for Alice go."""
        return self.bob.session.live[-1].path.remote.port

    def map_anew(self) -> None:
        """Something of Alice's leaves by her port 4500, so that the NAT knows her again."""
        self.world.carry(b"\xff", self.alice.session.live[-1].path)

    async def packet(self, port: int) -> None:
        """One of Alice's, in ESP, comes to Bob from there."""
        self.bob.kernel.arrive(self.inbound, Endpoint(self.nat.public, port))
        await asyncio.sleep(0.01)


def test_esp_follows_the_packets_of_the_peer_and_so_does_ike() -> None:
    async def story() -> None:
        tale = Story()
        await tale.until_forgotten()
        await tale.packet(NOW)

        assert tale.port == tale.isakmp_port == NOW
        assert tale.bob.kernel.sas[tale.inbound].encap == UdpPorts(NOW, 4500)
        assert tale.bob.kernel.dead == []
        assert tale.bob.pairs == 1

    run(story())


def test_esp_follows_the_messages_of_the_peer() -> None:
    async def story() -> None:
        tale = Story()
        await tale.until_forgotten()
        await tale.alice.engine.session(ALICE_VIEW).want("dmz")
        await asyncio.sleep(1)

        assert tale.port == tale.isakmp_port == NOW, "that of the other child too"
        assert tale.bob.kernel.dead == []
        assert tale.bob.pairs == 2

    run(story())


def test_a_quick_mode_of_ours_under_way_goes_on_by_the_new_port() -> None:
    async def story() -> None:
        tale = Story()
        await tale.until_forgotten()
        wanted = tale.bob.session.want("dmz")
        await asyncio.sleep(1)
        assert not wanted.done(), "message 1 went to a mapping that is gone"
        tale.map_anew()
        await tale.packet(NOW)
        await wanted

        assert tale.port == NOW
        assert tale.bob.pairs == 2

    run(story())


def test_packets_from_many_ports_move_the_sa_once_a_second() -> None:
    async def story() -> None:
        tale = Story()
        await tale.until_forgotten()
        for port in (50_001, 50_002, 50_003):
            await tale.packet(port)
        assert tale.port == 50_001
        await asyncio.sleep(1)
        await tale.packet(NOW)
        assert tale.port == NOW

    run(story())


def test_a_port_that_the_kernel_does_not_change_at_once_is_tried_again() -> None:
    async def story() -> None:
        tale = Story()
        await tale.until_forgotten()
        tale.bob.kernel.fail("change_ports", errno.ENOBUFS)
        await tale.packet(NOW)
        assert tale.isakmp_port == NOW
        await asyncio.sleep(1.5)
        assert tale.port == NOW
        assert tale.bob.kernel.sas[tale.inbound].encap == UdpPorts(NOW, 4500)

    run(story())


def test_where_the_kernel_is_locked_down_the_pair_is_made_anew() -> None:
    async def story() -> None:
        tale = Story()
        await tale.until_forgotten()
        tale.bob.kernel.locked_down = True
        before = tale.inbound
        tale.map_anew()
        await tale.packet(NOW)
        await asyncio.sleep(2)

        assert before not in tale.bob.kernel.sas
        assert any("locked down" in said for said in tale.bob.troubles)

    run(story())


def test_esp_follows_a_packet_from_another_address_once_the_peer_has_answered_there() -> None:
    async def story() -> None:
        tale = Story()
        await tale.until_forgotten()
        before = {name.spi for name in tale.bob.kernel.sas}
        tale.change_address()
        tale.map_anew()
        tale.bob.kernel.arrive(tale.inbound, Endpoint(OTHER, NOW))
        assert tale.address == PUBLIC, "not before it is asked"
        await asyncio.sleep(1)

        assert tale.address == OTHER
        assert tale.port == tale.isakmp_port == NOW
        assert {name.spi for name in tale.bob.kernel.sas} == before
        assert tale.bob.kernel.dead == []
        assert tale.bob.tunnel_ends == {OTHER, BOB}

    run(story())


def test_it_stays_where_nobody_answers() -> None:
    async def story() -> None:
        tale = Story()
        await tale.until_forgotten()
        tale.change_address()  # which knows no mapping: what is asked gets nowhere
        for _ in range(10):
            await tale.packet(NOW)
            await asyncio.sleep(1)
        assert tale.address == PUBLIC

    run(story())


def test_a_quick_mode_from_another_address_succeeds_and_takes_all_along() -> None:
    async def story() -> None:
        tale = Story()
        await tale.until_forgotten()
        tale.change_address()
        await tale.alice.engine.session(ALICE_VIEW).want("dmz")
        await asyncio.sleep(2)
        assert tale.address == OTHER
        assert tale.bob.pairs == 2
        assert tale.bob.kernel.dead == []

    run(story())


@pytest.mark.parametrize("code", [errno.ESRCH, errno.ENOBUFS])
def test_a_pair_that_cannot_go_there_is_given_up_and_made_anew(code: int) -> None:
    async def story() -> None:
        tale = Story()
        await tale.until_forgotten()
        before = set(tale.bob.kernel.sas)
        tale.change_address()
        tale.map_anew()
        tale.bob.kernel.fail("move_sa", code)
        await tale.packet(NOW)
        await asyncio.sleep(5)
        assert not before & set(tale.bob.kernel.sas)
        assert tale.bob.kernel.dead == []

    run(story())


@pytest.mark.parametrize("code", [errno.ENOBUFS, errno.ENOMEM])
def test_nor_does_one_stay_whose_way_out_cannot_be_blocked_meanwhile(code: int) -> None:
    async def story() -> None:
        tale = Story(replace(ALICE_VIEW, children=(replace(LAN, start=Start.ALWAYS),)))
        await tale.until_forgotten()
        before = {name.spi for name in tale.bob.kernel.sas}
        tale.change_address()
        tale.map_anew()
        tale.bob.kernel.fail("put_policy", code)
        await tale.packet(NOW)
        await asyncio.sleep(30)
        assert not before & {name.spi for name in tale.bob.kernel.sas}
        assert tale.address == OTHER
        assert tale.alice.pairs == tale.bob.pairs == 1, "anew"
        assert len(tale.bob.kernel.sas) == 2

    run(story())


def lose_answer(kernel: MemoryKernel, nth: int, removals: int) -> None:
    """To the `nth` move of an SA, which has moved; and the next `removals` of SAs fail."""
    move, calls = kernel.move_sa, list[SaId]()

    async def unanswered(sa: SaId, to: KernelSa) -> None:
        calls.append(sa)
        await move(sa, to)
        if len(calls) == nth:
            for removal in range(removals):
                kernel.fail("delete_sa", errno.ENOBUFS, removal + 1)
            raise KernelRefused("no answer", errno.ETIMEDOUT)

    kernel.move_sa = unanswered  # type: ignore[method-assign]


@pytest.mark.parametrize("removals", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("move", [1, 2])
def test_nor_one_whose_move_is_not_answered(move: int, removals: int) -> None:
    async def story() -> None:
        tale = Story()
        await tale.until_forgotten()
        lose_answer(tale.bob.kernel, move, removals)
        tale.change_address()
        tale.map_anew()
        await tale.packet(NOW)
        await asyncio.sleep(10)
        assert not tale.bob.kernel.sas
        assert tale.bob.pairs == 0

    run(story())


def test_without_a_nat_in_front_of_the_peer_nothing_moves() -> None:
    """Alice forces encapsulation: Bob believes that she is behind a NAT, and she knows that he is behind none."""

    async def story() -> None:
        _, alice, _ = alice_and_bob(None, replace(ALICE_VIEW, encap=Encap.FORCE), mirrored(ALICE_VIEW))
        await bring_up(alice)
        await asyncio.sleep(1)
        (inbound,) = (name for name, sa in alice.kernel.sas.items() if sa.source == BOB)
        before = dict(alice.kernel.sas)
        alice.kernel.arrive(inbound, Endpoint(BOB, 4999))
        await asyncio.sleep(1)

        assert before[inbound].encap == UdpPorts(4500, 4500)
        assert dict(alice.kernel.sas) == before

    run(story())
