"""`ikevd reload` in the real kernel: who has not changed loses no packet, and `ip xfrm monitor` shows nothing of it."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ikevd.cli.show import NOT_UP
from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.flood_ping import FloodPing
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology
from tests.output import written
from tests.plugins.secrets import MARK

AWAY = ("away", "10.1.7.0/24", "10.2.7.0/24")
FAR = ("far", "10.1.8.0/24", "10.2.8.0/24")

UNTIL_GONE = [
    pytest.param(False, id="at once"),
    pytest.param(True, id="until the former pair is gone", marks=pytest.mark.soak),
]
"""It goes half a minute after the new one stands."""


class Monitor:
    """`ip xfrm monitor` in a namespace: what it has shown so far."""

    def __init__(self, node: Node) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)
        self._process = subprocess.Popen(
            node.command("ip", "xfrm", "monitor", "SA", "policy", "expire"), stdout=self._output
        )

    def listens(self) -> bool:
        """Has the kernel a socket of it (protocol 6: NETLINK_XFRM) with groups?"""
        rows = Path(f"/proc/{self._process.pid}/net/netlink").read_text().splitlines()[1:]
        return any(
            (row[1], row[2]) == ("6", str(self._process.pid)) and int(row[3], 16) for row in map(str.split, rows)
        )

    @property
    def text(self) -> str:
        """All of it."""
        return written(self._output).decode()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._output.close()


@contextmanager
def monitored(node: Node) -> Iterator[Monitor]:
    monitor = Monitor(node)
    try:
        eventually(monitor.listens)
        yield monitor
    finally:
        monitor.close()


def sites(topology: Topology) -> tuple[Site, Site]:
    """Two connections to one strongSwan, told apart by their identities; the pings cross the first one."""
    stands = Site(topology.gw_a, topology.gw_b)
    other = replace(stands, children=(AWAY, FAR), local_id="a.example", remote_id="b.example")
    return stands, other


def file_of(stands: Site, other: Site) -> str:
    _, second = other.ikevd().replace("  peer:\n", "  other:\n", 1).split("\n", 1)
    return stands.ikevd() + second


def load(charon: StrongSwan, stands: Site, other: Site) -> None:
    first, second = (site.mirrored(options=()).swanctl() for site in (stands, other))
    charon.load(first + second.replace("peer {", "other {", 1).replace("ike-1", "ike-2"))


def rewrite(ikevd: Ikevd, text: str) -> None:
    file = ikevd.directory / "ikevd.yaml"
    file.write_text(text + ikevd._settings())


def test_with_one_connection_changed_the_others_lose_nothing_and_the_monitor_shows_nothing_of_them(
    topology: Topology, charon_b: StrongSwan
) -> None:
    stands, other = sites(topology)
    load(charon_b, stands, other)
    with Ikevd(topology.gw_a, file_of(stands, other)) as ikevd:
        for name in ("peer", "other"):
            ikevd.up(name)
        reqid = reqid_of(topology.gw_a, stands)
        standing = {f"0x{sa.spi:08x}" for sa in topology.gw_a.xfrm_state() if sa.reqid == reqid}
        assert len(standing) == 2
        changed = replace(other, children=(("away", "10.1.9.0/24", "10.2.9.0/24"), FAR))
        load(charon_b, stands, changed)
        with FloodPing(topology.host_a, topology.host_b.address) as ping, monitored(topology.gw_a) as monitor:
            rewrite(ikevd, file_of(stands, changed))
            done = ikevd.command("reload")
            assert done.exit_code == 0, done.stderr
            assert "1 connection unchanged" in done.stdout
            assert "changed: other/away: local, remote" in done.stdout
            eventually(lambda: "10.1.9.0/24" in monitor.text)
            eventually(lambda: {child["state"] for child in children(ikevd)} == {"up"})
            assert ping.lost() == 0
            text = monitor.text
        assert not [spi for spi in standing if spi in text]
        assert f"reqid {reqid}" not in text
        assert not re.search(r"10\.1\.0\.0/24", text)
        charon_b.wait_for_children(3)
        assert len(topology.gw_a.xfrm_state()) == 6


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_of_a_thousand_connections_the_monitor_shows_the_one_that_has_changed(
    topology: Topology, charon_b: StrongSwan
) -> None:
    stands = Site(topology.gw_a, topology.gw_b)
    charon_b.load(stands.mirrored(options=()).swanctl())
    with Ikevd(topology.gw_a, stands.ikevd() + passive(999)) as ikevd:
        ikevd.up("lan")
        assert len(blocked(topology.gw_a)) == 999
        with FloodPing(topology.host_a, topology.host_b.address) as ping, monitored(topology.gw_a) as monitor:
            rewrite(ikevd, stands.ikevd() + passive(999).replace("10.102.7.0/24", "10.200.7.0/24"))
            begun = time.monotonic()
            done = ikevd.command("reload")
            print(f"reload of 1,000 connections: {time.monotonic() - begun:.1f} s with the command itself")
            assert (done.exit_code, "999 connections unchanged" in done.stdout) == (0, True), done.stdout + done.stderr
            eventually(lambda: "10.200.7.0/24" in monitor.text)
            eventually(lambda: "10.102.7.0/24" not in blocked(topology.gw_a))
            assert ping.lost() == 0
            shown = set(re.findall(r"10\.(?!1\.)\d+\.\d+\.0/24", monitor.text))
        assert shown == {"10.102.7.0/24", "10.200.7.0/24"}


def passive(count: int) -> str:
    """So many connections whose peers never call."""
    return "".join(
        f"  p{n}: {{remote: 100.64.{n // 250}.{n % 250 + 1}, psk: {MARK}-{n}, children: "
        f"{{c: {{local: 10.1.0.0/24, remote: 10.{100 + n // 250}.{n % 250}.0/24, start: passive}}}}}}\n"
        for n in range(count)
    )


def blocked(node: Node) -> set[str]:
    """Networks to which nothing leaves."""
    out = (policy for policy in node.xfrm_policy() if (policy.direction, policy.action) == ("out", "block"))
    return {policy.dst for policy in out if policy.src == node.net}


@pytest.mark.parametrize("until_gone", UNTIL_GONE)
def test_another_key_is_negotiated_anew_while_the_tunnel_carries_on(
    topology: Topology, charon_b: StrongSwan, until_gone: bool
) -> None:
    """Both gateways get it, ikevd first: until strongSwan knows of it phase 1 fails, and is tried again."""
    before = Site(topology.gw_a, topology.gw_b)
    after = replace(before, secret=f"another {MARK} of the gateways")
    charon_b.load(before.mirrored(options=()).swanctl())
    with Ikevd(topology.gw_a, before.ikevd()) as ikevd:
        ikevd.up("lan")
        first = spis(topology.gw_a)
        with FloodPing(topology.host_a, topology.host_b.address) as ping:
            rewrite(ikevd, after.ikevd())
            done = ikevd.command("reload")
            assert (done.exit_code, "changed: peer: psk" in done.stdout) == (0, True), done.stdout + done.stderr
            eventually(lambda: "probable" in ikevd.log or "no answer" in ikevd.log or "failed" in ikevd.log)
            charon_b.load(after.mirrored(options=()).swanctl())
            takes_over(topology.gw_a, first, until_gone)
            assert ping.lost() == 0
        if until_gone:
            eventually(lambda: len(topology.gw_a.xfrm_state()) == 2)
            charon_b.wait_for_children(1)


@pytest.mark.parametrize("until_gone", UNTIL_GONE)
@pytest.mark.parametrize("name", ["lan", "peer"], ids=["child", "connection"])
def test_rekey_by_command_loses_nothing(topology: Topology, charon_b: StrongSwan, name: str, until_gone: bool) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored(options=()).swanctl())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        ikevd.up("lan")
        first = spis(topology.gw_a)
        cookies = {isakmp["cookies"] for isakmp in isakmp_sas(ikevd)}
        with FloodPing(topology.host_a, topology.host_b.address) as ping:
            done = ikevd.command("rekey", name)
            assert done.exit_code == 0, done.stdout + done.stderr
            takes_over(topology.gw_a, first, until_gone)
            assert ping.lost() == 0
        now = {isakmp["cookies"] for isakmp in isakmp_sas(ikevd)}
        assert (now == cookies) is (name == "lan")
        if until_gone:
            charon_b.wait_for_children(1)


def test_a_reset_begins_anew_and_ikevd_status_tells_monitoring(topology: Topology, charon_b: StrongSwan) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored(options=()).swanctl())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        assert ikevd.command("status", "peer").exit_code == NOT_UP
        ikevd.up("lan")
        assert ikevd.command("status", "peer").exit_code == 0
        first = spis(topology.gw_a)
        done = ikevd.command("reset", "peer")
        assert done.exit_code == 0, done.stdout + done.stderr
        assert not first & spis(topology.gw_a)
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        charon_b.wait_for_children(1)
        eventually(lambda: len(charon_b.list_sas()) == 1)


def spis(node: Node) -> set[int]:
    return {sa.spi for sa in node.xfrm_state()}


def takes_over(node: Node, first: set[int], until_gone: bool) -> None:
    """A pair stands after the first one, or in place of it."""
    if until_gone:
        eventually(lambda: not first & spis(node))
    else:
        eventually(lambda: len(spis(node) - first) == 2)


def reqid_of(node: Node, site: Site) -> int:
    (_, ours, _) = site.nets[0]
    out = [policy for policy in node.xfrm_policy() if policy.src == ours and policy.direction == "out"]
    (reqid,) = {policy.templates[0].reqid for policy in out if policy.templates}
    return reqid


def isakmp_sas(ikevd: Ikevd) -> list[dict[str, str]]:
    return [isakmp for connection in ikevd.status()["connections"] for isakmp in connection["isakmp"]]


def children(ikevd: Ikevd) -> list[dict[str, str]]:
    return [child for connection in ikevd.status()["connections"] for child in connection["children"]]
