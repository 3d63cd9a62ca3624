"""The daemon as a process: what its service manager, its successor, strangers and probers see of it."""

from __future__ import annotations

import random
import re
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from operator import not_
from pathlib import Path

import pytest

from ikevd.control.client import Client
from ikevd.policy.reqids import REQID_FIRST, REQID_LAST
from tests.eventually import PATIENCE, eventually
from tests.interop.crossing import packets_cross
from tests.interop.daemon import IKEVD, Ikevd
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan, StrongSwanError
from tests.interop.topology import Topology
from tests.service.harness import ServiceManager

WITHIN = 5.0
"""Seconds in which the daemon must have ended."""


@pytest.fixture
def site(topology: Topology) -> Site:
    return Site(topology.gw_a, topology.gw_b)


# -- the service manager


@pytest.fixture
def command(site: Site, tmp_path: Path) -> list[str]:
    """`ikevd run`, with all its files in `tmp_path`."""
    file = tmp_path / "ikevd.yaml"
    file.touch(mode=0o600)
    file.write_text(
        f"{site.ikevd()}\ncontrol: {{socket: {tmp_path}/control.sock}}\nruntime_directory: {tmp_path}/run\n"
    )
    return site.here.command(IKEVD, "run", "--config", str(file))


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_the_service_manager_hears_that_it_is_ready_alive_and_stopping(
    site: Site, command: list[str], tmp_path: Path, loop: str
) -> None:
    with ServiceManager(tmp_path / "notify", watchdog=0.4) as manager, (tmp_path / "log").open("wb") as log:
        manager.start([*command, "--loop", loop], stdout=log, stderr=log)
        status = manager.expect("READY=1", within=PATIENCE)["STATUS"]
        sockets = site.here.call(bound_ports)
        version = Client(tmp_path / "control.sock").version()["version"]
        assert version in status
        assert sockets == {("udp", 500), ("udp", 4500), ("udp6", 500), ("udp6", 4500)}

        beats = []
        for _ in range(4):
            manager.expect("WATCHDOG=1", within=PATIENCE)
            beats.append(time.monotonic())
        assert (beats[-1] - beats[0]) / 3 < 0.4
        started = time.monotonic()
        assert manager.stop(WITHIN) == 0
        assert time.monotonic() - started < WITHIN
        manager.expect("STOPPING=1")
        assert not manager.strangers
    assert site.here.call(bound_ports) == set()


@pytest.mark.parametrize("held", ["UDP 0.0.0.0:500", "control.sock"])
def test_a_daemon_that_cannot_start_never_says_ready(site: Site, command: list[str], tmp_path: Path, held: str) -> None:
    if held.startswith("UDP"):
        taken = site.here.call(lambda: udp("0.0.0.0", 500))
    else:
        taken = socket.socket(socket.AF_UNIX)
        taken.bind(str(tmp_path / "control.sock"))
        taken.listen()
    with taken, ServiceManager(tmp_path / "notify") as manager, (tmp_path / "log").open("wb") as log:
        assert manager.start(command, stdout=log, stderr=log).wait(20) == 1
        with pytest.raises(TimeoutError):
            manager.receive(within=0.1)
    assert held in (tmp_path / "log").read_text()


def bound_ports() -> set[tuple[str, int]]:
    """The UDP sockets of the namespace."""
    found = set()
    for family in ("udp", "udp6"):
        for line in Path("/proc/thread-self/net", family).read_text().splitlines()[1:]:
            found.add((family, int(line.split()[1].rpartition(":")[2], 16)))
    return found


def udp(address: str, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((address, port))
    opened.settimeout(PATIENCE)
    return opened


# -- what it leaves behind


@contextmanager
def foreign(node: Node) -> Iterator[None]:
    """Two SAs and two policies of somebody else; of each the second has a reqid of our own range. None is touched."""

    def look() -> tuple[list[str], list[str]]:
        states = [state.text for state in node.xfrm_state() if state.spi in (0x7001, 0x7002)]
        policies = [policy.text for policy in node.xfrm_policy() if policy.src in ("10.77.1.0/24", "10.77.2.0/24")]
        return sorted(re.sub(r"use .*", "", text) for text in states), sorted(policies)

    key = ["auth-trunc", "hmac(sha256)", "0x" + "11" * 32, "128", "enc", "cbc(aes)", "0x" + "22" * 16]
    for number, reqid in ((1, 7), (2, REQID_FIRST + 0x1234)):
        ends = ["src", "192.0.2.1", "dst", "203.0.113.9", "proto", "esp"]
        tail = ["reqid", str(reqid), "mode", "tunnel"]
        node.ip("xfrm", "state", "add", *ends, "spi", f"0x700{number}", *tail, *key)
        selector = ["src", f"10.77.{number}.0/24", "dst", "10.78.0.0/24", "dir", "out"]
        node.ip("xfrm", "policy", "add", *selector, "tmpl", *ends, *tail)
    before = look()
    assert [len(each) for each in before] == [2, 2]
    try:
        yield
        assert look() == before
    finally:
        node.ip("xfrm", "state", "flush")
        node.ip("xfrm", "policy", "flush")


BLOCKED = {("in", "allow"), ("fwd", "allow"), ("out", "block")}
"""The gate of a child that is down: without an SA its in and fwd policies drop everything."""
TUNNEL = {("in", "allow"), ("fwd", "allow"), ("out", "allow")}
"""The gate of a child that is up."""
NOTHING: tuple[int, set[tuple[str, str]]] = (0, set())


def ours(node: Node) -> tuple[int, set[tuple[str, str]]]:
    """How many SAs stand, and what the gate of the child does, without what is `foreign`. A policy too many, or a
    second of one direction, fails."""
    gates = [policy.gate for policy in node.xfrm_policy() if policy.gate and not policy.src.startswith("10.77.")]
    assert len(gates) == len(set(gates))
    return sum(state.spi not in (0x7001, 0x7002) for state in node.xfrm_state()), set(gates)


def nothing_left(node: Node) -> bool:
    """Is all gone that is not `foreign`, also what passes outside of every tunnel?"""
    return ours(node) == NOTHING and all(policy.src.startswith("10.77.") for policy in node.xfrm_policy())


def test_what_a_killed_daemon_left_is_removed_by_a_successor_without_its_store_and_nothing_else(
    topology: Topology, charon_b: StrongSwan, site: Site
) -> None:
    charon_b.load(site.mirrored().swanctl())
    with foreign(site.here), Ikevd(site.here, site.ikevd(), store=True) as ikevd:
        ikevd.up("lan")
        assert all(REQID_FIRST <= s.reqid <= REQID_LAST for s in site.here.xfrm_state() if s.spi > 0x8000)
        ikevd.kill()
        for file in (ikevd.directory / "run").glob("store*"):
            file.unlink()
        assert ours(site.here) == (2, TUNNEL)
        left = sorted(f"{state.spi:08x}" for state in site.here.xfrm_state() if state.spi not in (0x7001, 0x7002))
        ikevd.start()
        assert ours(site.here) == (0, BLOCKED), "the gate of the child, which is configured"
        named = re.findall("removed what an earlier ikevd left and nobody knows: ESP SA ([0-9a-f]{8}) to", ikevd.log)
        assert sorted(named) == left
        ikevd.up("lan")
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        assert ours(site.here) == (2, TUNNEL)


def test_a_clean_exit_removes_its_own_and_nothing_else(charon_b: StrongSwan, site: Site) -> None:
    charon_b.load(site.mirrored().swanctl())
    with foreign(site.here):
        with Ikevd(site.here, site.ikevd()) as ikevd:
            ikevd.up("lan")
            assert ours(site.here) == (2, TUNNEL)
        assert nothing_left(site.here)


@pytest.mark.parametrize("reachable", [True, False], ids=["peer-answers", "peer-is-silent"])
def test_sigterm_takes_a_tunnel_down_where_the_configuration_says_so(
    topology: Topology, charon_b: StrongSwan, site: Site, reachable: bool
) -> None:
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(site.here, site.ikevd() + "on_stop: down\n") as ikevd:
        ikevd.up("lan")
        charon_b.wait_for_children(1)
        if not reachable:
            topology.impair(loss=100)
        try:
            started = time.monotonic()
            assert ikevd.stop() == 0
            taken = time.monotonic() - started
            print(f"ended after {taken:.2f} s")
            assert taken < WITHIN
        finally:
            topology.impair()
    assert nothing_left(site.here)
    charon_b.wait_for_children(0 if reachable else 1)
    if reachable:
        eventually(charon_b.list_sas, not_)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_cuts_no_tunnel(topology: Topology, charon_b: StrongSwan, site: Site, end: str) -> None:
    """The peer sees neither a Delete nor a new negotiation, and the successor can still say Delete."""
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(site.here, site.ikevd(), store=True) as ikevd:
        ikevd.up("lan")
        (before,) = charon_b.wait_for_children(1)
        said = topology.wire.seen()
        ikevd.stop() if end == "stop" else ikevd.kill()
        assert ours(site.here) == (2, TUNNEL)
        packets_cross(topology)
        ikevd.start()
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        assert ours(site.here) == (2, TUNNEL)
        (after,) = charon_b.wait_for_children(1)
        assert (before["spi-in"], before["spi-out"]) == (after["spi-in"], after["spi-out"])
        assert (topology.wire.seen() - said).ike == 0
        assert ikevd.command("down", "lan").exit_code == 0
        charon_b.wait_for_children(0)
        eventually(lambda: ours(site.here), lambda seen: seen == (0, BLOCKED))
    assert nothing_left(site.here)


# -- several at once


def test_two_identities_at_one_peer_at_once_and_a_log_of_one(
    topology: Topology, charon_b: StrongSwan, site: Site
) -> None:
    tunnels = {
        name: Site(
            site.here,
            site.there,
            local_id=f"{name}.a.example",
            remote_id=f"{name}.b.example",
            children=((f"net-{name}", f"10.1.{number}.0/24", f"10.2.{number}.0/24"),),
        )
        for number, name in enumerate(("one", "two"))
    }
    texts = [tunnel.ikevd().replace("  peer:\n", f"  {name}:\n") for name, tunnel in tunnels.items()]
    configuration = texts[0] + texts[1].removeprefix("connections:\n")
    charon_b.load(
        "\n".join(
            tunnel.mirrored().swanctl().replace("connections { peer {", f"connections {{ {name} {{")
            for name, tunnel in tunnels.items()
        )
    )
    with Ikevd(site.here, configuration, "--connection", "two") as ikevd:
        control = str(ikevd.directory / "control.sock")
        both = [subprocess.Popen([IKEVD, "up", f"net-{name}", "--socket", control]) for name in tunnels]
        assert [process.wait(60) for process in both] == [0, 0]
        charon_b.wait_for_children(2)
        spoken = {sa["local-id"]: sa["remote-id"] for sa in charon_b.list_sas()}
        assert spoken == {"one.b.example": "one.a.example", "two.b.example": "two.a.example"}
        states = [(c["name"], c["children"][0]["state"]) for c in ikevd.status()["connections"]]
        assert states == [("one", "up"), ("two", "up")]
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        assert "connection=two" in ikevd.log
        assert "connection=one" not in ikevd.log


# -- strangers


def datagrams(heard: list[bytes], count: int, dice: random.Random) -> Iterator[tuple[int, bytes]]:
    """Port and octets: noise, headers with noise behind, and real messages with damage."""
    for number in range(count):
        port = (500, 4500)[number % 2]
        octets = dice.randbytes(dice.choice((0, 1, 3, 4, 27, 28, 60, 400, 1400)))
        match dice.randrange(4):
            case 0:
                version, exchange, flags = (
                    dice.choice((0x10, 0x20)),
                    dice.choice((2, 4, 5, 6, 32, 34)),
                    dice.randrange(8),
                )
                head = struct.pack(
                    "!8s8s4BII", dice.randbytes(8), bytes(8), 1, version, exchange, flags, 0, 28 + len(octets)
                )
                octets = head + octets
            case 1 | 2:
                damaged = bytearray(dice.choice(heard))
                for _ in range(dice.choice((0, 1, 2, 8))):
                    damaged[dice.randrange(len(damaged))] = dice.randrange(256)
                if dice.random() < 0.3:
                    damaged = damaged[: dice.randrange(len(damaged))]
                if dice.random() < 0.5:
                    damaged[:8] = dice.randbytes(8)
                octets = bytes(damaged)
        yield port, bytes(4) * (port == 4500 and dice.random() < 0.8) + octets


def dropped_by_the_kernel() -> int:
    """Datagrams that no socket of the namespace had room for."""
    lines = Path("/proc/thread-self/net/udp").read_text().splitlines()
    return sum(int(line.split()[-1]) for line in lines[1:])


def resident_kilobytes(pid: int) -> int:
    (kilobytes,) = re.findall(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(kilobytes)


def test_thousands_of_malformed_datagrams(topology: Topology, charon_b: StrongSwan, site: Site) -> None:
    """From a stranger's address and from the peer's own, while a tunnel stands."""
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(site.here, site.ikevd()) as ikevd:
        ikevd.up("lan")
        frames = [frame.packet for frame in topology.wire.frames() if frame.kind == "ike" and frame.packet[0] == 0x45]
        heard = [packet[28:] for packet in frames[-12:]]
        ikevd.status()
        before = resident_kilobytes(ikevd.process.pid)
        dice = random.Random(20)
        for node in (topology.router, site.there):
            with node.call(lambda: udp("0.0.0.0", 0)) as sender:
                for number, (port, octets) in enumerate(datagrams(heard, 1500, dice)):
                    sender.sendto(octets, (site.here.address, port))
                    if number % 250 == 0:
                        ikevd.status()  # a socket's buffer has room for some hundreds; the daemon may be slow
        started = time.monotonic()
        status = ikevd.status()
        answered = time.monotonic() - started
        grown = resident_kilobytes(ikevd.process.pid) - before
        print(f"status after {answered:.2f} s, {grown} kB more, counters {status['counters']}")
        assert answered < WITHIN
        assert grown < 20 * 1024
        assert site.here.call(dropped_by_the_kernel) == 0
        assert sum(count for name, count in status["counters"].items() if name.startswith("drop")) > 1000
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        assert ours(site.here) == (2, TUNNEL)
        assert "internal error" not in ikevd.log


def test_ikev2_is_told_that_the_version_is_wrong(topology: Topology, charon_b: StrongSwan, site: Site) -> None:
    charon_b.load(site.mirrored().swanctl().replace("version = 1", "version = 2"))
    with Ikevd(site.here, site.ikevd()) as ikevd:
        with site.there.call(lambda: udp("0.0.0.0", 0)) as prober:
            request = struct.pack("!8s8s4BII", b"I am new", bytes(8), 33, 0x20, 34, 0x08, 0, 28)
            prober.sendto(request, (site.here.address, 500))
            answer = prober.recv(100)
        head = struct.unpack_from("!8s8s4BII", answer)
        assert head == (b"I am new", bytes(8), 11, 0x10, 5, 0, 0, len(answer))
        assert struct.unpack("!BBHIBBH", answer[28:])[4:] == (1, 0, 5)  # ISAKMP, no SPI, INVALID-MAJOR-VERSION
        assert ikevd.status()["counters"]["IKEv2 request"] == 1  # it answers before it logs; by now it has done both
        assert re.search(rf"{re.escape(site.there.address)}:\d+ speaks IKEv2", ikevd.log)
        with pytest.raises(StrongSwanError):
            charon_b.initiate("lan", timeout=3)
        assert ikevd.status()["counters"]["IKEv2 request"] >= 2
        assert ours(site.here) == (0, BLOCKED)
