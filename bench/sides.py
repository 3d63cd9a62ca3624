"""Responders with the initiator that calls each of them."""

from __future__ import annotations

import random
import socket
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.charon import CHARON, LIBIPSEC, Charon
from bench.initiator import SHIFT, Initiator
from bench.processes import Ikevd, Responder
from bench.sites import HUB, Place, Spoke, Suite

NAT_PORT_IS_ABOVE = 4000
AT_ONCE = 32
"""Handshakes under way at one time."""


@dataclass(frozen=True, slots=True)
class Side:
    """One responder under measurement."""

    hub: Responder
    initiator: Initiator

    async def cost(self, spokes: Sequence[Spoke], *, at_once: int = AT_ONCE) -> float:
        """Milliseconds of the responder's CPU for each child that the spokes bring up."""
        before = self.hub.quiet_cpu()
        await self.initiator.bring_up(spokes, at_once=at_once)
        return (self.hub.quiet_cpu() - before) * 1000 / sum(spoke.children for spoke in spokes)


@asynccontextmanager
async def sides(
    spokes: Sequence[Spoke], *, charon: bool, netlink: bool = False, profile: Path | None = None
) -> AsyncIterator[list[Side]]:
    """ikevd and, if it is wanted, charon. `netlink`: both with the kernel of this machine, which must have ESP."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        hubs: list[Responder] = [Ikevd(free_place(directory / "ikevd"), spokes, netlink=netlink, profile=profile)]
        if charon:
            suites: Sequence[Suite] = tuple(dict.fromkeys(spoke.suite for spoke in spokes))
            kernel = "kernel-netlink" if netlink else LIBIPSEC
            hubs.append(Charon(_place(directory / "charon", 500, "192.168.1.0/24"), suites, kernel=kernel))
        made = []
        for hub in hubs:
            stack.enter_context(hub)
            made.append(Side(hub, await stack.enter_async_context(Initiator(spokes, hub.place))))
        yield made


def free_place(directory: Path) -> Place:
    """Where ikevd answers; makes the folder."""
    return _place(directory, _free_port(), "192.168.0.0/24")


def _free_port() -> int:
    """One of which the NAT port and the initiator's two are free as well."""
    while True:
        port = random.randrange(10_000, 40_000)
        with ExitStack() as stack:
            try:
                for other in (port, port + NAT_PORT_IS_ABOVE, port + SHIFT, port + NAT_PORT_IS_ABOVE + SHIFT):
                    stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind(("0.0.0.0", other))
            except OSError:
                continue
            return port


def _place(directory: Path, port: int, network: str) -> Place:
    """charon tells IKE from ESP by port 500 at either end; so its place is there."""
    directory.mkdir()
    return Place(directory, HUB, port, port + NAT_PORT_IS_ABOVE, network)


def has_charon() -> bool:
    """Is charon to be seen? Inside the rig it is."""
    return CHARON.exists()
