"""One case of the interop matrix, run: a tunnel between ikevd on gateway A and a foreign daemon on gateway B."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ikevd.errors import IkeError
from ikevd.host.policies import Action, Direction, FoundPolicy
from ikevd.kernel.adapter import XfrmKernel
from ikevd.wire.registry import ExchangeType
from tests.eventually import PATIENCE
from tests.interop.crossing import packets_cross
from tests.interop.inprocess import EngineInNamespace, engine_in, inside, loaded
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
    """Runs cases one after the other. Topology and daemon stay as long as the next case needs the same, and until one
    fails. A context manager."""

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
            self._stage = Stage(topology, self._daemon(case.peer, topology.gw_b))
            self._key = key
        return self._stage

    def run(self, case: Case, folder: Path) -> float:
        """Bring the tunnel up, send packets through it and take it down; seconds of all that.

        Raises `AssertionError` (also `PeerError`) with the end of the peer's log, or what ikevd says.
        """
        place = self.of(case)
        started = time.monotonic()
        place.topology.block_esp(case.path == "esp-blocked")
        try:
            asyncio.run(_told(_tunnel(place, case, folder)))
        except AssertionError as failure:
            failure.add_note(f"--- {case}\n{place.peer.tail(60)}")
            self._stack.__exit__(type(failure), failure, None)
            self._key = ("", "")
            raise
        place.topology.forget_mappings()
        return time.monotonic() - started

    def _daemon(self, peer: str, node: Node) -> Peer:
        if peer == "strongswan":
            return self._stack.enter_context(StrongSwan(node))
        return self._stack.enter_context(Libreswan(node))


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


async def _told(tunnel: Coroutine[None, None, None]) -> None:
    """What ikevd says is a failure of the case as well."""
    try:
        await tunnel
    except IkeError as error:
        raise AssertionError(f"ikevd: {error}") from error


async def _tunnel(place: Stage, case: Case, folder: Path) -> None:
    topology = place.topology
    site = site_of(case, topology)
    place.peer.configure(site.mirrored(options=()))
    async with engine_in(topology.gw_a, loaded(site.ikevd(), folder)) as ours:
        if case.role == "initiator":
            await ours.up()
        else:
            await asyncio.to_thread(place.peer.bring_up)
        await _until(topology, 2)
        _agreed(ours, case)
        await asyncio.to_thread(packets_cross, topology, ipv6=site.ipv6, udp=case.udp)
        await asyncio.to_thread(place.peer.forget)
        await _until(topology, 0)


async def _until(topology: Topology, count: int) -> None:
    """Wait for so many SAs on both gateways, with tunnels or with none (blocks may stand): who answers last in Quick
    Mode, and who is told of the end, needs a moment more. (Our own netlink code looks: a process for `ip` is dear.)"""
    deadline = time.monotonic() + PATIENCE
    for gateway in (topology.gw_a, topology.gw_b):
        with inside(gateway):
            kernel = XfrmKernel()
        with kernel:
            while True:
                sas = [sa for sa in await kernel.dump_sas() if not sa.larval]
                found = await kernel.dump_policies()
                outward = [each for each in found if each.id.direction is Direction.OUT and _is_tunnel(each)]
                if len(sas) == count and bool(outward) == bool(count):
                    break
                assert time.monotonic() < deadline, f"{gateway.name} has {len(sas)} SAs, not {count}; {outward}"
                await asyncio.sleep(0.02)


def _is_tunnel(found: FoundPolicy) -> bool:
    """Does it send packets through an SA? Also that of the other daemon, which may have no form of ours."""
    return bool(found.reqid) and (found.policy is None or found.policy.action is Action.TUNNEL)


def _agreed(ours: EngineInNamespace, case: Case) -> None:
    """That it was this case: exchange and role, and where a NAT was found."""
    (session,) = ours.engine.sessions()
    (live,) = session.live
    assert live.sa.exchange == EXCHANGES[case.exchange]
    assert live.sa.initiator == (case.role == "initiator")
    assert live.sa.nat is not None
    if case.path != "esp-blocked":
        found = live.sa.nat.local, live.sa.nat.remote
        assert found == (case.path == "nat-here", case.path == "nat-there"), f"NAT here, there: {found}"
