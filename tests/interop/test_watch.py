"""Somebody removes and changes what ikevd holds in the real kernel, by `ip xfrm`; strongSwan is the peer."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

pytestmark = pytest.mark.soak  # waits for what must not come back

FLOOD = 10_000
"""Events: more than the daemon's buffer takes while nobody reads it."""


@pytest.fixture
def ikevd(topology: Topology, charon_b: StrongSwan) -> Iterator[Ikevd]:
    """Gateway A, its tunnel up."""
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.configure(site.mirrored())
    try:
        with Ikevd(topology.gw_a, site.ikevd()) as started:
            started.up("lan")
            yield started
    finally:
        topology.gw_a.ip("xfrm", "policy", "flush")


def child(ikevd: Ikevd) -> tuple[str, str]:
    """Its state, and the cause."""
    (found,) = ikevd.status()["connections"][0]["children"]
    return found["state"], found["last_cause"] or ""


def spis(node: Node) -> set[int]:
    return {state.spi for state in node.xfrm_state() if state.spi and state.proto == "esp"}


def policies(node: Node) -> set[tuple[str, str, str, str, int]]:
    """All of them, bypasses too."""
    return {(p.src + p.selector, p.dst, p.direction, p.action, p.priority) for p in node.xfrm_policy()}


def carries(topology: Topology) -> bool:
    return bool(topology.host_a.ping(topology.host_b.address))


def out(node: Node) -> list[str]:
    """What `ip xfrm policy` needs to name the policy that leads into the tunnel."""
    found = next(p for p in node.xfrm_policy() if p.direction == "out" and p.templates)
    return ["src", found.src, "dst", found.dst, "dir", "out"]


def template(node: Node) -> list[str]:
    (found,) = next(p for p in node.xfrm_policy() if p.direction == "out" and p.templates).templates
    return f"tmpl src {found.src} dst {found.dst} proto esp reqid {found.reqid} mode tunnel".split()


def hands(node: Node) -> dict[str, list[str]]:
    """What somebody does to policies, under our reqid or none's."""
    return {
        "flushed": ["xfrm", "policy", "flush"],
        "removed": ["xfrm", "policy", "delete", *out(node)],
        "changed": ["xfrm", "policy", "update", *out(node), "priority", "1", *template(node), *template(node)],
    }


@pytest.mark.parametrize("hand", ["flushed", "removed", "changed"])
def test_policies_are_put_back_and_the_tunnel_is_the_same(topology: Topology, ikevd: Ikevd, hand: str) -> None:
    before, tunnel = policies(ikevd.node), spis(ikevd.node)
    ikevd.node.ip(*hands(ikevd.node)[hand])
    eventually(lambda: policies(ikevd.node), lambda seen: seen == before)
    assert spis(ikevd.node) == tunnel
    assert carries(topology)


@pytest.mark.parametrize("what", ["all", "inbound", "outbound"])
def test_sas_that_are_gone_make_way_for_new_ones_at_both_ends(
    topology: Topology, ikevd: Ikevd, charon_b: StrongSwan, what: str
) -> None:
    node, before = ikevd.node, spis(ikevd.node)
    if what == "all":
        node.ip("xfrm", "state", "flush")
    else:
        ends = (node.address,) if what == "inbound" else (topology.gw_b.address,)
        (gone,) = [state for state in node.xfrm_state() if state.dst in ends and state.proto == "esp"]
        node.ip("xfrm", "state", "delete", "src", gone.src, "dst", gone.dst, "proto", "esp", "spi", hex(gone.spi))
    eventually(lambda: spis(node), lambda seen: len(seen) == 2 and seen.isdisjoint(before))
    eventually(lambda: spis(topology.gw_b), lambda seen: seen == spis(node))
    assert carries(topology)


def test_another_owners_policy_stands_and_the_status_names_the_cure(topology: Topology, ikevd: Ikevd) -> None:
    node, name = ikevd.node, out(ikevd.node)
    node.ip("xfrm", "policy", "update", *name, "action", "block")
    _, cause = eventually(lambda: child(ikevd), lambda seen: seen[0] == "down")
    assert "another owner's stands there" in cause
    assert f"ip xfrm policy delete {' '.join(name)}" in cause
    node.ip("xfrm", "policy", "delete", *name)
    eventually(lambda: child(ikevd), lambda seen: seen == ("up", ""))
    assert carries(topology)


def test_events_that_were_lost_hide_nothing(topology: Topology, ikevd: Ikevd) -> None:
    """The daemon sleeps while more happens than its buffer takes."""
    node, before, tunnel = ikevd.node, policies(ikevd.node), spis(ikevd.node)
    other = "src 10.99.0.0/24 dst 10.98.0.0/24 dir fwd"
    lines = f"xfrm policy add {other}\nxfrm policy delete {other}\n" * (FLOOD // 2)
    ikevd.process.send_signal(signal.SIGSTOP)
    try:
        flood = ikevd.directory / "flood"
        flood.write_text(lines)
        node.ip("-batch", str(flood))
        node.ip("xfrm", "policy", "flush")
        node.ip("xfrm", "state", "flush")
    finally:
        ikevd.process.send_signal(signal.SIGCONT)
    eventually(lambda: policies(node), lambda seen: seen == before)
    eventually(lambda: spis(node), lambda seen: len(seen) == 2 and seen.isdisjoint(tunnel))
    eventually(lambda: carries(topology))
