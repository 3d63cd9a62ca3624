"""The pairs of `config/examples` that can run here, word for word, with traffic across."""

from __future__ import annotations

from pathlib import Path

from tests.interop.crossing import packets_cross
from tests.interop.daemon import Ikevd
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology
from tests.plugins.secrets import MARK

EXAMPLES = Path(__file__).resolve().parents[2] / "config" / "examples"
KEY = f"{MARK}.Gpu9dJwJ5qVh3yzbRkTe"


def ours(name: str) -> str:
    return (EXAMPLES / name).read_text()


def theirs(name: str) -> str:
    text = (EXAMPLES / name).read_text()
    assert text.count("PRE-SHARED-KEY") == 1
    return text.replace("PRE-SHARED-KEY", KEY)


def test_site_to_site_with_strongswan(topology: Topology, charon_b: StrongSwan) -> None:
    charon_b.load(theirs("strongswan/swanctl.conf"))
    with Ikevd(topology.gw_a, ours("strongswan/ikevd.yaml"), files={"berlin.psk": KEY}) as ikevd:
        ikevd.up("lan")
        packets_cross(topology)


def test_a_host_on_the_road_and_a_gateway() -> None:
    keys = {"laptop.psk": KEY, "tablet.psk": f"{KEY}2"}
    with Topology() as net:
        net.gw_a.ip("address", "add", "10.9.0.7/32", "dev", "lo")
        with (
            Ikevd(net.gw_b, ours("remote-access/gateway.yaml"), files=keys),
            Ikevd(net.gw_a, ours("remote-access/host.yaml"), files=keys) as host,
        ):
            host.up("office")
            assert net.gw_a.ping(net.host_b.address, 3, source="10.9.0.7") == 3
            seen = net.wire.seen()
            assert (seen.esp, seen.udp_esp, seen.clear) == (6, 0, 0)


def test_a_branch_behind_nat_and_strongswan() -> None:
    with Topology(nat="a") as net, StrongSwan(net.gw_b) as charon:
        charon.load(theirs("behind-nat/swanctl.conf"))
        with Ikevd(net.gw_a, ours("behind-nat/ikevd.yaml"), files={"branch.psk": KEY}) as ikevd:
            ikevd.up("lan")
            assert net.host_a.ping(net.host_b.address, 3) == 3
            seen = net.wire.seen()
            assert (seen.esp, seen.udp_esp, seen.clear) == (0, 6, 0)
