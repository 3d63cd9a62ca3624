"""The replay window with packets across: what is late is let in as far as it reaches, and nothing twice."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

import pytest

from tests.eventually import eventually
from tests.interop.beginner import EITHER, Beginner, bring_up
from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

LATE = 300
"""So many packets come before one that was sent before them."""


@dataclass(frozen=True)
class Inbound:
    """What the SA from gateway B has let in, and what it has not."""

    packets: int
    late: int
    """With numbers of 64 bits one that is too late looks forged: the upper half is guessed by the window (RFC 4303
    appendix A)."""
    twice: int


def inbound(net: Topology) -> Inbound:
    (state,) = [one for one in net.gw_a.xfrm_state() if one.src == net.gw_b.address]
    found = re.search(r"replay-window (\d+) replay (\d+) failed (\d+)", state.text)
    assert found is not None, state.text
    return Inbound(state.packets, int(found[1]) + int(found[3]), int(found[2]))


def held_back(net: Topology) -> bytes:
    """A packet of gateway B that the router keeps."""
    net.block_esp(True)
    net.wire.forget()
    net.host_b.ping(net.host_a.address, 1, wait=1)
    net.block_esp(False)
    source = socket.inet_aton(net.gw_b.address)
    return next(frame.packet for frame in net.wire.frames() if frame.kind == "esp" and frame.packet[12:16] == source)


def send(net: Topology, packet: bytes) -> None:
    """The router sends it on after all."""
    with net.router.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)) as raw:
        raw.sendto(packet, (net.gw_a.address, 0))


@EITHER
@pytest.mark.parametrize("esp", ["aes256-sha256", "aes256-sha256-esn"])
@pytest.mark.parametrize(("window", "late"), [(32, 1), (128, 1), (512, 0), (4096, 0)])
def test_what_is_late_is_let_in_once_as_far_as_the_window_reaches(
    topology: Topology, charon_b: StrongSwan, beginner: Beginner, esp: str, window: int, late: int
) -> None:
    net, site = topology, Site(topology.gw_a, topology.gw_b, esp=esp)
    charon_b.configure(site.mirrored())
    with Ikevd(net.gw_a, site.ikevd().replace("{local:", f"{{replay_window: {window}, local:")) as ikevd:
        bring_up(beginner, ikevd, charon_b)
        packet = held_back(net)
        assert net.host_b.ping(net.host_a.address, LATE, interval=0.002, wait=30) == LATE
        before = inbound(net)
        assert (before.late, before.twice) == (0, 0)
        send(net, packet)
        eventually(lambda: inbound(net), lambda after: after.packets + after.late == before.packets + 1)
        assert inbound(net) == Inbound(before.packets + 1 - late, late, 0)
        send(net, packet)
        eventually(lambda: inbound(net), lambda after: after.late + after.twice == late + 1)
        assert inbound(net).packets == before.packets + 1 - late
    assert net.gw_a.xfrm_state() == []
