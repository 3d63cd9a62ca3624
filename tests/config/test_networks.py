"""Addresses and networks that can be used, but hardly as they were meant."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from ikevd.config.load import load
from ikevd.config.surroundings import InterfaceAddress, Surroundings
from tests.config.files import child, connection, problems


def own(interface: str, address: str, prefix: int) -> InterfaceAddress:
    return InterfaceAddress(interface, ip_address(address), ip_network(f"{address}/{prefix}", strict=False))


GATEWAY = Surroundings(
    (
        own("lo", "127.0.0.1", 8),
        own("wan", "192.0.2.1", 24),
        own("lan", "10.1.0.1", 24),
        own("tun", "10.9.0.1", 32),
        own("lan", "fe80::1", 64),
        own("lan", "2001:db8:1::1", 64),
    ),
    {4: True, 6: True},
)
"""A gateway that forwards, with 10.1.0.0/24 behind it."""


def doubts(tmp_path: Path, text: str, known: Surroundings | None = None) -> list[str]:
    """The warnings, without the path of the file, and without what comes before the key."""
    path = tmp_path / "ikevd.yaml"
    path.write_text(text)
    path.chmod(0o600)
    warnings = load(path, {}, known=known).warnings
    return [warning.partition("connections.berlin.")[2] for warning in warnings]


def nets(local: str, remote: str) -> str:
    return child(local=local, remote=remote)


# -- the networks against each other ------------------------------------------------------------------------------

DROPPED = (
    "is on-demand, and this machine drops the packets that come before the tunnel stands (net.core.xfrm_larval_drop is "
    "1); to keep them, up to 100 for each child, run: sysctl -w net.core.xfrm_larval_drop=0"
)
INSIDE = "what this machine sends or forwards within local would go into the tunnel too"


@pytest.mark.parametrize(
    ("local", "remote", "doubt"),
    [
        ("10.1.0.0/24", "10.1.0.0/24", "is 10.1.0.0/24, as is local; wanted the networks behind the peer"),
        ("10.1.0.0/24", "10.0.0.0/8", f"10.0.0.0/8 covers local 10.1.0.0/24: {INSIDE}"),
        ("10.1.0.0/24", "0.0.0.0/0", f"0.0.0.0/0 covers local 10.1.0.0/24: {INSIDE}"),
        (
            "10.0.0.0/8",
            "10.2.0.0/16",
            "10.2.0.0/16 lies within local 10.0.0.0/8, from the rest of which only the tunnel would lead there",
        ),
        (
            "10.1.0.0-10.1.0.99",
            "10.1.0.50-10.1.0.200",
            f"10.1.0.50-10.1.0.200 overlaps local 10.1.0.0-10.1.0.99: {INSIDE}",
        ),
        ("2001:db8::/48", "2001:db8::/32", f"2001:db8::/32 covers local 2001:db8::/48: {INSIDE}"),
    ],
)
def test_a_remote_network_that_has_to_do_with_the_local_one_is_doubted(
    tmp_path: Path, local: str, remote: str, doubt: str
) -> None:
    assert doubts(tmp_path, nets(local, remote)) == [f"children.lan.remote: {doubt}"]


@pytest.mark.parametrize(
    ("local", "remote"),
    [
        ("10.1.0.0/24", "10.2.0.0/24"),
        ("0.0.0.0/0", "10.2.0.0/24"),
        ("10.1.0.0/24", "0.0.0.0/8"),
        ("192.0.2.1", "198.51.100.0-198.51.100.9"),
    ],
)
def test_other_pairs_are_not_doubted(tmp_path: Path, local: str, remote: str) -> None:
    assert doubts(tmp_path, nets(local, remote)) == []


@pytest.mark.parametrize(
    ("network", "doubt"),
    [
        ("127.0.0.0/8", "127.0.0.0/8 is loopback, which never leaves a machine"),
        ("::1", "::1/128 is loopback, which never leaves a machine"),
        ("224.0.0.5", "224.0.0.5/32 is multicast, of which a tunnel carries nothing but what routing sends into it"),
        ("ff02::/16", "ff02::/16 is multicast, of which a tunnel carries nothing but what routing sends into it"),
        ("169.254.1.0/24", "169.254.1.0/24 is link-local, which no router forwards"),
        ("fe80::/64", "fe80::/64 is link-local, which no router forwards"),
        ("0.0.0.0", "0.0.0.0/32 is that one address, which no host has; for every address wanted 0.0.0.0/0"),
        ("'::'", "::/128 is that one address, which no host has; for every address wanted ::/0"),
    ],
)
@pytest.mark.parametrize("side", ["local", "remote"])
def test_a_network_that_no_tunnel_serves_is_doubted(tmp_path: Path, side: str, network: str, doubt: str) -> None:
    plain = "2001:db8::/64" if ":" in network else "192.0.2.0/24"
    pair = {"local": network, "remote": plain} if side == "local" else {"local": plain, "remote": network}
    assert doubts(tmp_path, child(**pair)) == [f"children.lan.{side}: {doubt}"]


# -- all traffic --------------------------------------------------------------------------------------------------

MEANT = "all_traffic: true, which says that this is meant"


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_a_tunnel_for_everything_has_to_be_meant(tmp_path: Path, network: str) -> None:
    (problem,) = problems(tmp_path, nets(network, network))
    assert f"children.lan.remote: is {network}, as is local: every packet of this machine would go into the" in problem
    assert problem.endswith(MEANT)


@pytest.mark.parametrize(
    ("keys", "more"),
    [
        ({"all_traffic": "true"}, ""),
        ({}, "bypass: {own: {local: 10.1.0.0/16, remote: 10.1.0.0/16}}\n"),
        ({}, "bypass_connected: true\n"),
    ],
    ids=["by a word", "by a bypass", "by the networks beside it"],
)
def test_it_is_meant_where_the_file_says_so(tmp_path: Path, keys: dict[str, str], more: str) -> None:
    assert doubts(tmp_path, child(local="0.0.0.0/0", remote="0.0.0.0/0", **keys) + more) == []


def test_what_is_routed_to_an_interface_is_meant(tmp_path: Path) -> None:
    text = child(local="0.0.0.0/0", remote="0.0.0.0/0").replace(
        "    children:", "    interface: {name: vpn0}\n    children:"
    )
    assert [one for one in doubts(tmp_path, text) if "as is local" in one] == []


def test_it_is_one_pair_of_several_that_has_to_be_meant(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, nets("[10.1.0.0/24, 0.0.0.0/0]", "[10.2.0.0/24, 0.0.0.0/0]"))
    assert "children.lan.remote[1]: is 0.0.0.0/0, as is local" in problem


def test_that_it_is_meant_is_of_no_effect_for_less(tmp_path: Path) -> None:
    told = "children.lan.all_traffic: has no effect: local and remote are not both every address"
    assert doubts(tmp_path, child(all_traffic="true")) == [told]


# -- the ends of the tunnel ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["local", "remote"])
@pytest.mark.parametrize(
    ("address", "doubt"),
    [
        ("169.254.1.7", "is link-local, which no router forwards; wanted a global address"),
        ("127.0.0.1", "is loopback, which never leaves this machine; wanted an address that the other side can reach"),
    ],
)
def test_an_end_that_the_other_side_cannot_reach_is_doubted(tmp_path: Path, key: str, address: str, doubt: str) -> None:
    keys = {"remote": "2001:db8::1" if ":" in address else "198.51.100.1", key: address}
    (found,) = doubts(tmp_path, connection(**keys))
    assert found.startswith(f"{key}: {address} {doubt}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("local", "fe80::7"),
        ("remote", "fe80::7"),
        ("remote", "fe80::/64"),
        ("remote", "[gw.example.net, fe80::7]"),
    ],
)
def test_an_end_of_ipv6_that_is_link_local_is_refused_since_no_esp_could_be_sent(
    tmp_path: Path, key: str, value: str
) -> None:
    keys = {"remote": "2001:db8::1", "remote_id": "gw.example.net", key: value}
    (problem,) = [one for one in problems(tmp_path, connection(**keys)) if "link-local" in one]
    assert f"connections.berlin.{key}: fe80::" in problem
    assert problem.endswith("name none for their ends: no ESP could be sent; wanted a global address")


@pytest.mark.parametrize("key", ["local", "remote"])
def test_nor_does_an_interface_behind_it_help(tmp_path: Path, key: str) -> None:
    (problem,) = problems(tmp_path, connection(**{"remote": "2001:db8::1", key: "fe80::7%eth0"}))
    assert "'fe80::7%eth0' names an interface, as only a link-local address needs, and no ESP can be sent to" in problem


def test_a_peer_that_is_this_machine_is_doubted(tmp_path: Path) -> None:
    assert doubts(tmp_path, connection(remote="192.0.2.1"), GATEWAY) == [
        "remote: 192.0.2.1 is an address of this machine (wan); wanted that of the peer"
    ]


def test_a_local_address_that_this_machine_has_not_is_doubted(tmp_path: Path) -> None:
    text = connection(local="192.0.2.7", children="{lan: {local: 10.1.0.0/24, remote: 10.2.0.0/24}}")
    assert doubts(tmp_path, text, GATEWAY) == [
        "local: 192.0.2.7 is no address of this machine, which has 192.0.2.1, 10.1.0.1, 10.9.0.1"
    ]
    assert doubts(tmp_path, connection(local="192.0.2.1"), GATEWAY) == []


def test_an_address_to_listen_on_that_this_machine_has_not_is_doubted(tmp_path: Path) -> None:
    path = tmp_path / "ikevd.yaml"
    path.write_text(connection() + "listen: {addresses: [192.0.2.1, 192.0.2.7, '2001:db8:1::1', 127.0.0.9]}\n")
    path.chmod(0o600)
    told = "192.0.2.7 is no address of this machine, which has 192.0.2.1, 10.1.0.1, 10.9.0.1"
    assert load(path, {}, known=GATEWAY).warnings == (f"{path}:6:33: listen.addresses[1]: {told}",)


# -- what is known of this machine --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("remote", "doubt"),
    [
        (
            "192.0.2.0/24",
            "192.0.2.0/24 is a network to which this machine is connected (wan): from 10.1.0.0/24 it would be "
            "reached through the tunnel alone",
        ),
        (
            "192.0.0.0/16",
            "192.0.0.0/16 covers 192.0.2.0/24, to which this machine is connected (wan): from 10.1.0.0/24 it would be "
            "reached through the tunnel alone",
        ),
        (
            "192.0.2.128/25",
            "192.0.2.128/25 lies within 192.0.2.0/24, to which this machine is connected (wan): from 10.1.0.0/24 it "
            "would be reached through the tunnel alone",
        ),
        (
            "192.0.1.128-192.0.2.127",
            "192.0.1.128-192.0.2.127 overlaps 192.0.2.0/24, to which this machine is connected (wan): from 10.1.0.0/24 "
            "it would be reached through the tunnel alone",
        ),
        ("10.9.0.0/16", "10.9.0.0/16 covers 10.9.0.1, an address of this machine (tun)"),
    ],
)
def test_a_remote_network_that_is_this_machines_own_is_doubted(tmp_path: Path, remote: str, doubt: str) -> None:
    assert doubts(tmp_path, nets("10.1.0.0/24", remote), GATEWAY) == [f"children.lan.remote: {doubt}"]


def test_of_several_reasons_to_doubt_a_remote_network_the_first_is_told(tmp_path: Path) -> None:
    (found,) = doubts(tmp_path, nets("10.1.0.0/24", "0.0.0.0/0"), GATEWAY)
    assert found.startswith("children.lan.remote: 0.0.0.0/0 covers local 10.1.0.0/24")


@pytest.mark.parametrize("start", ["on-demand", "always"])
@pytest.mark.parametrize("drops", [True, False, None])
def test_what_the_first_packets_of_a_child_on_demand_meet_is_told(
    tmp_path: Path, start: str, drops: bool | None
) -> None:
    lan = f"{{local: 10.1.0.0/24, remote: 10.2.0.0/24, start: {start}}}"
    found = doubts(tmp_path, connection(children=f"{{lan: {lan}}}"), Surroundings(drops_waiting=drops))
    assert found == ([f"children.lan.start: {DROPPED}"] if drops and start == "on-demand" else [])


def test_networks_behind_a_machine_that_forwards_nothing_are_doubted_once_for_each_ip_version(tmp_path: Path) -> None:
    text = nets("[192.0.2.1, 10.1.0.0/24, 10.3.0.0/24]", "10.2.0.0/24")
    text += "      six: {local: '2001:db8:1::/64', remote: '2001:db8:2::/64'}\n"
    host = Surroundings(GATEWAY.addresses, {4: False, 6: False})
    assert doubts(tmp_path, text, host) == [
        "children.lan.local[1]: 10.1.0.0/24 is no address of this machine, which forwards nothing: net.ipv4.ip_forward "
        "is 0; run: sysctl -w net.ipv4.ip_forward=1",
        "children.six.local: 2001:db8:1::/64 is no address of this machine, which forwards nothing: "
        "net.ipv6.conf.all.forwarding is 0; run: sysctl -w net.ipv6.conf.all.forwarding=1",
    ]


def test_a_host_needs_no_forwarding(tmp_path: Path) -> None:
    host = Surroundings(GATEWAY.addresses, {4: False})
    assert doubts(tmp_path, nets("192.0.2.1", "10.2.0.0/24"), host) == []


def test_a_child_in_transport_mode_is_this_machines_own_and_needs_no_forwarding(tmp_path: Path) -> None:
    host = Surroundings(GATEWAY.addresses, {4: False})
    text = connection(children="{host: {mode: transport, local: 'dynamic[tcp]', remote: 'dynamic[tcp/443]'}}")
    assert doubts(tmp_path, text, host) == []
    assert doubts(tmp_path, connection(children="{host: {mode: transport}}"), host) == []


def test_where_nothing_is_known_nothing_is_said(tmp_path: Path) -> None:
    for known in (None, Surroundings(), Surroundings(forwards={6: False})):
        text = connection(local="192.0.2.7", children="{lan: {local: 10.3.0.0/24, remote: 192.0.2.0/24}}")
        assert doubts(tmp_path, text, known) == []
