"""Quick Mode and Informational as IOS speaks them."""

from __future__ import annotations

from ikevd.exchanges.link import Host, Link
from ikevd.wire.message import Message
from ikevd.wire.payloads import Opaque, SaPayload
from tests.builders import key_pair
from tests.persona import octets
from tests.persona.formulas import prf
from tests.persona.octets import HASH, ID, KE, NONCE, NOTIFY, SA, bodies, chain_of, payload, payloads, with_hash
from tests.persona.router import TUNNEL, Router, RouterPair, RouterSa

NONCE_OCTETS = 20
ESP_AES, HMAC_SHA1 = 12, 2
KEY_OCTETS = 16 + 20
"""esp-aes esp-sha-hmac."""


async def initiate_quick_mode(link: Link, host: Host, sa: RouterSa) -> RouterPair:
    """Messages 1 and 3."""
    router, mid = sa.router, link.message_id.to_bytes(4, "big")
    spi, ni = router.random(f"spi {link.message_id}", 4), router.random(f"ni {link.message_id}", NONCE_OCTETS)
    pair = key_pair(router.pfs) if router.pfs is not None else None
    ke = (payload(KE, pair.public),) if pair else ()
    offer = octets.sa(octets.ESP, spi, [_transform(sa, 1)])
    first = payload(SA, offer), payload(NONCE, ni), *ke, *payloads(ID, _selectors(router))
    hash_1 = prf(sa.keys.name, sa.keys.a, mid, chain_of(*first))
    second = await link.ask(payload(HASH, hash_1), *first, accept=lambda message: _verified(sa, message, mid, ni))
    nr, g_xy = bodies(second, NONCE)[0], pair.shared(bodies(second, KE)[0]).reveal() if pair else b""
    their_spi = second.one(SaPayload).proposals[0].spi
    await link.answer(payload(HASH, prf(sa.keys.name, sa.keys.a, b"\0", mid, ni, nr)))
    return _pair(sa, (spi, their_spi), (ni, nr), g_xy, second)


async def respond_quick_mode(link: Link, host: Host, sa: RouterSa) -> RouterPair:
    """Message 2: the transform chosen, the IDs as received, and RESPONDER-LIFETIME where its own life is shorter."""
    router, mid = sa.router, link.message_id.to_bytes(4, "big")
    first = await link.receive(lambda message: _verified(sa, message, mid))
    spi, nr = router.random(f"spi {link.message_id}", 4), router.random(f"nr {link.message_id}", NONCE_OCTETS)
    ni, offered = bodies(first, NONCE)[0], first.one(SaPayload).proposals[0]
    ours = _numbers(sa)
    chosen = next(
        t for t in offered.transforms if {a.type: a.as_number() for a in t.attributes}.items() >= ours.items()
    )
    pair = key_pair(router.pfs) if router.pfs is not None else None
    ke = (payload(KE, pair.public),) if pair else ()
    claim = payloads(NOTIFY, [_responder_lifetime(spi, router.claims)]) if router.claims else ()
    answer = octets.sa(octets.ESP, spi, [chosen.encode()])
    second = payload(SA, answer), payload(NONCE, nr), *ke, *payloads(ID, bodies(first, ID)), *claim
    hash_2 = prf(sa.keys.name, sa.keys.a, mid, ni, chain_of(*second))
    hash_3 = prf(sa.keys.name, sa.keys.a, b"\0", mid, ni, nr)
    await link.ask(payload(HASH, hash_2), *second, accept=lambda message: with_hash(message, hash_3))
    g_xy = pair.shared(bodies(first, KE)[0]).reveal() if pair else b""
    return _pair(sa, (spi, offered.spi), (ni, nr), g_xy, first)


async def tell(link: Link, sa: RouterSa, *payloads: Opaque) -> None:
    """An Informational message, sent once: IOS does not repeat it."""
    mid = link.message_id.to_bytes(4, "big")
    await link.answer(payload(HASH, prf(sa.keys.name, sa.keys.a, mid, chain_of(*payloads))), *payloads)


async def hear(link: Link, sa: RouterSa) -> Message:
    """What the peer says."""
    mid = link.message_id.to_bytes(4, "big")
    return await link.receive(lambda message: _verified(sa, message, mid))


# -- the parts -----------------------------------------------------------------------------------------------------


def _transform(sa: RouterSa, number: int) -> bytes:
    """The order of the debug output: encaps, both lives, authenticator, key length, group."""
    router = sa.router
    group = (octets.attribute(3, router.pfs),) if router.pfs is not None else ()
    return octets.transform(
        number,
        ESP_AES,
        octets.attribute(4, sa.udp_tunnel or TUNNEL),
        octets.attribute(1, 1),
        octets.attribute(2, router.seconds),
        octets.attribute(1, 2),
        octets.attribute(2, router.kilobytes),
        octets.attribute(5, HMAC_SHA1),
        octets.attribute(6, 128),
        *group,
    )


def _numbers(sa: RouterSa) -> dict[int, int]:
    group = {3: int(sa.router.pfs)} if sa.router.pfs is not None else {}
    return {4: sa.udp_tunnel or TUNNEL, 5: HMAC_SHA1, 6: 128} | group


def _selectors(router: Router) -> tuple[bytes, ...]:
    """One line of the crypto access list, protocol and port 0/0."""
    return tuple(octets.identity(octets.ID_SUBNET, b"".join(lan)) for lan in (router.local_lan, router.remote_lan))


def _responder_lifetime(spi: bytes, seconds: int) -> bytes:
    life = octets.attribute(1, 1) + octets.attribute(2, seconds)
    return octets.notify(octets.ESP, octets.RESPONDER_LIFETIME, spi, life)


def _verified(sa: RouterSa, message: Message, *prefix: bytes) -> Message:
    """HASH(1), or with Ni_b HASH(2)."""
    return with_hash(message, prf(sa.keys.name, sa.keys.a, *prefix, message.after_first))


def _pair(
    sa: RouterSa, spis: tuple[bytes, bytes], nonces: tuple[bytes, bytes], g_xy: bytes, message: Message
) -> RouterPair:
    inbound, outbound = (sa.keys.keymat(spi, nonces, KEY_OCTETS, g_xy) for spi in spis)
    return RouterPair(spis, inbound, outbound, bodies(message, NOTIFY))
