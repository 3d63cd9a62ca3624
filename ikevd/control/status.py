"""What stands, as plain data: the shapes of `status_shapes`, filled from sessions, records and the kernel."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Literal

from ikevd.addresses import Address
from ikevd.control import sa_shapes, status_shapes
from ikevd.control.pace import Pace
from ikevd.control.traffic import traffic_of
from ikevd.dissect.lazy import pieces
from ikevd.host.interface import Kernel
from ikevd.host.links import Link
from ikevd.host.sas import Counters, SaId
from ikevd.negotiation.session import Session
from ikevd.observe.history import Record
from ikevd.observe.progress import CiscoState, progress_of, ready
from ikevd.observe.refused import Refused
from ikevd.observe.views import View, finding_view
from ikevd.observe.words import say
from ikevd.peer.child_state import ChildState, HookState, PairState
from ikevd.peer.desired import desired_child
from ikevd.peer.isakmp_state import IsakmpState, Stage
from ikevd.peer.links import desired_links
from ikevd.peer.liveness import last_sign
from ikevd.peer.one_way_state import OneWay, OneWayStage
from ikevd.peer.start import has_trap
from ikevd.peer.state import PeerState
from ikevd.policy.child import Child
from ikevd.policy.choose import describe
from ikevd.policy.connection import Connection
from ikevd.policy.interface import InterfaceKind
from ikevd.sa.model import Cpis, NatTraversal, UdpEncapsulation
from ikevd.service.holding import Holding

NOTHING = Counters(octets=0, packets=0)
"""Of a direction that is gone."""


async def connection_view(
    connection: Connection,
    children: tuple[Child, ...],
    sessions: list[Session],
    phase1: Record | None,
    kernel: Kernel,
    pace: Pace,
) -> status_shapes.Connection:
    """One connection with those of its children that were asked for."""
    isakmp, shown = list[sa_shapes.Isakmp](), list[status_shapes.Child]()
    for session in sessions:
        isakmp += [_isakmp(live, session.now) for live in session.live if live.stage is not Stage.LEAVING]
        await pace.keep()
    for child in children:
        shown.append(await _child(connection, child, sessions, kernel, pace))
    return {
        "name": connection.name,
        "local": _address(connection.local),
        "remote": _remote(connection),
        "ike_proposals": [describe(suite) for suite in connection.suites],
        "negotiating": any(session.state.phase1 is not None for session in sessions),
        "phase1": _phase1(phase1) if phase1 else None,
        "isakmp": isakmp,
        "one_way": next((_one_way(known, s.now) for s in sessions if (known := s.state.one_way)), None),
        "interface": _interface(connection, sessions),
        "route_problem": sessions[0].route_problem if sessions else None,
        "mss_problem": sessions[0].mss_problem if sessions else None,
        "children": shown,
    }


def refused_view(refused: Refused) -> status_shapes.Refused:
    """One of the negotiations of peers that came to nothing."""
    return {
        "at": refused.last,
        "times": refused.count,
        "exchange": str(refused.exchange),
        "peer": str(refused.peer),
        "connection": refused.connection,
        "child": refused.child,
        "cause": say(refused.cause),
        "finding": finding_view(refused.cause),
    }


def holder_view(holding: Holding) -> status_shapes.SocketHolder:
    """Who keeps the IKE sockets open while ikevd is away."""
    return {"kind": holding.kind, "pid": holding.pid, "problem": holding.problem}


def has_peer(connection: Connection, sessions: list[Session], peer: Address) -> bool:
    """Is it the connection's peer: the configured one, or that of an ISAKMP SA?"""
    found = (live.path.remote.address for session in sessions for live in session.live)
    return peer in (connection.remote, *connection.places) or peer in found


def _remote(connection: Connection) -> str:
    places = ", ".join(map(str, connection.places))
    return places or str(connection.remote or connection.remote_range or "any")


async def status_pieces(
    head: View, connections: AsyncIterator[status_shapes.Connection], pace: Pace
) -> AsyncIterator[bytes]:
    """The JSON of a status in pieces. `head`: all of it but the connections."""
    before = f'{json.dumps(head)[:-1]}, "connections": ['
    async for connection in connections:
        yield before.encode()
        for piece in pieces(_lazily(connection)):
            yield piece.encode()
            await pace.keep()
        before = ", "
    yield (before if before != ", " else "").encode() + b"]}"


def _lazily(connection: status_shapes.Connection) -> View:
    children = ({**child, "sas": iter(child["sas"])} for child in connection["children"])
    return {**connection, "isakmp": iter(connection["isakmp"]), "children": children}


async def _child(
    connection: Connection, child: Child, sessions: list[Session], kernel: Kernel, pace: Pace
) -> status_shapes.Child:
    now, sas = sessions[0].now if sessions else 0.0, list[sa_shapes.IpsecPair]()
    peers = [session.state for session in sessions]
    pairs = [pair for peer in peers for pair in _stands(_of(peer, child))]
    for pair in pairs:
        sas.append(await _pair(pair, _lender(connection, child, pair), kernel, now))
        await pace.keep()
    peer = next((p for p in peers if _stands(_of(p, child))), peers[0] if peers else None)
    state = _of(peer, child)
    cause = state.unplaced or state.cause
    policies = desired_child(connection, child, state).policies
    traffic = await traffic_of(pairs, policies, kernel, now, received=any(sa["packets_in"] for sa in sas))
    await pace.keep()
    return {
        "name": child.name,
        "group": child.group,
        "local": str(child.local),
        "remote": f"within {child.remote}" if child.template else str(child.remote),
        "state": state_of(child, peer),
        "carried_by": sessions[0].carried_by(child.name) if sessions else None,
        "last_cause": say(cause) if cause else None,
        "retry_in_seconds": None if state.retry_at is None else round(max(0.0, state.retry_at - now), 1),
        "last_in_seconds": traffic.last_in,
        "one_way_seconds": traffic.one_way,
        "updown": _updown(state.hook),
        "esp_proposals": [describe(suite) for suite in child.suites],
        "pfs": child.pfs.value,
        "sas": sas,
    }


def _updown(hook: HookState | None) -> status_shapes.Updown | None:
    if hook is None:
        return None
    return {
        "program": hook.call.updown.program,
        "verb": "up" if hook.up else "down",
        "ended": hook.ended,
        "failure": say(hook.failure) if hook.failure else None,
        "finding": finding_view(hook.failure) if hook.failure else None,
    }


def _of(peer: PeerState | None, child: Child) -> ChildState:
    """Of a child that the file has since a moment ago the peer knows nothing yet."""
    return (peer.children.get(child.name) if peer else None) or ChildState()


def _stands(state: ChildState) -> tuple[PairState, ...]:
    """The pairs that carry its traffic, borrowed ones, too."""
    return tuple([pair for pair in state.carrying if pair.attempt is None])


def state_of(child: Child, peer: PeerState | None) -> str:
    """In one word."""
    state = _of(peer, child)
    if _stands(state):
        return "down" if state.unplaced else "up"
    if state.attempt is not None or (peer and child.name in peer.waiting):
        return "negotiating"
    if state.wanted and state.retry_at is not None:
        return "retry"
    return "waiting" if has_trap(child, state) and not state.unplaced else "down"


def _lender(connection: Connection, child: Child, pair: PairState) -> str | None:
    """Whose pair it is. The instances of `remote: any` have reqids of their own, and borrow nothing."""
    reqid = pair.sa.reqid
    return next((other.name for other in connection.children if other.reqid == reqid and other is not child), None)


async def _pair(pair: PairState, lender: str | None, kernel: Kernel, now: float) -> sa_shapes.IpsecPair:
    sa = pair.sa
    age = now - pair.born
    inbound = await kernel.counters(SaId(sa.local, sa.inbound)) or NOTHING
    outbound = await kernel.counters(SaId(sa.remote, sa.outbound)) or NOTHING
    return {
        "spi_in": str(sa.inbound),
        "spi_out": str(sa.outbound),
        "local": str(sa.local),
        "remote": str(sa.remote),
        "local_selector": str(sa.local_selector),
        "remote_selector": str(sa.remote_selector),
        "lent_by": lender,
        "protocol": sa.suite.protocol.name,
        "mode": "transport" if sa.suite.transport else "tunnel",
        "udp_encapsulation": _udp(sa.encap),
        "ipcomp": _ipcomp(sa.cpis),
        "initiator": sa.initiator,
        "suite": describe(sa.suite),
        "age_seconds": round(age),
        "expires_in_seconds": round(pair.expires - now),
        "rekeys_in_seconds": None if pair.rekey_at is None else round(max(0.0, pair.rekey_at - now)),
        "replaced": pair.leave_at is not None,
        "lifetime_kilobytes": sa.lifetime.kilobytes,
        "bytes_in": inbound.octets,
        "packets_in": inbound.packets,
        "bytes_out": outbound.octets,
        "packets_out": outbound.packets,
        "replayed_in": inbound.replayed,
        "forged_in": inbound.forged,
    }


def _isakmp(live: IsakmpState, now: float) -> sa_shapes.Isakmp:
    sa = live.sa
    heard, sign = last_sign(live)
    return {
        "cookies": str(sa.cookies),
        "initiator": sa.initiator,
        "exchange": str(sa.exchange),
        "cisco": _cisco(ready(sa.exchange)),
        "local_id": str(sa.local_id),
        "remote_id": str(sa.remote_id),
        "local": str(live.path.local),
        "remote": str(live.path.remote),
        "suite": describe(sa.suite),
        "age_seconds": round(now - live.born),
        "expires_in_seconds": round(live.expires - now),
        "renews_in_seconds": None if live.renew_at is None else round(max(0.0, live.renew_at - now)),
        "retired": live.retired,
        "nat": _nat(sa.nat),
        "peer_vendors": list(sa.peer_vendors),
        "heard_seconds": round(now - heard),
        "heard_by": sign,
        "dpd": sa.dpd,
        "unanswered": live.liveness.asked if live.liveness else 0,
    }


_ONE_WAY: Mapping[OneWayStage, Literal["suspected", "trying", "helped", "in vain"]] = {
    OneWayStage.SUSPECTED: "suspected",
    OneWayStage.CALLING: "trying",
    OneWayStage.TRYING: "trying",
    OneWayStage.HELPED: "helped",
    OneWayStage.IN_VAIN: "in vain",
}


def _one_way(known: OneWay, now: float) -> status_shapes.OneWay:
    again = known.again_at if known.again_at is not None and known.again_at > now else None
    return {
        "state": _ONE_WAY[known.stage],
        "found": say(known.found) if known.found else None,
        "finding": finding_view(known.found) if known.found else None,
        "again_in_seconds": None if again is None else round(again - now),
    }


def _interface(connection: Connection, sessions: list[Session]) -> status_shapes.Interface | None:
    interface = connection.interface
    if interface is None:
        return None
    states = [session.state for session in sessions]
    desired = [thing for state in states for thing in desired_links(connection, state)]
    cause = next((state.unlinked for state in states if state.unlinked), None)
    return {
        "name": interface.name,
        "kind": "vti" if interface.kind is InterfaceKind.VTI else "xfrm",
        "if_id": interface.number,
        "namespace": interface.namespace or None,
        "up": any(isinstance(thing, Link) and thing.up for thing in desired),
        "problem": say(cause) if cause else None,
    }


def _phase1(record: Record) -> sa_shapes.Phase1:
    progress = progress_of(record)
    return {
        "exchange": str(record.kind),
        "initiator": record.initiator,
        "peer": str(record.peer),
        "outcome": progress.outcome,
        "furthest": progress.furthest,
        "cisco": _cisco(progress.cisco),
        "cause": say(progress.cause) if progress.cause else None,
        "started": record.started,
        "last_event": progress.at,
    }


def _cisco(state: CiscoState) -> sa_shapes.CiscoNames:
    return {"ios": state.ios, "asa": state.asa}


def _nat(nat: NatTraversal | None) -> sa_shapes.Nat | None:
    if nat is None:
        return None
    return {
        "method": nat.method.value,
        "local": nat.local,
        "remote": nat.remote,
        "forced": nat.forced,
        "tried": nat.tried,
    }


def _udp(encap: UdpEncapsulation | None) -> sa_shapes.UdpEncapsulation | None:
    return None if encap is None else {"local_port": encap.local_port, "remote_port": encap.remote_port}


def _address(address: Address | None) -> str:
    return "any" if address is None else str(address)


def _ipcomp(cpis: Cpis | None) -> sa_shapes.Ipcomp | None:
    return {"cpi_in": str(cpis.inbound), "cpi_out": str(cpis.outbound)} if cpis else None
