"""One case of the interop matrix, run: a tunnel between ikevd on gateway A and a foreign daemon on gateway B."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ikevd.wire.registry import ExchangeType
from tests.interop.crossing import packets_cross
from tests.interop.inprocess import EngineInNamespace, engine_in, loaded
from tests.interop.libreswan import Libreswan
from tests.interop.node import Node
from tests.interop.peer import Peer
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology
from tests.matrix.algorithms import SHA256_96
from tests.matrix.cases import Case

IDENTITIES = {
    "addresses": ("", ""),
    "fqdn": ("gw-a.example", "gw-b.example"),
    "user_fqdn": ("admin@gw-a.example", "admin@gw-b.example"),
    "key_id": ("keyid:branch", "keyid:centre"),
}
EXCHANGES = {"main": ExchangeType.MAIN_MODE, "aggressive": ExchangeType.AGGRESSIVE}
NAT = {"nat-here": "a", "nat-there": "b"}


@dataclass(frozen=True)
class Stage:
    """A topology and the daemon on gateway B, for many cases."""

    topology: Topology
    peer: Peer


class Stages:
    """The stage of the latest case, kept as long as the next case needs the same; a context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._key = ("", "")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def of(self, case: Case) -> Stage:
        """Topology and daemon for the case."""
        key = case.topology, case.peer
        if key != self._key:
            self._stack.close()
            nat = NAT.get(case.topology, "")
            topology = self._stack.enter_context(Topology(ipv6=not nat, nat=nat))
            daemon = StrongSwan(topology.gw_b) if case.peer == "strongswan" else Libreswan(topology.gw_b)
            self._stage = Stage(topology, self._stack.enter_context(daemon))
            self._key = key
        return self._stage


def site_of(case: Case, topology: Topology) -> Site:
    """The tunnel as gateway A sees it."""
    local_id, remote_id = IDENTITIES[case.ids]
    return Site(
        topology.gw_a,
        topology.gw_b,
        case.ike,
        case.esp_proposal,
        ipv6=case.path == "ipv6",
        local_id=local_id,
        remote_id=remote_id,
        aggressive=case.exchange == "aggressive",
        sha256_96=SHA256_96 in case.esp,
        options=("encap: force",) if case.path == "esp-blocked" else (),
    )


def run_case(place: Stage, case: Case, folder: Path) -> float:
    """Bring the tunnel up, send packets through it and take it down; seconds of all that.

    Raises `AssertionError` (also `PeerError`) with the end of the peer's log, or what ikevd says.
    """
    started = time.monotonic()
    blocked = case.path == "esp-blocked"
    if blocked:
        place.topology.block_esp()
    try:
        asyncio.run(_tunnel(place, case, folder))
    except AssertionError as failure:
        failure.add_note(f"--- {case}\n{place.peer.tail(60)}")
        raise
    finally:
        if blocked:
            place.topology.block_esp(False)
        place.peer.forget()
    return time.monotonic() - started


async def _tunnel(place: Stage, case: Case, folder: Path) -> None:
    topology = place.topology
    site = site_of(case, topology)
    place.peer.configure(site.mirrored(options=()))
    async with engine_in(topology.gw_a, loaded(site.ikevd(), folder)) as ours:
        if case.role == "initiator":
            await ours.up()
        else:
            await asyncio.to_thread(place.peer.bring_up)
        for gateway in (topology.gw_a, topology.gw_b):
            await _ready(gateway)
        _agreed(ours, case)
        await asyncio.to_thread(packets_cross, topology, ipv6=site.ipv6, udp=case.udp)


async def _ready(gateway: Node) -> None:
    """Whoever answers last in Quick Mode needs a moment after the initiator is done."""
    deadline = time.monotonic() + 5
    while True:
        outward = [policy for policy in gateway.xfrm_policy() if policy.direction == "out" and policy.templates]
        if outward and len([state for state in gateway.xfrm_state() if state.enc]) == 2:
            return
        assert time.monotonic() < deadline, f"{gateway.name} has no pair of SAs:\n{gateway.ip('xfrm', 'state')}"
        await asyncio.sleep(0.02)


def _agreed(ours: EngineInNamespace, case: Case) -> None:
    """That it was this case: exchange and role, and where a NAT was found."""
    (session,) = ours.engine.sessions()
    live = session.usable()
    assert live is not None
    assert live.sa.exchange == EXCHANGES[case.exchange]
    assert live.sa.initiator == (case.role == "initiator")
    assert live.sa.nat is not None
    if case.path != "esp-blocked":
        found = live.sa.nat.local, live.sa.nat.remote
        assert found == (case.path == "nat-here", case.path == "nat-there"), f"NAT here, there: {found}"
