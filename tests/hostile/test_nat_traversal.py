"""NAT traversal under attack: NAT-D payloads in every wrong form, and copies that would move the tunnel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from ikevd.addresses import Endpoint
from ikevd.exchanges.nat import MAX_NAT_D, endpoint_hash
from ikevd.policy.transforms import offer_phase2
from ikevd.wire.message import HEADER_OCTETS, Header, Message
from ikevd.wire.payloads import KePayload, NatDPayload, NatOaPayload, NoncePayload, Opaque, Payload, VidPayload
from ikevd.wire.registry import Encapsulation, IdType, PayloadType
from ikevd.wire.vendor_ids import NAT_T_RFC_3947
from tests.builders import BOB
from tests.hostile import established
from tests.hostile.mallory import NI, SPI, MainMode, QuickMode
from tests.hostile.scene import ELSEWHERE, MALLORY, Scene, attack

NAT_T = VidPayload(NAT_T_RFC_3947)
FLOATED = (4500, 4500)


def nat_d(body: bytes, kind: PayloadType = PayloadType.NAT_D) -> NatDPayload:
    return NatDPayload(kind, body)


def right(mode: MainMode) -> tuple[NatDPayload, NatDPayload]:
    """The hashes of Bob's and Mallory's endpoints: no NAT."""
    ends = Endpoint(BOB, 500), Endpoint(MALLORY, 500)
    return tuple(nat_d(endpoint_hash(mode.suite.hash, mode.cookies, end)) for end in ends)  # type: ignore[return-value]


def begun(scene: Scene, *more: Payload) -> MainMode:
    mode = scene.mallory.main_mode()
    mode.hear_2(*scene.mallory.say(mode.message_1(mode.offer, *more)))
    return mode


def third(mode: MainMode, *more: Payload) -> bytes:
    return mode.message_3(KePayload(mode.pair.public), NoncePayload(NI), *more)


def complete(scene: Scene, mode: MainMode, answer: bytes, ports: tuple[int, int] | None = None) -> object:
    """The rest of Main Mode; what Bob found."""
    mode.hear_4(answer)
    mode.hear_6(*scene.mallory.say(mode.message_5(), ports=ports))
    scene.mallory.sa = mode.sa
    (live,) = scene.session.live
    return live.sa.nat


def payloads_of(answer: bytes) -> list[PayloadType]:
    message = Message.decode_untrusted(Header.decode_untrusted(answer), answer[HEADER_OCTETS:])
    return [payload.TYPE for payload in message.payloads]


RFC_FORMS: dict[str, tuple[Callable[[MainMode], tuple[Payload, ...]], tuple[bool, bool] | None]] = {
    "none": (lambda m: (), None),
    "one": (lambda m: right(m)[:1], None),
    "right": (right, (False, False)),
    "in the wrong order": (lambda m: right(m)[::-1], (True, True)),
    "empty": (lambda m: (nat_d(b""), nat_d(b"")), (True, True)),
    "of one octet": (lambda m: (nat_d(b"\0"), nat_d(b"\0")), (True, True)),
    "an octet short": (lambda m: tuple(nat_d(p.body[:-1]) for p in right(m)), (True, True)),
    "an octet long": (lambda m: tuple(nat_d(p.body + b"\0") for p in right(m)), (True, True)),
    "of 1,000 octets": (lambda m: (nat_d(bytes(1000)), nat_d(bytes(1000))), (True, True)),
    "the right one tenth": (
        lambda m: (right(m)[0], *[nat_d(bytes(32))] * (MAX_NAT_D - 2), right(m)[1]),
        (False, False),
    ),
    "the right one eleventh": (
        lambda m: (right(m)[0], *[nat_d(bytes(32))] * (MAX_NAT_D - 1), right(m)[1]),
        (False, True),
    ),
    "sixty": (lambda m: (right(m)[0], *[nat_d(bytes(32))] * 59), (False, True)),
    "with the number of the drafts": (lambda m: tuple(nat_d(p.body, PayloadType.NAT_D_DRAFT) for p in right(m)), None),
    "with the number of draft 04": (lambda m: tuple(nat_d(p.body, PayloadType(15)) for p in right(m)), None),
}


@pytest.mark.parametrize("form", RFC_FORMS)
def test_nat_d_payloads_of_every_form_are_read_or_passed_over(form: str) -> None:
    make, expected = RFC_FORMS[form]

    async def story(scene: Scene) -> None:
        mode = begun(scene, NAT_T)
        (answer,) = scene.mallory.say(third(mode, *make(mode)))
        found = complete(scene, mode, answer, FLOATED if expected and any(expected) else None)
        assert (found and (found.local, found.remote)) == expected  # type: ignore[attr-defined]

    attack(story)


@pytest.mark.parametrize("kind", [PayloadType.NAT_D, PayloadType.NAT_D_DRAFT, PayloadType(15), PayloadType(16)])
def test_nat_d_without_its_vendor_id_is_nothing_and_is_not_answered(kind: PayloadType) -> None:
    async def story(scene: Scene) -> None:
        mode = begun(scene)
        (answer,) = scene.mallory.say(third(mode, *[Opaque(kind, bytes(32))] * 2))
        assert payloads_of(answer) == [PayloadType.KE, PayloadType.NONCE, PayloadType.VID]
        assert complete(scene, mode, answer) is None

    attack(story)


VENDOR_IDS = {
    "empty": [b""],
    "of one octet": [b"\0"],
    "cut": [NAT_T_RFC_3947[:15]],
    "longer": [NAT_T_RFC_3947 + b"\0"],
    "of 6,000 octets": [bytes(6000)],
    "62 different ones": [bytes([n]) * 16 for n in range(62)],
    "the same 62 times": [NAT_T_RFC_3947] * 62,
    "that tries to write to a terminal": [b"\x1b[2J\r\n<script>"],
}


@pytest.mark.parametrize("form", VENDOR_IDS)
def test_vendor_ids_of_every_form_are_kept_within_bounds(form: str) -> None:
    async def story(scene: Scene) -> None:
        mode = begun(scene, *map(VidPayload, VENDOR_IDS[form]))
        (answer,) = scene.mallory.say(third(mode))
        assert complete(scene, mode, answer) is None
        names = scene.session.live[0].sa.peer_vendors
        assert len(names) <= 32
        assert all(len(name) < 120 and name.isprintable() for name in names)

    attack(story)


def behind_nat(scene: Scene) -> tuple[MainMode, bytes]:
    """Bob finds that Mallory is behind a NAT."""
    mode = begun(scene, NAT_T)
    (answer,) = scene.mallory.say(third(mode, right(mode)[0], nat_d(bytes(32))))
    mode.hear_4(answer)
    return mode, mode.message_5()


def test_a_copy_of_message_5_from_another_address_does_not_move_the_tunnel() -> None:
    """The float to port 4500 is no licence to change the address."""

    async def story(scene: Scene) -> None:
        mode, fifth = behind_nat(scene)
        assert scene.mallory.say(fifth, source=ELSEWHERE, ports=FLOATED) == []
        assert scene.refusals() == [("MM5", "UnexpectedMessage")]
        mode.hear_6(*scene.mallory.say(fifth, ports=FLOATED))
        scene.mallory.sa = mode.sa
        assert scene.mallory.say(fifth, source=ELSEWHERE, ports=FLOATED) == []
        (live,) = scene.session.live
        assert live.path.remote == Endpoint(MALLORY, 4500)
        assert {path.remote.address for _, path, _ in scene.world.wire if path.local.port == 4500} == {MALLORY}

    attack(story)


def through_nat(mode: QuickMode, scene: Scene) -> QuickMode:
    child = scene.mallory.view.children[0]
    suites = [replace(suite, mode=Encapsulation.UDP_TUNNEL) for suite in child.suites]
    mode.offer = offer_phase2(suites, child.lifetime, SPI)
    return mode


def test_copies_of_a_quick_mode_from_another_address_move_neither_sa_nor_tunnel() -> None:
    """The peer lacks dead peer detection. What overtakes a message is accepted, for its content is genuine; but the
    message itself comes from the known address then, which ends the doubt."""

    async def story(scene: Scene) -> None:
        phase1, fifth = behind_nat(scene)
        phase1.hear_6(*scene.mallory.say(fifth, ports=FLOATED))
        scene.mallory.sa = phase1.sa
        mode = through_nat(scene.mallory.quick_mode(), scene)
        first = mode.message_1()
        scene.mallory.say(first, source=ELSEWHERE, ports=FLOATED)
        scene.mallory.say(first, ports=FLOATED)
        await asyncio.sleep(0.01)
        (second,) = scene.mallory.heard()
        mode.hear_2(second, first)
        scene.mallory.say(mode.message_3(), source=ELSEWHERE, ports=FLOATED)
        await asyncio.sleep(0.01)
        assert ELSEWHERE not in {sa.destination for sa in scene.bob.kernel.sas}
        scene.mallory.say(mode.message_3(), ports=FLOATED)
        await asyncio.sleep(0.01)
        assert scene.tunnels == 1
        assert scene.session.live[0].path.remote == Endpoint(MALLORY, 4500)
        assert scene.session.live[0].roaming is None
        assert ELSEWHERE not in {sa.destination for sa in scene.bob.kernel.sas}

    attack(story)


@pytest.mark.parametrize("kind", [PayloadType.NAT_OA, PayloadType.NAT_OA_DRAFT], ids=["RFC 3947", "drafts"])
def test_nat_oa_in_a_quick_mode_of_a_tunnel_is_read_and_changes_nothing(kind: PayloadType) -> None:
    """RFC 3947 section 5.2 has it for transport mode; some peers send it in tunnel mode, too."""

    async def story(scene: Scene) -> None:
        scene.mallory.establish()
        mode = scene.mallory.quick_mode()
        original = [
            NatOaPayload(kind, IdType.IPV4_ADDR, octets) for octets in (b"\xc0\x00\x02\x63", b"\xc0\x00\x02\x64")
        ]
        await established.complete(scene, mode, mode.message_1(*mode.payloads(), *original))
        assert scene.tunnels == 1

    attack(story)
