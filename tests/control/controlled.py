"""An engine pair under its controller, for the tests of what the API does."""

from __future__ import annotations

from typing import cast

from ikevd.addresses import Address, Endpoint
from ikevd.control.controller import EngineController
from ikevd.control.status_shapes import Child, Status
from ikevd.dissect.lazy import whole
from ikevd.observe.views import View
from ikevd.policy.connection import Connection, Resend
from tests.builders import ALICE, BOB, child, connection
from tests.duet import Network
from tests.gateways import Gateway, World, alice_and_bob

QUICK = Resend(interval=1, factor=1.5, sends=3)
LAN = child(name="lan")
DMZ = child(name="dmz", reqid=0x696B0001, local="10.1.9.0/24", remote="10.2.9.0/24")
BOTH = connection(children=(LAN, DMZ), resend=QUICK)
SILENT = Network(loss=1.0)


def controlled(gateway: Gateway) -> EngineController:
    listening = (Endpoint(gateway.address, 500),)
    return EngineController(gateway.engine, gateway.history, gateway.counters, listening)


def pair(network: Network | None = None, view: Connection = BOTH) -> tuple[Gateway, Gateway, EngineController]:
    _, alice, bob = alice_and_bob(network, view)
    return alice, bob, controlled(alice)


def ignore(_: View) -> None:
    """Nobody listens."""


async def status_of(controller: EngineController, name: str | None = None, peer: Address | None = None) -> Status:
    head, connections = await controller.status(name, peer)
    return cast("Status", {**head, "connections": [connection async for connection in connections]})


async def traced(
    controller: EngineController, *filters: str | None, last: int = 20, decode: bool = False
) -> list[View]:
    """The records that fit: SPI, connection, peer."""
    spi, connection, peer = (*filters, None, None, None)[:3]
    views: list[View] = whole(await controller.trace(spi, connection, peer, last, decode=decode))
    return views


async def children(controller: EngineController) -> dict[str, Child]:
    status = await status_of(controller)
    return {view["name"]: view for one in status["connections"] for view in one["children"]}


def two_with_the_same_child() -> EngineController:
    elsewhere = connection(name="carol", remote=BOB + 1)
    return controlled(World().gateway(ALICE, BOTH, elsewhere))
