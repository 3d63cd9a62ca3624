"""What `ikevd check` reads of this machine, against a namespace that was made so."""

from __future__ import annotations

import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from ikevd.config.surroundings import InterfaceAddress, Surroundings
from ikevd.kernel import surroundings
from tests.kernel.namespaces import Namespace

VETH = ("ip", "link", "add", "wan", "type", "veth", "peer", "name", "other")


def seen_in(namespace: Namespace) -> Surroundings:
    with namespace.entered():
        found = surroundings.read()
    assert found is not None
    return found


def own(interface: str, address: str, network: str) -> InterfaceAddress:
    return InterfaceAddress(interface, ip_address(address), ip_network(network))


def test_addresses_with_their_networks_are_those_of_the_namespace(namespace: Namespace) -> None:
    for command in (
        "link add wan type veth peer name other",
        "link add far type veth peer name end",
        "addr add 192.0.2.1/24 dev wan",
        "addr add 2001:db8::1/64 dev wan nodad",
        "addr add 10.9.0.1 peer 10.9.0.2/32 dev far",
        "link set wan up",
    ):
        namespace.run("ip", *command.split())
    found = {each for each in seen_in(namespace).addresses if not each.address.is_link_local}
    assert found == {
        own("lo", "127.0.0.1", "127.0.0.0/8"),
        own("lo", "::1", "::1/128"),
        own("wan", "192.0.2.1", "192.0.2.0/24"),
        own("wan", "2001:db8::1", "2001:db8::/64"),
        own("far", "10.9.0.1", "10.9.0.2/32"),
    }


@pytest.mark.parametrize("version", [4, 6])
def test_one_interface_that_forwards_is_enough(namespace: Namespace, version: int) -> None:
    namespace.run(*VETH)
    switch = Path(f"/proc/sys/net/ipv{version}/conf/wan/forwarding")
    for value in (0, 1):
        with namespace.entered():
            switch.write_text(str(value))
        assert seen_in(namespace).forwards[version] is bool(value)


def test_all_addresses_are_read_however_many(namespace: Namespace) -> None:
    """More than fit into one datagram of a dump."""
    namespace.run(*VETH)
    batch = "".join(f"addr add 10.{number // 250}.{number % 250}.1/24 dev wan\n" for number in range(1000))
    with namespace.entered():
        subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True, timeout=60)
    assert len([each for each in seen_in(namespace).addresses if each.interface == "wan"]) == 1000


@pytest.mark.parametrize(("both", "one", "strict"), [(0, 1, True), (1, 0, True), (0, 2, False), (0, 0, False)])
def test_the_larger_of_both_values_says_whether_the_way_back_is_checked(
    namespace: Namespace, both: int, one: int, strict: bool
) -> None:
    namespace.run(*VETH)
    for command in ("addr add 192.0.2.1/24 dev wan", "link set wan up"):
        namespace.run("ip", *command.split())
    with namespace.entered():
        for name, value in (("all", both), ("wan", one)):
            Path(f"/proc/sys/net/ipv4/conf/{name}/rp_filter").write_text(str(value))
    assert ("wan" in seen_in(namespace).strict) is strict
