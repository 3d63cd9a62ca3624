"""Copies of genuine messages from other ports, and to port 500 after the float: what is accepted proves its content,
never its source port (RFC 3947 section 4)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ikevd.addresses import Endpoint
from ikevd.exchanges.nat import endpoint_hash
from ikevd.host.sas import UdpPorts
from ikevd.peer.isakmp_state import IsakmpState
from ikevd.policy.nat import NatMethod
from ikevd.policy.transforms import offer_phase2
from ikevd.sa.model import Cookies
from ikevd.wire.payloads import KePayload, NatDPayload, NoncePayload, Payload, VidPayload
from ikevd.wire.registry import Encapsulation, Hash, PayloadType
from ikevd.wire.vendor_ids import NAT_T_DRAFT_07, NAT_T_RFC_3947
from tests.builders import BOB
from tests.hostile.established import DELETE, answered
from tests.hostile.mallory import NI, SPI, Aggressive, MainMode, QuickMode
from tests.hostile.scene import MALLORY, MALLORYS, Scene, attack

Ports = tuple[int, int]
"""The gateway's, that of the source."""
NAT_T = VidPayload(NAT_T_RFC_3947)
FIRST: Ports = (500, 500)
SHORT = replace(MALLORYS, aggressive=True)
GATEWAY, PEER = Endpoint(BOB, 500), Endpoint(MALLORY, 500)
TRANSLATED = bytes(32)
"""The hash of no endpoint that Bob sees."""

NATS = {"none": (False, False), "before the gateway": (True, False), "before the peer": (False, True)}
"""Where the NATs are: (before the gateway, before the peer)."""
GENUINE: dict[str, Ports] = {"none": FIRST, "before the gateway": (4500, 4500), "before the peer": (4500, 40_001)}
"""Where the genuine messages come from once that was found."""
COPIES: dict[str, tuple[Ports, ...]] = {
    "none": ((500, 1024), (500, 4500), (4500, 4500), (4500, 500), (4500, 1024)),
    "before the gateway": (FIRST, (500, 4500), (500, 1024), (4500, 1024)),
    "before the peer": (FIRST, (500, 40_000), (500, 4500), (500, 1024)),
}
"""Where no genuine message comes from."""


def nat_d(cookies: Cookies, nat: str, hash: Hash, peer: Endpoint = PEER) -> tuple[NatDPayload, ...]:
    before_gateway, before_peer = NATS[nat]
    ends = (before_gateway, GATEWAY), (before_peer, peer)
    hashes = (TRANSLATED if behind else endpoint_hash(hash, cookies, end) for behind, end in ends)
    return tuple(NatDPayload(PayloadType.NAT_D, octets) for octets in hashes)


def up_to_message_5(scene: Scene, nat: str) -> MainMode:
    mode = scene.mallory.main_mode()
    mode.hear_2(*scene.mallory.say(mode.message_1(mode.offer, NAT_T)))
    third: tuple[Payload, ...] = (
        KePayload(mode.pair.public),
        NoncePayload(NI),
        *nat_d(mode.cookies, nat, mode.suite.hash),
    )
    mode.hear_4(*scene.mallory.say(mode.message_3(*third)))
    return mode


def established(scene: Scene, nat: str) -> IsakmpState:
    mode = up_to_message_5(scene, nat)
    mode.hear_6(*scene.mallory.say(mode.message_5(), ports=GENUINE[nat]))
    scene.mallory.sa = mode.sa
    (live,) = scene.session.live
    return live


def ports_of(scene: Scene, live: IsakmpState) -> Ports:
    """As they are now."""
    path = scene.session.state.isakmp[live.sa.cookies].path
    return path.local.port, path.remote.port


def quick_mode(scene: Scene, nat: str) -> QuickMode:
    mode = scene.mallory.quick_mode()
    if any(NATS[nat]):
        child = scene.mallory.view.children[0]
        suites = [replace(suite, mode=Encapsulation.UDP_TUNNEL) for suite in child.suites]
        mode.offer = offer_phase2(suites, child.lifetime, SPI)
    return mode


def encapsulations(scene: Scene) -> set[UdpPorts | None]:
    """Of the outbound SAs to Mallory."""
    return {sa.encap for key, sa in scene.bob.kernel.sas.items() if key.destination == MALLORY}


# -- phase 1


def test_before_anything_is_known_of_nats_no_port_moves() -> None:
    async def story(scene: Scene) -> None:
        mode = scene.mallory.main_mode()
        mode.hear_2(*scene.mallory.say(mode.message_1(mode.offer, NAT_T)))
        third = mode.message_3()
        for ports in COPIES["none"]:
            assert scene.mallory.say(third, ports=ports) == []
        assert scene.refusals() == [("MM3", "UnexpectedMessage")] * 5
        assert len(scene.mallory.say(third)) == 1

    attack(story)


@pytest.mark.parametrize("nat", NATS)
def test_a_copy_of_message_5_that_overtakes_it_from_a_wrong_port_does_no_harm(nat: str) -> None:
    async def story(scene: Scene) -> None:
        mode = up_to_message_5(scene, nat)
        fifth = mode.message_5()
        for ports in COPIES[nat]:
            assert scene.mallory.say(fifth, ports=ports) == []
        assert set(scene.refusals()) == {("MM5", "UnexpectedMessage")}
        assert len(scene.mallory.say(fifth, ports=GENUINE[nat])) == 1
        (live,) = scene.session.live
        assert ports_of(scene, live) == GENUINE[nat]

    attack(story)


@pytest.mark.parametrize("nat", NATS)
def test_a_copy_of_message_5_that_comes_later_moves_nothing(nat: str) -> None:
    async def story(scene: Scene) -> None:
        mode = up_to_message_5(scene, nat)
        fifth = mode.message_5()
        scene.mallory.say(fifth, ports=GENUINE[nat])
        for ports in (*COPIES[nat], (4500, 40_002)):
            scene.mallory.say(fifth, ports=ports)
        assert scene.refusals() == []
        (live,) = scene.session.live
        assert ports_of(scene, live) == GENUINE[nat]

    attack(story)


def test_behind_a_nat_the_genuine_message_5_is_answered_where_it_came_from_though_a_copy_overtook_it() -> None:
    """Nothing tells the two apart there: a NAT may choose any port."""

    async def story(scene: Scene) -> None:
        mode = up_to_message_5(scene, "before the peer")
        fifth = mode.message_5()
        answer = scene.mallory.say(fifth, ports=(4500, 6666))
        assert scene.mallory.say(fifth, ports=(4500, 40_001)) == answer
        assert [path.remote.port for _, path, octets in scene.world.wire if octets in answer] == [6666, 40_001]

    attack(story)


def short(scene: Scene) -> Aggressive:
    mode = scene.mallory.aggressive()
    mode.hear_2(*scene.mallory.say(mode.message_1(*mode.payloads(), NAT_T)))
    return mode


def third_of(mode: Aggressive, nat: str, peer: Endpoint = PEER, *, encrypted: bool = True) -> bytes:
    assert mode.keying
    proof = mode.keying.hash_i(mode.identity())
    hash_ = mode.view.suites[0].hash
    return mode.message_3(proof, *nat_d(mode.cookies, nat, hash_, peer), encrypted=encrypted)


@pytest.mark.parametrize("encrypted", [True, False])
@pytest.mark.parametrize("nat", NATS)
def test_message_3_of_aggressive_mode_tells_itself_by_which_port_it_may_come(nat: str, encrypted: bool) -> None:
    """libreswan goes to port 4500 with it, and hashes the ports of message 1."""

    async def story(scene: Scene) -> None:
        mode = short(scene)
        third = third_of(mode, nat, encrypted=encrypted)
        for ports in COPIES[nat]:
            scene.mallory.say(third, ports=ports)
        assert set(scene.refusals()) == {("AM3", "UnexpectedMessage")}
        scene.mallory.say(third, ports=GENUINE[nat])
        (live,) = scene.session.live
        assert ports_of(scene, live) == GENUINE[nat]

    attack(story, view=SHORT)


def test_a_copy_of_an_aggressive_message_3_from_another_port_does_not_pass_for_a_nat() -> None:
    """strongSwan hashes the ports that it has gone to: from elsewhere that hash fits nothing."""

    async def story(scene: Scene) -> None:
        mode = short(scene)
        third = third_of(mode, "before the gateway", Endpoint(MALLORY, 4500))
        scene.mallory.say(third, ports=(4500, 6666))
        assert scene.refusals() == [("AM3", "UnexpectedMessage")]
        scene.mallory.say(third, ports=(4500, 4500))
        (live,) = scene.session.live
        assert ports_of(scene, live) == (4500, 4500)
        assert live.sa.nat is not None
        assert not live.sa.nat.remote

    attack(story, view=SHORT)


# -- under an established ISAKMP SA


@pytest.mark.parametrize("nat", NATS)
def test_a_copy_of_quick_mode_from_a_wrong_port_moves_neither_isakmp_sa_nor_tunnel(nat: str) -> None:
    async def story(scene: Scene) -> None:
        live = established(scene, nat)
        mode = quick_mode(scene, nat)
        first = mode.message_1()
        for ports in COPIES[nat]:
            scene.mallory.say(first, ports=ports)
        await asyncio.sleep(0.01)
        assert scene.mallory.heard() == []
        assert scene.new_counts() == {"drop: QUICK_MODE that does not belong here": len(COPIES[nat])}
        await answered(scene, mode, first, GENUINE[nat])
        for ports in COPIES[nat]:
            scene.mallory.say(mode.message_3(), ports=ports)
        await asyncio.sleep(0.01)
        assert scene.tunnels == 0
        scene.mallory.say(mode.message_3(), ports=GENUINE[nat])
        await asyncio.sleep(0.01)
        assert ports_of(scene, live) == GENUINE[nat]
        assert encapsulations(scene) == {UdpPorts(*GENUINE[nat]) if any(NATS[nat]) else None}

    attack(story)


@pytest.mark.parametrize("nat", NATS)
def test_copies_that_come_after_the_tunnel_stands_change_nothing(nat: str) -> None:
    async def story(scene: Scene) -> None:
        live = established(scene, nat)
        mode = quick_mode(scene, nat)
        first = mode.message_1()
        await answered(scene, mode, first, GENUINE[nat])
        scene.mallory.say(mode.message_3(), ports=GENUINE[nat])
        await asyncio.sleep(0.01)
        before = dict(scene.bob.kernel.sas)
        for ports in (*COPIES[nat], (4500, 6666)):
            scene.mallory.say(first, ports=ports)
            scene.mallory.say(mode.message_3(), ports=ports)
        await asyncio.sleep(0.01)
        assert dict(scene.bob.kernel.sas) == before
        assert ports_of(scene, live) == GENUINE[nat]

    attack(story)


@pytest.mark.parametrize("message", ["message 1", "message 3"])
def test_behind_a_nat_the_peer_goes_on_from_another_port_with_an_authentic_message(message: str) -> None:
    """The NAT forgot its mapping and made another one."""

    async def story(scene: Scene) -> None:
        live = established(scene, "before the peer")
        mode = quick_mode(scene, "before the peer")
        ports = {
            "message 1": ((4500, 50_000), (4500, 50_000)),
            "message 3": (GENUINE["before the peer"], (4500, 50_000)),
        }
        of_first, of_third = ports[message]
        await answered(scene, mode, mode.message_1(), of_first)
        scene.mallory.say(mode.message_3(), ports=of_third)
        await asyncio.sleep(0.01)
        assert scene.tunnels == 1
        assert ports_of(scene, live) == (4500, 50_000)
        assert encapsulations(scene) == {UdpPorts(4500, 50_000)}

    attack(story)


@pytest.mark.parametrize("nat", NATS)
def test_an_informational_message_from_a_wrong_port_is_heard_and_moves_no_path(nat: str) -> None:
    """RFC 3947 section 4 lets it be processed; nothing is answered to it."""

    async def story(scene: Scene) -> None:
        live = established(scene, nat)
        for message_id, ports in enumerate(COPIES[nat], start=1):
            scene.mallory.path = replace(
                scene.mallory.path, local=Endpoint(BOB, ports[0]), remote=Endpoint(MALLORY, ports[1])
            )
            scene.mallory.inform(DELETE, message_id=message_id)
        assert scene.refusals() == []
        assert scene.new_counts() == {}
        assert ports_of(scene, live) == GENUINE[nat]

    attack(story)


def test_behind_a_nat_an_informational_message_moves_the_path_too() -> None:
    async def story(scene: Scene) -> None:
        live = established(scene, "before the peer")
        scene.mallory.path = replace(scene.mallory.path, local=Endpoint(BOB, 4500), remote=Endpoint(MALLORY, 50_000))
        scene.mallory.inform(DELETE)
        assert ports_of(scene, live) == (4500, 50_000)

    attack(story)


@pytest.mark.parametrize("nat", NATS)
def test_a_first_message_with_new_cookies_on_port_500_is_served_as_the_peer_has_rebooted(nat: str) -> None:
    async def story(scene: Scene) -> None:
        old = established(scene, nat)
        scene.mallory.establish(b"rebooted")
        new = [live for live in scene.session.live if live.sa.cookies != old.sa.cookies]
        assert [ports_of(scene, live) for live in new] == [FIRST]
        assert ports_of(scene, old) == GENUINE[nat]

    attack(story)


def test_a_router_that_has_not_read_our_nat_d_payloads_may_stay_at_port_500_but_no_esp_goes_there() -> None:
    """Old IOS announces RFC 3947 and speaks the numbers of a draft; its Quick Mode may come from either port."""

    async def story(scene: Scene) -> None:
        mode = scene.mallory.aggressive()
        mode.hear_2(*scene.mallory.say(mode.message_1(*mode.payloads(), NAT_T, VidPayload(NAT_T_DRAFT_07))))
        assert mode.keying
        hash_ = mode.view.suites[0].hash
        natd = [NatDPayload(PayloadType.NAT_D_DRAFT_04, p.body) for p in nat_d(mode.cookies, "before the peer", hash_)]
        scene.mallory.say(mode.message_3(mode.keying.hash_i(mode.identity()), *natd))
        (live,) = scene.session.live
        assert ports_of(scene, live) == FIRST
        scene.mallory.sa = live.sa
        first = quick_mode(scene, "before the peer").message_1()
        scene.mallory.say(first, ports=FIRST)
        await asyncio.sleep(0.01)
        assert {sa.encap for sa in scene.bob.kernel.sas.values() if sa.source == MALLORY} == {UdpPorts(4500, 4500)}

    attack(story, view=replace(SHORT, nat_methods=tuple(NatMethod)))
