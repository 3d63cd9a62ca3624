"""ikevd as a process where NATs stand on the way: beside other daemons, and for longer than one exchange.

That each role and exchange works behind a NAT on either side is shown by test_matrix.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.interop.beginner import EITHER, Beginner, bring_up
from tests.interop.daemon import Ikevd
from tests.interop.libreswan import Libreswan
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import NAT_PORTS, Topology

SECRETS = {"a": "the secret of client a", "c": "the secret of client c"}


@pytest.fixture(scope="module")
def net() -> Iterator[Topology]:
    with Topology(nat="a", neighbour=True) as net:
        yield net


def client(net: Topology, gateway: Node, letter: str) -> Site:
    """A tunnel as one of the two clients behind the NAT sees it."""
    return Site(gateway, net.gw_b, secret=SECRETS[letter], local_id=f"{letter}.example", remote_id="gw-b.example")


def concentrator(sites: dict[str, Site]) -> str:
    """ikevd.yaml of gateway B for both clients, whom it knows by their identities alone."""
    texts = []
    for letter, site in sites.items():
        text = site.mirrored().ikevd().replace("  peer:\n", f"  {letter}:\n").replace("lan:", f"lan-{letter}:")
        texts.append(text.removeprefix("connections:\n"))
    return "connections:\n" + "".join(texts)


@pytest.mark.parametrize("aggressive", [False, True], ids=["main", "aggressive"])
def test_two_clients_behind_one_nat_at_once(net: Topology, aggressive: bool) -> None:
    """strongSwan and libreswan, behind one address, each with a secret and a tunnel of its own."""
    sites = {
        letter: replace(client(net, gateway, letter), aggressive=aggressive)
        for letter, gateway in (("a", net.gw_a), ("c", net.gw_c))
    }
    before = net.wire.seen()
    with (
        Ikevd(net.gw_b, concentrator(sites)) as ikevd,
        StrongSwan(net.gw_a) as strongswan,
        Libreswan(net.gw_c, SECRETS["c"]) as libreswan,
    ):
        strongswan.configure(sites["a"])
        libreswan.configure(sites["c"])
        strongswan.bring_up()
        libreswan.bring_up()
        for host in (net.host_a, net.host_c, net.host_a):
            assert host.ping(net.host_b.address, 3) == 3
        seen = net.wire.seen() - before
        assert (seen.esp, seen.udp_esp, seen.clear) == (0, 18, 0)
        outward = [state.encap for state in net.gw_b.xfrm_state() if state.dst == net.nat_a.address]
        ports = {encap[1] for encap in outward if encap}
        assert len(ports) == 2
        assert ports <= set(NAT_PORTS)
        states = {c["name"]: c["children"][0]["state"] for c in ikevd.status()["connections"]}
        assert states == {"a": "up", "c": "up"}
        strongswan.forget()
        libreswan.forget()


@pytest.mark.parametrize("aggressive", [False, True], ids=["main", "aggressive"])
def test_strongswan_speaks_a_draft_where_nothing_else_is_offered(net: Topology, aggressive: bool) -> None:
    """Draft 02 or 03: NAT-D as payload 130, encapsulation mode 61443."""
    site = replace(client(net, net.gw_a, "a"), aggressive=aggressive, options=("nat_method: drafts",))
    with StrongSwan(net.gw_b) as strongswan, Ikevd(net.gw_a, site.ikevd()) as ikevd:
        strongswan.configure(replace(site, options=()).mirrored())
        ikevd.up("lan")
        assert net.host_a.ping(net.host_b.address, 3) == 3
        (isakmp,) = ikevd.status()["connections"][0]["isakmp"]
        assert isakmp["nat"]["method"].startswith("draft-0")
        strongswan.forget()


def test_strongswan_is_answered_in_a_draft_where_nothing_else_is_allowed(net: Topology) -> None:
    site = client(net, net.gw_a, "a")
    ours = replace(site.mirrored(), options=("nat_method: drafts",))
    with StrongSwan(net.gw_a) as strongswan, Ikevd(net.gw_b, ours.ikevd()) as ikevd:
        strongswan.configure(site)
        strongswan.bring_up()
        assert net.host_a.ping(net.host_b.address, 3) == 3
        (isakmp,) = ikevd.status()["connections"][0]["isakmp"]
        assert isakmp["nat"]["method"].startswith("draft-0")
        strongswan.forget()


def test_a_client_behind_a_nat_keeps_its_mapping_alive(net: Topology) -> None:
    site = replace(client(net, net.gw_a, "a"), options=("nat_keepalive: 1s",))
    with StrongSwan(net.gw_b) as charon, Ikevd(net.gw_a, site.ikevd()) as ikevd:
        charon.configure(site.mirrored())
        ikevd.up("lan")
        before = net.wire.seen().keepalive
        net.wire.wait_for("keepalive", before + 3)
        assert net.host_a.ping(net.host_b.address, 3) == 3
        assert ikevd.command("down", "peer").exit_code == 0
        charon.wait_for_children(0)


@pytest.fixture(scope="module")
def between() -> Iterator[Topology]:
    """Two gateways, each behind a NAT of its own, which forwards ports 500 and 4500 to it."""
    with Topology(nat="ab") as net:
        yield net


@EITHER
def test_both_sides_are_behind_a_nat_of_their_own(between: Topology, beginner: Beginner) -> None:
    """Whoever is called is so behind a NAT that forwards ports."""
    site = Site(between.gw_a, between.gw_b, secret=SECRETS["a"], local_id="a.example", remote_id="gw-b.example")
    with StrongSwan(between.gw_b) as strongswan, Ikevd(between.gw_a, site.ikevd()) as ikevd:
        strongswan.configure(site.mirrored())
        bring_up(beginner, ikevd, strongswan)
        before = between.wire.seen()
        assert between.host_a.ping(between.host_b.address, 3) == 3
        assert between.host_b.ping(between.host_a.address, 3) == 3
        seen = between.wire.seen() - before
        assert (seen.esp, seen.udp_esp, seen.clear) == (0, 12, 0)
        (isakmp,) = ikevd.status()["connections"][0]["isakmp"]
        assert (isakmp["nat"]["local"], isakmp["nat"]["remote"]) == (True, True)
        strongswan.forget()


@pytest.fixture(scope="module")
def twice() -> Iterator[Topology]:
    """Gateway A behind a NAT that is itself behind the NAT of its provider."""
    with Topology(nat="a", carrier=True) as net:
        yield net


@EITHER
@pytest.mark.parametrize("client", ["ikevd", "strongSwan"])
def test_a_tunnel_outlives_new_mappings_in_both_nats_that_its_client_is_behind(
    twice: Topology, client: Beginner, beginner: Beginner
) -> None:
    twice.forget_mappings()  # those of the test before: a flow that clashes with one shows the server by another port
    ours, theirs = (twice.gw_a, twice.gw_b) if client == "ikevd" else (twice.gw_b, twice.gw_a)
    site = Site(ours, theirs, secret=SECRETS["a"], local_id="ours.example", remote_id="theirs.example")
    with StrongSwan(theirs) as strongswan, Ikevd(ours, site.ikevd()) as ikevd:
        strongswan.configure(site.mirrored())
        bring_up(beginner, ikevd, strongswan)
        before = twice.wire.seen()
        assert twice.host_a.ping(twice.host_b.address, 3) == 3
        assert twice.host_b.ping(twice.host_a.address, 3) == 3
        seen = twice.wire.seen() - before
        assert (seen.esp, seen.udp_esp, seen.clear) == (0, 12, 0)
        twice.forget_mappings()
        assert twice.host_a.ping(twice.host_b.address, 20, interval=0.1) >= 17, "the first packets show the new port"
        assert twice.host_b.ping(twice.host_a.address, 3) == 3
        strongswan.forget()


@pytest.mark.parametrize(
    ("ours", "theirs", "answers"),
    [
        pytest.param((), "encap = no", 0, id="nobody"),
        pytest.param(("encap: force",), "encap = no", 3, id="we"),
        pytest.param((), "encap = yes", 3, id="the-peer"),
    ],
)
def test_where_esp_is_blocked_somebody_must_force_encapsulation(
    topology: Topology, charon_b: StrongSwan, ours: tuple[str, ...], theirs: str, answers: int
) -> None:
    site = Site(topology.gw_a, topology.gw_b, options=ours)
    charon_b.load(site.mirrored().swanctl().replace("version = 1", f"version = 1\n{theirs}"))
    topology.block_esp(True)
    try:
        with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
            ikevd.up("lan")
            charon_b.wait_for_children(1)
            assert topology.host_a.ping(topology.host_b.address, 3, wait=2) == answers
    finally:
        topology.block_esp(False)
