"""Updown programs that are really run, with strongSwan as the peer in either role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

EXAMPLES = Path(__file__).resolve().parents[2] / "config" / "hooks"
SPIES = """#!/bin/sh
env | grep '^PLUTO_' | sort > {folder}/$PLUTO_VERB
echo "$PLUTO_VERB" >> {folder}/verbs
{then}
"""
"""A program that writes down what it is told."""
OTHER_HERE = {"PLUTO_UNIQUEID", "PLUTO_REQID", "PLUTO_CONNECTION", "PLUTO_INTERFACE"}
"""Numbers and names that each end gives by itself."""


def program(folder: Path, then: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "updown"
    path.write_text(SPIES.format(folder=folder, then=then))
    path.chmod(0o755)
    return path


def verbs(folder: Path) -> list[str]:
    path = folder / "verbs"
    return path.read_text().split() if path.exists() else []


def told(folder: Path, verb: str) -> dict[str, str]:
    lines = (folder / verb).read_text().splitlines()
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


@pytest.fixture
def site(topology: Topology) -> Site:
    return Site(topology.gw_a, topology.gw_b)


@pytest.fixture
def routed(site: Site, charon_b: StrongSwan, tmp_path: Path) -> Iterator[Ikevd]:
    """ikevd with the example of a route, and a peer that has its half."""
    charon_b.load(site.mirrored().swanctl())
    path = program(tmp_path, f'exec {EXAMPLES}/updown-route "$@"')
    options = (f"updown: [{path}, 10.1.0.1]", "hook_capabilities: [net_admin]")
    text = Site(site.here, site.there, options=options).ikevd()
    with Ikevd(site.here, text, store=True) as ikevd:
        yield ikevd


@pytest.mark.parametrize("role", ["initiator", "responder"])
def test_a_route_follows_the_tunnel_and_a_kill_runs_nothing_twice(
    topology: Topology, routed: Ikevd, charon_b: StrongSwan, tmp_path: Path, role: str
) -> None:
    if role == "initiator":
        routed.up("lan")
    else:
        charon_b.initiate("lan")
    eventually(lambda: "10.2.0.0/24 dev wan proto 201" in topology.gw_a.ip("route"))
    topology.wire.seen()
    assert topology.gw_a.ping(topology.host_b.address, 3) == 3, "the gateway's own packets take the tunnel"
    assert topology.wire.seen().clear == 0
    routed.kill()
    routed.start()
    assert topology.gw_a.ping(topology.host_b.address, 3) == 3
    charon_b.terminate("lan")
    eventually(lambda: "10.2.0.0/24" not in topology.gw_a.ip("route"))
    eventually(lambda: verbs(tmp_path) == ["up-client", "down-client"])


def test_a_program_of_strongswan_is_told_the_same_by_both_ends(
    site: Site, charon_b: StrongSwan, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    mirrored = site.mirrored().swanctl().replace("local_ts", f"updown = {program(there)}\n local_ts", 1)
    charon_b.load(mirrored)
    text = Site(site.here, site.there, options=(f"updown: {program(here)}",)).ikevd()
    with Ikevd(site.here, text) as ikevd:
        ikevd.up("lan")
        eventually(lambda: verbs(here) == verbs(there) == ["up-client"])
        ours, theirs = told(here, "up-client"), told(there, "up-client")
        assert ours.keys() == theirs.keys()
        turned = {name.replace("_MY_", "_X_").replace("_PEER_", "_MY_").replace("_X_", "_PEER_"): name for name in ours}
        turned |= {"PLUTO_ME": "PLUTO_PEER", "PLUTO_PEER": "PLUTO_ME"}
        alike = ours.keys() - OTHER_HERE
        assert {name: ours[name] for name in alike} == {name: theirs[turned[name]] for name in alike}
        assert (ours["PLUTO_INTERFACE"], ours["PLUTO_CONNECTION"]) == ("wan", "lan")
        ikevd.command("down", "lan")
        eventually(lambda: verbs(here) == verbs(there) == ["up-client", "down-client"])
        assert told(here, "down-client") == ours | {"PLUTO_VERB": "down-client"}


def test_a_program_that_fails_harms_no_tunnel(
    topology: Topology, site: Site, charon_b: StrongSwan, tmp_path: Path
) -> None:
    charon_b.load(site.mirrored().swanctl())
    path = program(tmp_path, "echo 'no route for you' >&2; exit 3")
    with Ikevd(site.here, Site(site.here, site.there, options=(f"updown: {path}",)).ikevd()) as ikevd:
        ikevd.up("lan")
        sentence = f"the updown program {path} ended with exit code 3 when lan came up; it said last: no route for you"
        eventually(lambda: sentence in ikevd.log)
        (shown,) = ikevd.client.status()["connections"][0]["children"]
        assert (shown["state"], shown["updown"]["failure"]) == ("up", sentence)
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
