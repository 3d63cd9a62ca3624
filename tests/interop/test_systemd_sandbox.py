"""What ikevd.service forbids is in the way of no feature: names, credentials, sockets for others, keys, captures."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.interop.machine import Machine
from tests.interop.node import Node
from tests.interop.sites import SECRET, Site
from tests.interop.stray_esp import send_unknown_esp
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
NAME = "gw-b.example.net"
CAP_NET_RAW = 1 << 13
CAP_SYS_ADMIN = 1 << 21
HIGHEST_EXPOSURE, HIGHEST_WITH_RAW_SOCKETS, HIGHEST_WITH_NAMESPACES = 1.7, 1.9, 2.1
"""As docs/service.md says."""


@pytest.fixture
def site(topology: Topology, charon_b: StrongSwan) -> Site:
    """Of which strongSwan has its half."""
    site = Site(topology.gw_a, topology.gw_b, start="always", remote_id=topology.gw_b.address)
    charon_b.load(site.mirrored(remote_id="").swanctl())
    return site


@pytest.fixture
def carries(topology: Topology, charon_b: StrongSwan, machine: Machine) -> Callable[[], bool]:
    """Starts ikevd; does its tunnel come up and carry pings?"""

    def start() -> bool:
        machine.systemctl("start", "ikevd")
        charon_b.wait_for_children(1)
        return topology.host_a.ping(topology.host_b.address, 3) == 3

    return start


def forbidden(machine: Machine) -> list[str]:
    """Lines of the journal by which something was refused."""
    words = re.compile(r"not permitted|permission denied|not supported by protocol|traceback", re.IGNORECASE)
    return [line for line in machine.log().splitlines() if words.search(line)]


# -- names


@contextmanager
def name_server(node: Node) -> Iterator[None]:
    """On UDP port 53 of the node, whose address is the answer to every question for an IPv4 address."""
    listening = node.call(lambda: _bound(node.address))

    def serve() -> None:
        while True:
            question, source = listening.recvfrom(512)
            if not question:
                return
            end = question.index(0, 12) + 5
            asks_a = question[end - 4 : end - 2] == b"\0\1"
            head = question[:2] + bytes.fromhex("81800001") + bytes([0, asks_a]) + bytes(4)
            address = bytes.fromhex("c00c000100010000000a0004") + socket.inet_aton(node.address)
            listening.sendto(head + question[12:end] + (address if asks_a else b""), source)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listening.sendto(b"", listening.getsockname())
        thread.join()
        listening.close()


def _bound(address: str) -> socket.socket:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    return server


def test_a_name_is_asked_of_a_name_server(
    topology: Topology, machine: Machine, site: Site, carries: Callable[[], bool]
) -> None:
    machine.write("/etc/resolv.conf", f"nameserver {topology.gw_b.address}\n")
    machine.configure(site.ikevd().replace(f"remote: '{site.addresses[1]}'", f"remote: {NAME}", 1))
    with name_server(topology.gw_b):
        assert carries()
    assert forbidden(machine) == []


# -- keys


def test_a_key_comes_from_a_credential(machine: Machine, site: Site, carries: Callable[[], bool]) -> None:
    machine.write("/etc/credstore/berlin.psk", SECRET, mode=0o600)
    machine.drop_in("[Service]\nLoadCredential=berlin:/etc/credstore/berlin.psk\n")
    machine.configure(site.ikevd().replace(f"psk: '{SECRET}'", "psk: {credential: berlin}"))
    assert carries()
    machine.systemctl("reload", "ikevd")
    assert forbidden(machine) == []


def test_the_store_is_sealed_by_a_credential_on_a_disk(
    machine: Machine, site: Site, carries: Callable[[], bool], charon_b: StrongSwan
) -> None:
    machine.write("/etc/credstore/store", "0123456789abcdef0123456789abcdef", mode=0o600)
    machine.drop_in("[Service]\nLoadCredential=store:/etc/credstore/store\n")
    machine.configure(site.ikevd() + "runtime_directory: /var/lib/ikevd\nstore_key: {credential: store}\n")
    assert carries()
    before = charon_b.log.count("Main Mode IKE_SA")
    machine.systemctl("restart", "ikevd")
    *_, end = machine.client.rekey("lan", 60)
    assert end["ok"]
    assert charon_b.log.count("Main Mode IKE_SA") == before
    assert forbidden(machine) == []


# -- who may speak to it


def test_the_sockets_belong_to_whom_the_file_says(machine: Machine, site: Site, carries: Callable[[], bool]) -> None:
    for group in ("netops", "monitoring"):
        machine.run("groupadd", "--force", group)
    machine.run("useradd", "--gid", "monitoring", "watcher")
    machine.drop_in("[Service]\nSupplementaryGroups=netops monitoring\nRuntimeDirectoryMode=0751\n")
    look = "read_only: /run/ikevd/look.sock, read_only_owner: 'ikevd:monitoring'"
    machine.configure(site.ikevd() + f"control: {{owner: 'ikevd:netops', mode: '0660', {look}}}\n")
    assert carries()
    owners = machine.run("stat", "--format=%U:%G %a", "/run/ikevd/control.sock", "/run/ikevd/look.sock").splitlines()
    assert owners == ["ikevd:netops 660", "ikevd:monitoring 660"]
    as_watcher = ["setpriv", "--reuid=watcher", "--regid=monitoring", "--clear-groups"]
    assert "lan" in machine.run(*as_watcher, "ikevd", "status", "peer", "--socket", "/run/ikevd/look.sock")
    assert "not readable" in machine.run(*as_watcher, "ikevd", "down", "peer", check=False)
    assert forbidden(machine) == []


# -- evidence


def test_keys_and_packets_can_be_had(machine: Machine, site: Site, carries: Callable[[], bool]) -> None:
    keys = "/var/lib/ikevd/keys"
    run = f"/usr/bin/ikevd run --config /etc/ikevd/ikevd.yaml --key-log {keys}"
    machine.drop_in(f"[Service]\nExecStart=\nExecStart={run}\n")
    machine.configure(site.ikevd() + "control: {export_keys: true}\n")
    assert carries()
    assert machine.run("stat", "--format=%U %a", keys).split() == ["ikevd", "600"]
    assert machine.run("cat", keys)
    machine.run("ikevd", "capture", "/root/ikevd.pcap")
    assert "QUICK_MODE" in machine.run("ikevd", "decode", "/root/ikevd.pcap", "--json")
    assert machine.run("ikevd", "trace", "peer")
    assert forbidden(machine) == []


# -- ESP under unknown SPIs


def capabilities(machine: Machine) -> int:
    """That the daemon has."""
    text = machine.run("cat", f"/proc/{machine.show('MainPID')}/status")
    (effective,) = re.findall(r"CapEff:\s+(\w+)", text)
    return int(effective, 16)


def test_without_the_drop_in_unknown_esp_is_said_to_have_no_effect(
    topology: Topology, machine: Machine, site: Site, carries: Callable[[], bool]
) -> None:
    machine.configure(site.ikevd() + "unknown_esp: true\n")
    assert carries()

    def said() -> bool:
        send_unknown_esp(topology)
        return "unknown_esp has no effect" in machine.log()

    eventually(said)
    assert not capabilities(machine) & CAP_NET_RAW


def test_the_drop_in_lets_it_hear_unknown_esp(
    topology: Topology, machine: Machine, site: Site, carries: Callable[[], bool], charon_b: StrongSwan
) -> None:
    machine.drop_in((ROOT / "systemd/ikevd-unknown-esp.conf").read_text())
    machine.configure(site.ikevd() + "unknown_esp: true\n")
    assert carries()
    assert capabilities(machine) & CAP_NET_RAW
    assert "unknown_esp has no effect" not in machine.log()

    def told() -> bool:
        send_unknown_esp(topology)
        return "INVALID_SPI" in charon_b.log

    eventually(told)
    assert forbidden(machine) == []


# -- interfaces in other network namespaces


@pytest.fixture
def interface(topology: Topology, machine: Machine, charon_b: StrongSwan) -> Iterator[Callable[[], str | None]]:
    """Of a tunnel, to be in the namespace red; what keeps it from standing there once ikevd has started."""
    keys = "name: tun0, kind: vti, namespace: red, addresses: 169.254.7.1/30, routes: 10.2.0.0/24"
    everything = (("all", "0.0.0.0/0", "0.0.0.0/0"),)
    site = Site(topology.gw_a, topology.gw_b, start="always", children=everything, options=(f"interface: {{{keys}}}",))
    charon_b.load(site.mirrored().swanctl().replace("esp_proposals", "mark_in = 7\n mark_out = 7\n esp_proposals"))
    machine.run("ip", "netns", "add", "red")
    machine.configure(site.ikevd())

    def start() -> str | None:
        machine.systemctl("start", "ikevd")
        charon_b.wait_for_children(1)
        problem: str | None = machine.status()["connections"][0]["interface"]["problem"]
        return problem

    yield start
    machine.run("ip", "netns", "delete", "red")


def test_without_the_drop_in_it_says_what_it_needs_to_enter_a_namespace(
    machine: Machine, interface: Callable[[], str | None]
) -> None:
    problem = interface()
    assert problem is not None
    assert "the capability CAP_SYS_ADMIN is missing; wanted the drop-in ikevd-namespaces.conf" in problem
    assert not capabilities(machine) & CAP_SYS_ADMIN


def test_the_drop_in_lets_it_have_interfaces_there(machine: Machine, interface: Callable[[], str | None]) -> None:
    machine.drop_in((ROOT / "systemd/ikevd-namespaces.conf").read_text())
    assert interface() is None
    eventually(lambda: "10.2.0.0/24 dev tun0" in machine.run("ip", "-n", "red", "route"))
    assert "169.254.7.1/30" in machine.run("ip", "-n", "red", "address")
    machine.run("ip", "netns", "delete", "red")
    eventually(lambda: "there is no network namespace red" in machine.log())
    machine.run("ip", "netns", "add", "red")
    eventually(lambda: "tun0" in machine.run("ip", "-n", "red", "link"))
    assert forbidden(machine) == []


# -- systemd's own judgement of what is installed


def exposure(machine: Machine, unit: str) -> float:
    (score,) = re.findall(r"exposure level for \S+ ([\d.]+)", machine.run("systemd-analyze", "security", unit))
    return float(score)


def test_systemd_finds_nothing_wrong_and_little_exposed(machine: Machine) -> None:
    units = [path.name for path in (ROOT / "systemd").glob("*.service")]
    said = machine.run("systemd-analyze", "verify", "--man=no", *units, check=False).splitlines()
    assert [line for line in said if "FileDescriptorStorePreserve" not in line] == []
    assert exposure(machine, "ikevd") <= HIGHEST_EXPOSURE
    machine.drop_in((ROOT / "systemd/ikevd-unknown-esp.conf").read_text())
    assert HIGHEST_EXPOSURE < exposure(machine, "ikevd") <= HIGHEST_WITH_RAW_SOCKETS
    machine.drop_in((ROOT / "systemd/ikevd-namespaces.conf").read_text())
    assert HIGHEST_EXPOSURE < exposure(machine, "ikevd") <= HIGHEST_WITH_NAMESPACES
