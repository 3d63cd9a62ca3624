"""What a peer sends is kept nowhere but where it is bounded: no cache has a key of its choice that is long or lasts."""

from __future__ import annotations

import asyncio
import gc
import importlib
import pkgutil
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import _lru_cache_wrapper

import pytest

import ikevd
from ikevd.policy.identity import Identity
from ikevd.wire.attributes import Attribute
from ikevd.wire.message import MAX_PAYLOADS
from ikevd.wire.payloads import IdPayload, Opaque, Payload
from ikevd.wire.registry import IdType, PayloadType, Protocol
from ikevd.wire.sa import Proposal, SaPayload, Transform
from tests.hostile.scene import MALLORYS, Scene, attack

ALLOWED = {
    "ikevd.conversation.labels.label": "64 kinds of message with their numbers",
    "ikevd.crypto.modp_primes._floor_pi": "has no key",
    "ikevd.exchanges.ipsec._between": "256 pairs of ports",
    "ikevd.exchanges.nat._found": "64 results of five settings each",
    "ikevd.kernel.xfrm_layout._unpack_network": "256 networks of policies in this kernel, 16 octets each",
    "ikevd.kernel.xfrm_layout.unpack_address": "256 addresses of SAs and policies in this kernel, 16 octets each",
    "ikevd.kernel.xfrm_policies._unpack_template": "64 templates of policies in this kernel",
    "ikevd.peer.desired._life": "64 volumes",
    "ikevd.peer.desired._ports": "256 pairs of ports",
    "ikevd.pki.path._ours": "1,024 certificates of the configuration",
    "ikevd.pki.prove._names_of_ours": "1,024 certificates of the configuration",
    "ikevd.policy.choose.describe": "64 suites of five numbers each",
    "ikevd.policy.digest._record.<locals>.write": "256 suites of the configuration for each phase",
    "ikevd.policy.identity._of_address": "1,024 addresses",
    "ikevd.policy.transforms._ipsec_transforms": "256 offers of the configuration",
    "ikevd.policy.transforms._offer_phase1": "256 offers of the configuration",
    "ikevd.policy.transforms._usual_phase1": "256 transforms of at most 64 octets",
    "ikevd.policy.transforms._usual_phase2": "256 transforms of at most 64 octets",
    "ikevd.store.scalars._address": "256 addresses of records of the store",
    "ikevd.transport.pktinfo._from_ipv4": "64 addresses of this machine",
    "ikevd.transport.sockaddr._ipv4_address": "1,024 addresses",
    "ikevd.transport.sockaddr._ipv4_text": "1,024 addresses",
    "ikevd.transport.udp._ipv4_local": "64 addresses of this machine, each with a port",
    "ikevd.transport.udp._ipv4_path": "1,024 pairs of endpoints",
    "ikevd.wire.message._decode_header_untrusted": "8 headers of 28 octets",
    "ikevd.wire.message._names": "256 lists of at most 64 payload types, an octet each",
    "ikevd.wire.sa._decode_usual": "256 transforms of at most 64 octets",
    "ikevd.wire.vendor_names.hashed": "has no key",
}
"""Every cache of the program, and what bounds its key and its number."""
FLOOD = 50
LEFT = 250_000
"""Octets that a flood may leave beside its evidence: the book-keeping of the test itself takes most of it."""


def test_every_cache_has_a_bounded_key_and_number() -> None:
    for module in pkgutil.walk_packages(ikevd.__path__, "ikevd."):
        if module.name != "ikevd.__main__":
            importlib.import_module(module.name)
    gc.unfreeze()  # what the collection of the tests left (tests/conftest.py)
    gc.collect()
    caches = [found for found in gc.get_objects() if isinstance(found, _lru_cache_wrapper)]
    ours = {f"{cache.__module__}.{cache.__qualname__}" for cache in caches if cache.__module__.startswith("ikevd.")}
    assert ours == ALLOWED.keys()


def offer_of_many_attributes(number: int) -> Payload:
    attributes = tuple(Attribute(16384 + n, number.to_bytes(2), basic=True) for n in range(60))
    return SaPayload((Proposal(1, Protocol.ISAKMP, b"", tuple(Transform(n, 1, attributes) for n in range(15))),))


def long_distinguished_name(number: int) -> Payload:
    parts = ",".join(f"OU={number:03}x{part:02}" for part in range(55))
    return IdPayload(IdType.DER_ASN1_DN, 0, 0, Identity.parse(f"CN={number},{parts}").data)


def range_of_many_networks(number: int) -> Payload:
    low, high = number.to_bytes(16, "big"), (2**128 - 1 - number).to_bytes(16, "big")
    return IdPayload(IdType.IPV6_RANGE, 0, 0, low + high)


def first_messages(scene: Scene, number: int) -> None:
    mode = scene.mallory.main_mode(number.to_bytes(8))
    scene.mallory.say(mode.message_1(offer_of_many_attributes(number)))
    unread = (Opaque(PayloadType(134 + (number + n) % 100), b"") for n in range(MAX_PAYLOADS))
    scene.mallory.say(mode.message_1(*unread))


def names(scene: Scene, number: int) -> None:
    mode = scene.mallory.aggressive(number.to_bytes(8))
    scene.mallory.say(mode.message_1(*mode.payloads()[:3], long_distinguished_name(number)))


def ranges(scene: Scene, number: int) -> None:
    mode = scene.mallory.quick_mode(number)
    selectors = range_of_many_networks(number), range_of_many_networks(number + 1)
    scene.mallory.say(mode.message_1(*mode.payloads()[:2], *selectors))


@pytest.mark.long
@pytest.mark.parametrize("say", [first_messages, names, ranges])
def test_a_flood_of_which_no_two_are_alike_leaves_nothing(say: Callable[[Scene, int], None]) -> None:
    async def story(scene: Scene) -> None:
        scene.mallory.establish()
        await heard(scene, say, 1, 5)
        before = held(scene)
        tracemalloc.start()
        await heard(scene, say, 5, FLOOD)
        left = held(scene) - before
        tracemalloc.stop()
        assert left < LEFT, f"{left} octets more"

    attack(story, view=replace(MALLORYS, aggressive=True))


def long_informational(scene: Scene, number: int) -> None:
    scene.mallory.inform(Opaque(PayloadType(200), number.to_bytes(2) * 30_000), message_id=number)


def long_quick_mode_that_fails(scene: Scene, number: int) -> None:
    mode = scene.mallory.quick_mode(number)
    noise = Opaque(PayloadType(200), number.to_bytes(2) * 30_000)
    scene.mallory.say(mode.message_1(*mode.payloads()[:2], range_of_many_networks(1), range_of_many_networks(2), noise))


def long_quick_mode_without_message_3(scene: Scene, number: int) -> None:
    mode = scene.mallory.quick_mode(number)
    scene.mallory.say(mode.message_1(*mode.payloads(), Opaque(PayloadType(200), number.to_bytes(2) * 30_000)))


@pytest.mark.parametrize(
    ("say", "each"),
    [(long_informational, 100), (long_quick_mode_that_fails, 4_000), (long_quick_mode_without_message_3, 15_000)],
)
def test_long_messages_of_an_authenticated_peer_are_known_again_without_being_kept(
    say: Callable[[Scene, int], None], each: int
) -> None:
    """60 kB each: what is held while they might still be repeated."""

    async def story(scene: Scene) -> None:
        scene.mallory.establish()
        await heard(scene, say, 1, 5, pause=1)
        tracemalloc.start()
        before = held(scene)
        await heard(scene, say, 6, FLOOD, pause=1)
        left = held(scene) - before
        tracemalloc.stop()
        assert left < FLOOD * each + LEFT // 4, f"{left} octets more"

    attack(story)


async def heard(scene: Scene, say: Callable[[Scene, int], None], first: int, times: int, *, pause: float = 100) -> None:
    for number in range(first, first + times):
        say(scene, number)
        await asyncio.sleep(0.001)
    await asyncio.sleep(pause)
    scene.mallory.heard()


def held(scene: Scene) -> int:
    """Octets, without the evidence, which has a bound of its own."""
    scene.world.wire.clear()
    gc.collect()
    return tracemalloc.get_traced_memory()[0] - scene.bob.history.octets
