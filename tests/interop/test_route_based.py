"""Route-based ikevd against strongSwan: whatever is routed to the interface crosses, and nothing else. VTI in User Mode
Linux; XFRM interfaces in the second guest."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ikevd.host.links import GROUP, ROUTE_PROTOCOL
from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

NUMBER, THEIRS = 42, 77
ALL4, ALL6 = "0.0.0.0/0", "::/0"
CHILDREN = ("all4", "all6")
PINGS, INTERVAL = 150, 0.1
UP = {"10.2.0.0/24 dev tun0", "fd00:2::/64 dev tun0", "unreachable 10.2.0.0/24", "unreachable fd00:2::/64"}
DOWN = {"unreachable 10.2.0.0/24", "unreachable fd00:2::/64"}


def site_of(topology: Topology, kind: str, *, start: str = "manual") -> Site:
    """Gateway A has an interface, over which the networks of B are routed."""
    keys = f"name: tun0, kind: {kind}, if_id: {NUMBER}, addresses: [169.254.7.1/30, 'fd00:7::1/64']"
    keys += f", routes: [{topology.gw_b.net}, '{topology.gw_b.net6}']"
    return Site(
        topology.gw_a,
        topology.gw_b,
        ike="aes128-sha256-curve25519",
        children=(("all4", ALL4, ALL4), ("all6", ALL6, ALL6)),
        retransmit="{interval: 1s, factor: 1.8, sends: 6}",
        options=(f"interface: {{{keys}}}",),
        start=start,
    )


# -- peers -------------------------------------------------------------------------------------------------------------


def policy_based(site: Site, _: str) -> str:
    """All to all, but what is for its own network, to which it has to forward, and to find its neighbours there."""
    own = ((ALL4, site.there.net), (ALL6, site.there.net6), (ALL6, "ff02::/16"), (ALL6, "fe80::/10"))
    outside = "".join(
        f"own{number} {{\n local_ts = {every}\n remote_ts = {net}\n mode = pass\n start_action = trap\n}}\n"
        for number, (every, net) in enumerate(own)
    )
    return site.mirrored().swanctl().replace("children { ", f"children {{ {outside}")


def with_an_interface_of_its_own(site: Site, kind: str) -> str:
    """Made by hand, as a static VTI is."""
    node, other = site.there, site.here
    if kind == "xfrm":
        make, bound = f"type xfrm if_id {THEIRS}", f"if_id_in = {THEIRS}\n if_id_out = {THEIRS}\n"
    else:
        make = f"type vti local {node.address} remote {other.address} key {THEIRS}"
        bound = f"mark_in = {THEIRS}\n mark_out = {THEIRS}\n"
    ways = (f"route add {net} dev theirs" for net in (other.net, other.net6))
    for line in (f"link add theirs {make}", "link set theirs up", *ways):
        node.ip(*line.split())
    return site.mirrored().swanctl().replace("esp_proposals = ", f"{bound}esp_proposals = ")


Peer = Callable[[Site, str], str]


@dataclass(frozen=True)
class Routed:
    """Both ends, all children down."""

    topology: Topology
    kind: str
    site: Site
    ikevd: Ikevd
    charon: StrongSwan

    def down(self) -> None:
        for child in CHILDREN:
            assert self.ikevd.command("down", child).exit_code == 0
        self.charon.wait_for_children(0)
        eventually(self.routes, lambda found: found == DOWN)

    def routes(self) -> set[str]:
        """The ways to the networks of B: our routes alone."""
        wanted = re.compile(r"((?:unreachable )?(?:10\.2\.0\.0/24|fd00:2::/64)(?: dev tun0)?)")
        return {found[1].strip() for line in ours(self.site.here) if (found := wanted.match(line))}

    def is_up(self) -> bool:
        return "UP" in links(self.site.here)["tun0"]

    def crosses(self) -> None:
        """Packets of both families, begun on either side, as ESP alone."""
        eventually(self.routes, lambda found: found == UP)
        host_a, host_b, before = self.topology.host_a, self.topology.host_b, self.topology.wire.seen()
        assert host_a.ping(host_b.address, 3) == 3
        assert host_a.ping(host_b.address6, 3) == 3
        assert host_b.ping(host_a.address, 3) == 3
        seen = self.topology.wire.seen() - before
        assert (seen.esp, seen.clear) == (18, 0)

    def start_pings(self) -> subprocess.Popen[str]:
        words = ("ping", "-n", "-q", "-c", str(PINGS), "-i", str(INTERVAL), "-W", "10", self.topology.host_b.address)
        return subprocess.Popen(self.topology.host_a.command(*words), stdout=subprocess.PIPE, text=True)


def links(node: Node) -> dict[str, str]:
    """Of each interface its flags."""
    return {link["ifname"]: " ".join(link["flags"]) for link in json.loads(node.ip("-j", "link"))}


def ours(node: Node) -> tuple[str, ...]:
    """Interfaces and routes with our marks."""
    shown = ("route", "show", "table", "all", "proto", str(ROUTE_PROTOCOL))
    found = [
        node.ip("-d", "link", "show", "group", str(GROUP)),
        *(node.ip(version, *shown) for version in ("-4", "-6")),
    ]
    return tuple(line for text in found for line in text.splitlines())


@pytest.fixture(scope="module")
def routing_charon(topology: Topology) -> Iterator[StrongSwan]:
    """strongSwan on gateway B, which sets no routes."""
    with StrongSwan(topology.gw_b, settings="install_routes = no") as charon:
        yield charon


@dataclass(frozen=True)
class Setting:
    """Of the ikevd that runs, and of its peer. One after the other: the tests of each stand together."""

    kind: str
    peer: Peer = with_an_interface_of_its_own
    start: str = "manual"

    def __str__(self) -> str:
        return f"{self.kind}-{self.peer.__name__}-{self.start}"


def of_each_kind(**more: Any) -> pytest.MarkDecorator:
    """What a test needs, with a VTI and with an XFRM interface."""
    settings = [Setting("vti", **more), pytest.param(Setting("xfrm", **more), marks=pytest.mark.xfrm_interface)]
    return pytest.mark.parametrize("routed", settings, indirect=True, ids=str)


@pytest.fixture(scope="module")
def routed(topology: Topology, routing_charon: StrongSwan, request: pytest.FixtureRequest) -> Iterator[Routed]:
    """Nothing of it is left at the end."""
    setting, charon = request.param, routing_charon
    site = site_of(topology, setting.kind, start=setting.start)
    charon.load(setting.peer(site, setting.kind))
    with Ikevd(topology.gw_a, site.ikevd(), store=True) as ikevd:
        yield Routed(topology, setting.kind, site, ikevd, charon)
    left = ours(topology.gw_a), [state for state in topology.gw_a.xfrm_state() if state.spi]  # 0: a packet asked
    charon.reset()
    if "theirs" in links(topology.gw_b):
        topology.gw_b.ip("link", "delete", "theirs")
    assert left == ((), []), "left behind"


@pytest.fixture
def tunnel(routed: Routed) -> Iterator[Routed]:
    """Up."""
    for child in CHILDREN:
        routed.ikevd.up(child)
    eventually(routed.routes, lambda found: found == UP)
    yield routed
    routed.down()


# -- tests -------------------------------------------------------------------------------------------------------------


@of_each_kind(peer=policy_based)
@pytest.mark.parametrize("begins", ["ikevd", "strongSwan"])
def test_what_is_routed_crosses_to_a_peer_that_is_policy_based(routed: Routed, begins: str) -> None:
    for child in CHILDREN:
        if begins == "ikevd":
            routed.ikevd.up(child)
        else:
            routed.charon.initiate(child)
    routed.crosses()
    assert len(routed.site.here.xfrm_state()) == 4
    routed.down()


@of_each_kind()
def test_what_is_routed_crosses_to_an_interface_of_the_peer(tunnel: Routed) -> None:
    tunnel.crosses()


@of_each_kind()
def test_it_crosses_too_where_the_peer_begins(routed: Routed) -> None:
    for child in CHILDREN:
        routed.charon.initiate(child)
    routed.crosses()
    routed.down()


@of_each_kind()
def test_what_is_not_routed_to_it_is_in_the_clear_though_its_networks_cover_it(tunnel: Routed) -> None:
    before = tunnel.topology.wire.seen()
    assert tunnel.site.here.ping(tunnel.site.there.address, 3) == 3
    assert (tunnel.topology.wire.seen() - before).esp == 0


@of_each_kind()
def test_while_it_is_down_nothing_is_blocked_but_what_is_routed_to_it(routed: Routed) -> None:
    assert not routed.is_up()
    before = routed.topology.wire.clear_from(routed.site.here.net)
    assert routed.topology.host_a.ping(routed.topology.host_b.address, 3, wait=1) == 0
    assert routed.topology.wire.clear_from(routed.site.here.net) == before
    assert routed.site.here.ping(routed.site.there.address, 3) == 3


@of_each_kind()
def test_it_goes_up_and_down_with_the_tunnel(routed: Routed) -> None:
    routed.ikevd.up("all4")
    eventually(routed.routes, lambda found: found == UP)
    assert routed.is_up()
    routed.down()
    assert not routed.is_up()


@of_each_kind()
@pytest.mark.parametrize("how", ["kill -9", "SIGTERM"])
def test_no_packet_is_lost_while_another_process_takes_over(tunnel: Routed, how: str) -> None:
    before = ours(tunnel.site.here)
    pinging = tunnel.start_pings()
    if how == "SIGTERM":
        assert tunnel.ikevd.stop() == 0
    else:
        tunnel.ikevd.kill()
    assert ours(tunnel.site.here) == before
    tunnel.ikevd.start()
    told, _ = pinging.communicate(timeout=120)
    assert f"{PINGS} received" in told
    assert ours(tunnel.site.here) == before
    assert tunnel.ikevd.status()["connections"][0]["interface"]["problem"] is None


@of_each_kind()
def test_an_interface_that_is_removed_by_hand_comes_back(tunnel: Routed) -> None:
    tunnel.site.here.ip("link", "delete", "tun0")
    eventually(tunnel.routes, lambda found: found == UP)
    assert tunnel.topology.host_a.ping(tunnel.topology.host_b.address, 3) == 3
    assert "the interface tun0 is gone: somebody removed it" in tunnel.ikevd.log


@of_each_kind()
def test_after_a_kill_a_file_without_the_connection_leaves_nothing(tunnel: Routed) -> None:
    file = tunnel.ikevd.directory / "ikevd.yaml"
    text = file.read_text()
    file.write_text("connections: {}\n" + "".join(text.partition("\ncontrol:")[1:]))
    tunnel.ikevd.kill()
    tunnel.ikevd.start()
    eventually(lambda: ours(tunnel.site.here), lambda found: found == ())
    eventually(tunnel.site.here.xfrm_state, lambda found: found == [])
    file.write_text(text)
    assert tunnel.ikevd.command("reload").exit_code == 0
    eventually(tunnel.routes, lambda found: found == DOWN)


@pytest.mark.soak
@of_each_kind(start="on-demand")
def test_a_packet_begins_the_tunnel_and_soon_after_it_has_gone_another_one_does(routed: Routed) -> None:
    """Within the thirty seconds for which the kernel remembers that the first one asked."""
    eventually(lambda: "10.2.0.0/24 dev tun0" in routed.routes())
    for _ in range(2):
        begun = time.monotonic()
        told, _ = routed.start_pings().communicate(timeout=60)
        assert " 0 received" not in told
        assert time.monotonic() - begun < 25
        routed.charon.terminate(child="all4")
        eventually(lambda: routed.ikevd.status()["connections"][0]["children"][0]["state"], "waiting".__eq__)


@pytest.mark.parametrize("routed", [Setting("auto", policy_based)], indirect=True, ids=str)
def test_auto_is_the_first_kind_that_the_kernel_has(routed: Routed) -> None:
    make = "ip link add trial type xfrm if_id 9 && ip link delete trial && echo yes"
    has_xfrm = "yes" in routed.site.here.run("sh", "-c", make, check=False)
    assert routed.ikevd.status()["connections"][0]["interface"]["kind"] == ("xfrm" if has_xfrm else "vti")
