"""Forged first messages of Main Mode, and a hub at which they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from itertools import count

from ikevd.addresses import Address
from ikevd.observe.history import Record
from ikevd.policy.connection import Connection, Resend
from ikevd.policy.settings import Limits
from ikevd.sa.model import Cookies
from ikevd.wire.payloads import Payload, VidPayload
from tests.builders import ALICE, BOB, connection, fqdn, mirrored, psk
from tests.duet import Network
from tests.gateways import World
from tests.hostile.mallory import MainMode, Mallory, changed, mallory_at

CAROL, STRANGER = ip_address("192.0.2.77"), ip_address("203.0.113.9")
TO_CAROL = replace(mirrored(connection()), name="carol", remote=CAROL)
ROADWARRIOR = replace(
    mirrored(connection(psk=psk("m4rked-secret of anybody"))),
    name="anybody",
    remote=None,
    remote_id=fqdn("anybody.example"),
)
ONCE = connection(resend=Resend(60, 1, 1))
"""Alice's connection, each message of which is sent once."""


def forged(*more: Payload, view: Connection = ONCE) -> Iterator[bytes]:
    """Alice's first message with `more`, under one cookie after the other."""
    mallory = Mallory(view, mallory_at(ALICE, BOB), lambda octets, path: None, list)
    mode = MainMode(mallory, Cookies(bytes(8)))
    genuine = mode.message_1(mode.offer, *more)
    return (changed(genuine, 0, number.to_bytes(8, "big")) for number in count(1))


def unequal(length: int) -> Iterator[bytes]:
    """As many octets each, and no two are equal behind the cookie."""
    for number, octets in enumerate(forged(VidPayload(bytes(length)))):
        yield changed(octets, -8, number.to_bytes(8, "big"))


class Hub:
    """Bob, who knows Alice and Carol by their addresses and anybody by name."""

    def __init__(self, *, round_trip: float = 0.3, limits: Limits | None = None) -> None:
        self.world = World(Network(delay=round_trip / 2))
        self.bob = self.world.gateway(BOB, mirrored(connection()), TO_CAROL, ROADWARRIOR, limits=limits)

    @contextmanager
    def flood(self, messages: Iterator[bytes], rate: int, source: Callable[[int], Address]) -> Iterator[None]:
        """`rate` a second as long as the block runs."""

        async def forge() -> None:
            for number, octets in enumerate(messages):
                self.bob.engine.datagram(octets, mallory_at(source(number), BOB))
                await asyncio.sleep(1 / rate)

        flood = asyncio.ensure_future(forge())
        try:
            yield
        finally:
            flood.cancel()

    def burst(self, messages: Iterator[bytes], times: int, source: Address = ALICE) -> None:
        for _ in range(times):
            self.bob.engine.datagram(next(messages), mallory_at(source, BOB))

    def counted(self, name: str) -> int:
        return self.bob.counters.as_dict().get(name, 0)

    def answers(self) -> int:
        return len([path for _, path, _ in self.world.wire if path.local.address == BOB])

    def records(self) -> list[Record]:
        return list(self.bob.history.find())
