"""One octet now and then, so that the NAT in front of us keeps its mapping (RFC 3948 section 4)."""

from __future__ import annotations

from ikevd.negotiation.agenda import Agenda
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.times import Subject
from ikevd.peer.keepalive import path_to_keep
from ikevd.peer.state import PeerState


def arm_keepalive(agenda: Agenda[object], ports: Ports, interval: float, before: PeerState, state: PeerState) -> None:
    """Where a mapping is to be kept from here on. `interval`: seconds; 0: none is."""
    changed = before.isakmp is not state.isakmp or before.children is not state.children
    if changed and interval and Subject.KEEPALIVE not in agenda and path_to_keep(state):
        agenda.set(Subject.KEEPALIVE, ports.now() + interval)


def keep_alive(agenda: Agenda[object], ports: Ports, interval: float, state: PeerState) -> None:
    """Its time has come."""
    if path := path_to_keep(state):
        ports.keepalive(path)
        agenda.set(Subject.KEEPALIVE, ports.now() + interval)
