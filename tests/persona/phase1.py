"""Main Mode and Aggressive Mode as IOS speaks them, both roles."""

from __future__ import annotations

from collections.abc import Callable

from ikevd.addresses import Endpoint, Path
from ikevd.errors import NoProposalChosen
from ikevd.exchanges.link import Link
from ikevd.wire.message import Message
from ikevd.wire.payloads import Opaque, SaPayload
from tests.builders import key_pair
from tests.persona import octets
from tests.persona.formulas import Exchanged, Keys, digest, nat_d
from tests.persona.octets import HASH, ID, KE, NONCE, NOTIFY, SA, VID, bodies, payload, payloads, with_hash
from tests.persona.router import Policy, Router, RouterSa

NONCE_OCTETS = 20


async def initiate_main_mode(link: Link, router: Router) -> RouterSa:
    """Messages 1, 3 and 5."""
    offer = router.offer()
    announced = payloads(VID, router.release.announces)
    second = await link.ask(payload(SA, offer), *announced, accept=_anything)
    policy, way = _chosen(router, second), _way(router, second)

    pair, ni = key_pair(policy.group), router.random("ni", NONCE_OCTETS)
    cookies = link.cookies.initiator, link.cookies.responder
    vendors = payloads(VID, router.vendor_ids(cookies[0], initiator=True))
    natd = _nat_d(router, way, policy, link)
    fourth = await link.ask(payload(KE, pair.public), payload(NONCE, ni), *vendors, *natd, accept=_anything)
    public, nr = bodies(fourth, KE)[0], bodies(fourth, NONCE)[0]
    seen = Exchanged(cookies, (pair.public, public), (ni, nr), offer)
    keys = Keys.derive(policy.hash_name, router.psk, seen, pair.shared(public).reveal())
    natted = _natted(router, way, policy, link, fourth)
    if natted:
        await link.float()

    chain = _chain(policy, keys, seen)
    await link.protect(chain)
    idii = router.identity(link.path)
    fifth = payload(ID, idii), payload(HASH, keys.hash_i(seen, idii)), _initial_contact(cookies)
    sixth = await link.ask(*fifth, accept=lambda message: _proven(message, lambda body: keys.hash_r(seen, body)))
    return _sa(router, policy, link, keys, chain.iv, sixth, way, natted)


async def respond_main_mode(link: Link, router: Router) -> RouterSa:
    """Messages 2, 4 and 6."""
    first = await link.receive(_anything)
    policy, answer = _choose(router, first)
    way = _way(router, first)
    await link.answer(payload(SA, answer), *payloads(VID, (way,) if way else ()))

    third = await link.receive(_anything)
    cookies = link.cookies.initiator, link.cookies.responder
    pair, nr = key_pair(policy.group), router.random("nr", NONCE_OCTETS)
    natted, natd = _natted(router, way, policy, link, third), _nat_d(router, way, policy, link)
    vendors = payloads(VID, router.vendor_ids(cookies[1], initiator=False))
    await link.answer(payload(KE, pair.public), payload(NONCE, nr), *vendors, *natd)
    public, ni = bodies(third, KE)[0], bodies(third, NONCE)[0]
    seen = Exchanged(cookies, (public, pair.public), (ni, nr), bodies(first, SA)[0])
    keys = Keys.derive(policy.hash_name, router.psk, seen, pair.shared(public).reveal())

    chain = _chain(policy, keys, seen)
    await link.protect(chain)
    fifth = await link.receive(lambda message: _proven(message, lambda body: keys.hash_i(seen, body)), any_port=True)
    idir = router.identity(link.path)
    await link.answer(payload(ID, idir), payload(HASH, keys.hash_r(seen, idir)), *_responder_lifetime(router, cookies))
    return _sa(router, policy, link, keys, chain.iv, fifth, way, natted)


async def initiate_aggressive_mode(link: Link, router: Router) -> RouterSa:
    """Messages 1 and 3, with the group name as ID_KEY_ID (`crypto ipsec client ezvpn`, `initiate mode aggressive`)."""
    policy, offer = router.policies[0], router.offer()
    pair, ni = key_pair(policy.group), router.random("ni", NONCE_OCTETS)
    idii = router.identity(link.path)
    vendors = payloads(VID, (*router.release.announces, *router.vendor_ids(link.cookies.initiator, initiator=True)))
    first = payload(SA, offer), payload(KE, pair.public), payload(NONCE, ni), payload(ID, idii)
    second = await link.ask(*first, *vendors, accept=_anything)

    policy, way = _chosen(router, second), _way(router, second)
    cookies = link.cookies.initiator, link.cookies.responder
    public, nr = bodies(second, KE)[0], bodies(second, NONCE)[0]
    seen = Exchanged(cookies, (pair.public, public), (ni, nr), offer)
    keys = Keys.derive(policy.hash_name, router.psk, seen, pair.shared(public).reveal())
    peer = _proven(second, lambda body: keys.hash_r(seen, body))
    natted = _natted(router, way, policy, link, second)
    if natted:
        await link.float()
    natd = _nat_d(router, way, policy, link)
    chain = _chain(policy, keys, seen)
    await link.protect(chain)
    await link.conclude(payload(HASH, keys.hash_i(seen, idii)), *natd, _initial_contact(cookies))
    return _sa(router, policy, link, keys, chain.iv, peer, way, natted)


async def respond_aggressive_mode(link: Link, router: Router) -> RouterSa:
    """Message 2: vendor IDs before KE, ID before the nonce."""
    first = await link.receive(_anything)
    policy, answer = _choose(router, first)
    way, cookies = _way(router, first), (link.cookies.initiator, link.cookies.responder)
    pair, nr = key_pair(policy.group), router.random("nr", NONCE_OCTETS)
    public, ni, idii = bodies(first, KE)[0], bodies(first, NONCE)[0], bodies(first, ID)[0]
    seen = Exchanged(cookies, (public, pair.public), (ni, nr), bodies(first, SA)[0])
    keys = Keys.derive(policy.hash_name, router.psk, seen, pair.shared(public).reveal())
    idir = router.identity(link.path)
    vendors = router.vendor_ids(cookies[1], initiator=False)
    await link.answer(
        payload(SA, answer),
        *payloads(VID, (*vendors, way) if way else vendors),
        payload(KE, pair.public),
        payload(ID, idir),
        payload(NONCE, nr),
        payload(HASH, keys.hash_r(seen, idir)),
        *_nat_d(router, way, policy, link),
        *_responder_lifetime(router, cookies),
    )

    chain = _chain(policy, keys, seen)
    await link.protect(chain, clear_too=True)
    third = await link.receive(lambda message: with_hash(message, keys.hash_i(seen, idii)), any_port=True)
    natted = _natted(router, way, policy, link, third)
    return _sa(router, policy, link, keys, chain.iv, idii, way, natted)


# -- the parts -----------------------------------------------------------------------------------------------------


def _anything(message: Message) -> Message:
    return message


def _choose(router: Router, first: Message) -> tuple[Policy, bytes]:
    """The first of *its* policies that the offer contains, written anew in its own order of attributes, with the
    number of the offered transform."""
    transforms = first.one(SaPayload).proposals[0].transforms
    for policy in router.policies:
        for offered in transforms:
            if policy.is_in({a.type: a.as_number() for a in offered.attributes}):
                return policy, octets.sa(octets.ISAKMP, b"", [policy.transform(offered.number)])
    raise NoProposalChosen("phase 1 SA policy not acceptable")


def _chosen(router: Router, second: Message) -> Policy:
    (transform,) = second.one(SaPayload).proposals[0].transforms
    numbers = {a.type: a.as_number() for a in transform.attributes}
    return next(policy for policy in router.policies if policy.is_in(numbers))


def _way(router: Router, message: Message) -> bytes | None:
    heard = bodies(message, VID)
    return next((way for way in router.release.announces if way in heard), None)


def _nat_d(router: Router, way: bytes | None, policy: Policy, link: Link) -> tuple[Opaque, ...]:
    """The peer's endpoint first."""
    if way is None:
        return ()
    both = link.path.remote, link.path.local
    return payloads(router.release.nat_d(way), (_endpoint(policy, link, endpoint) for endpoint in both))


def _endpoint(policy: Policy, link: Link, endpoint: Endpoint) -> bytes:
    cookies = link.cookies.initiator, link.cookies.responder
    return nat_d(policy.hash_name, cookies, endpoint.address.packed, endpoint.port)


def _natted(router: Router, way: bytes | None, policy: Policy, link: Link, message: Message) -> bool:
    if way is None:
        return False
    heard = bodies(message, router.release.nat_d(way))
    if not heard:
        return False
    as_seen = _endpoint(policy, link, link.path.local), _endpoint(policy, link, link.path.remote)
    return heard[0] != as_seen[0] or as_seen[1] not in heard[1:]


def _chain(policy: Policy, keys: Keys, seen: Exchanged) -> octets.AlwaysPadded:
    cipher = policy.cbc(keys)
    return octets.AlwaysPadded(cipher, digest(keys.name, *seen.public)[: cipher.block_size])


def _initial_contact(cookies: tuple[bytes, bytes]) -> Opaque:
    return payload(NOTIFY, octets.notify(octets.ISAKMP, octets.INITIAL_CONTACT, b"".join(cookies)))


def _responder_lifetime(router: Router, cookies: tuple[bytes, bytes]) -> tuple[Opaque, ...]:
    """With the attributes of phase 1."""
    if router.isakmp_claims is None:
        return ()
    life = octets.attribute(11, 1) + octets.attribute(12, router.isakmp_claims)
    return (payload(NOTIFY, octets.notify(octets.ISAKMP, octets.RESPONDER_LIFETIME, b"".join(cookies), life)),)


def _proven(message: Message, expected: Callable[[bytes], bytes]) -> bytes:
    """The ID, if the HASH beside it holds."""
    (identity,) = bodies(message, ID)
    with_hash(message, expected(identity))
    return identity


def _sa(
    router: Router, policy: Policy, link: Link, keys: Keys, block: bytes, peer: bytes, way: bytes | None, natted: bool
) -> RouterSa:
    cookies = link.cookies.initiator, link.cookies.responder
    path = Path(link.path.local, link.path.remote)
    udp_tunnel = router.release.udp_tunnel(way) if way and natted else None
    return RouterSa(router, policy, cookies, keys, block, path, peer, udp_tunnel)
