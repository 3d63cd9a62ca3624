"""Where the way to an address begins, as the routing tables of this machine have it."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import ip_address

from ikevd.config.surroundings import FirstHop
from ikevd.kernel.first_hop import first_hop

ASK = "from ikevd.kernel.first_hop import first_hop; from ipaddress import ip_address as a; print({})"


def in_namespace(ready: str, question: str) -> str:
    """What is found in a network namespace of its own, once `ready` has run there."""
    script = f"{ready}\nexec {sys.executable} -c '{ASK.format(question)}'"
    command = ["unshare", "--user", "--map-root-user", "--net", "sh", "-euc", script]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_loopback_begins_at_its_own_interface() -> None:
    assert first_hop(ip_address("127.0.0.1")) == FirstHop("lo", None, ip_address("127.0.0.1"))


def test_where_there_is_no_way_there_is_no_first_hop() -> None:
    assert in_namespace(":", 'first_hop(a("192.0.2.1")), first_hop(a("2001:db8::1"))') == "None None"


def test_a_gateway_and_a_neighbour_are_told_apart() -> None:
    ready = (
        "ip link add wan type veth peer name far; ip link set wan up; ip link set far up\n"
        "ip address add 192.0.2.1/24 dev wan; ip route add default via 192.0.2.254"
    )
    found = in_namespace(ready, 'first_hop(a("192.0.2.7")), first_hop(a("198.51.100.1"))')
    source = "source=IPv4Address('192.0.2.1')"
    near, far = "gateway=None", "gateway=IPv4Address('192.0.2.254')"
    assert found == f"FirstHop(interface='wan', {near}, {source}) FirstHop(interface='wan', {far}, {source})"
