"""A hub and its clients, which may come from anywhere: they share a key, or one of them has moved."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_address

from ikevd.addresses import Address
from ikevd.crypto import keys
from ikevd.exchanges import phase2
from ikevd.policy.child import Child
from ikevd.policy.connection import Connection, Resend
from ikevd.sa.model import IsakmpSa
from ikevd.wire.message import Header
from ikevd.wire.payloads import HashPayload, Payload
from ikevd.wire.registry import ExchangeType, Flags
from tests.builders import BOB, child, connection, fqdn, psk
from tests.gateways import Gateway, World, bring_up
from tests.hostile.mallory import Chain, datagram, padded
from tests.nat import Nat, Nats

CLIENTS = tuple(ip_address(f"192.0.2.{number}") for number in range(1, 10))
HERE, THERE = ip_address("203.0.113.1"), ip_address("203.0.113.2")
"""The public addresses of two NATs: five clients are behind one, four behind the other."""
HUB_LAN = "10.1.0.0/24"
QUICK = Resend(interval=1, factor=1.5, sends=3)


def two_nats() -> Nats:
    return Nats(Nat(HERE, *CLIENTS[:5]), Nat(THERE, *CLIENTS[5:]))


def client(address: Address, network: str) -> Connection:
    """What a client has in its configuration; all show one identity, by one key."""
    return connection(
        name="hub",
        local=address,
        local_id=fqdn("clients.example"),
        remote_id=fqdn("hub.example"),
        psk=psk("the key of all clients"),
        children=(child(local=network, remote=HUB_LAN),),
        resend=QUICK,
    )


def hub(*children: Child, **changes: object) -> Connection:
    """The other side of it."""
    view = client(CLIENTS[0], "10.3.0.0/24")
    mirror = replace(view, name="clients", local=BOB, remote=None, local_id=view.remote_id, remote_id=view.local_id)
    return replace(mirror, children=children, **changes)  # type: ignore[arg-type]


def networks(count: int) -> tuple[Child, ...]:
    return tuple(
        child(name=f"c{n}", reqid=0x696B0000 + n, local=HUB_LAN, remote=f"10.3.{n}.0/24") for n in range(count)
    )


def roads() -> Child:
    return child(name="roads", local=HUB_LAN, remote="10.3.0.0/16", template=True)


async def reborn(world: World, former: Gateway, seed: int) -> Gateway:
    """Another process at the same place, which knows nothing of the former one, brings up its child."""
    new = world.gateway(former.address, *former.engine._config.connections, seed=seed)
    await bring_up(new)
    await asyncio.sleep(1)
    return new


def informational(sa: IsakmpSa, *payloads: Payload, message_id: int = 0x0BADF00D, after: bytes = b"") -> bytes:
    """A datagram of whoever has the keys. `after`: the last block of phase 1, where `sa` does not have it yet."""
    chain = Chain.of(*payloads)
    chain = chain.behind(HashPayload(keys.hash_1(sa.keys.under_skeyid_a(), message_id, chain.octets)))
    iv = phase2.chain(sa, after or sa.last_blocks[0], message_id)
    cookies = sa.cookies
    header = Header(
        cookies.initiator, cookies.responder, chain.first, ExchangeType.INFORMATIONAL, Flags.ENCRYPTION, message_id
    )
    return datagram(header, iv.encrypt(padded(chain.octets, len(iv.iv))))
