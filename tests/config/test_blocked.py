"""What of this machine's own traffic a child would hold back while it is down."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from ikevd.addresses import Endpoint
from ikevd.addresses import Path as Way
from ikevd.config.load import load
from ikevd.config.surroundings import FirstHop, InterfaceAddress, Surroundings
from ikevd.errors import ConfigError
from tests.config.files import MARKED

LAN = InterfaceAddress("lan", ip_address("10.1.0.1"), ip_network("10.1.0.0/24"))
LOOPBACK = InterfaceAddress("lo", ip_address("127.0.0.1"), ip_network("127.0.0.0/8"))
SSH = Way(Endpoint(ip_address("10.1.0.1"), 22), Endpoint(ip_address("10.9.0.7"), 50_000))
MACHINE = Surroundings((LOOPBACK, LAN), resolvers=(ip_address("10.9.0.53"),), session=SSH)
CURE = "while the child is down, what goes there from 10.1.0.1 is blocked; wanted a `bypass` for it, or fail_open: true"
RESOLVER = f"covers 10.9.0.53, a resolver of this machine: {CURE}"
SESSION = f"covers 10.9.0.7, from where this session came: {CURE}"


def doubts(
    folder: Path, child: str, *, peer: str = "198.51.100.1", more: str = "", machine: Surroundings = MACHINE
) -> list[str]:
    """Those of this sort."""
    path = folder / "ikevd.yaml"
    connection = f"{{remote: {peer}, psk: {MARKED}, children: {{lan: {{{child}}}}}}}"
    path.write_text(f"connections:\n  berlin: {connection}\n{more}\n")
    path.chmod(0o600)
    warnings = load(path, {}, known=machine).warnings
    return [warning.partition("lan.")[2] for warning in warnings if "is blocked" in warning]


def test_a_network_that_covers_a_resolver_and_the_session_is_doubted_for_both(tmp_path: Path) -> None:
    assert doubts(tmp_path, "local: 10.1.0.0/24, remote: 10.0.0.0/8") == [
        f"remote: 10.0.0.0/8 {RESOLVER}",
        f"remote: 10.0.0.0/8 {SESSION}",
    ]


def test_it_is_the_network_of_the_list_that_covers_it(tmp_path: Path) -> None:
    assert doubts(tmp_path, "local: 10.1.0.0/24, remote: [10.2.0.0/24, 10.9.0.0/27]") == [
        f"remote[1]: 10.9.0.0/27 {SESSION}"
    ]


@pytest.mark.parametrize(
    "child",
    [
        "local: 10.1.0.0/24, remote: 10.2.0.0/24",
        "local: 10.3.0.0/24, remote: 10.9.0.0/24",
        "local: 10.1.0.0/24, remote: 10.9.0.0/24, fail_open: true",
        'local: "10.1.0.0/24[icmp]", remote: "10.9.0.0/24[icmp]"',
        'local: "10.1.0.0/24[tcp]", remote: "10.9.0.0/24[tcp/443]"',
        "local: 2001:db8:1::/64, remote: '::/0'",
    ],
)
def test_what_does_not_hold_them_back_is_no_doubt(tmp_path: Path, child: str) -> None:
    assert doubts(tmp_path, child) == []


def test_a_peer_from_anywhere_has_nothing_blocked_beforehand(tmp_path: Path) -> None:
    assert doubts(tmp_path, "local: 10.1.0.0/24, remote: 10.9.0.0/24", peer="any") == []


def test_what_stays_outside_of_every_tunnel_is_not_blocked(tmp_path: Path) -> None:
    bypass = "bypass: {dns: {local: '10.1.0.0/24[udp]', remote: '10.9.0.53[udp/53]'}}"
    assert doubts(tmp_path, "local: 10.1.0.0/24, remote: 10.9.0.0/24", more=bypass) == [
        f"remote: 10.9.0.0/24 {SESSION}"
    ]


def test_nor_is_what_stays_within_a_connected_network_where_the_file_says_so(tmp_path: Path) -> None:
    machine = replace(MACHINE, resolvers=(ip_address("10.1.0.53"),), session=None)
    child = "local: 10.1.0.0/24, remote: 0.0.0.0/0"
    assert len(doubts(tmp_path, child, machine=machine)) == 1
    assert doubts(tmp_path, child, machine=machine, more="bypass_connected: true") == []


def test_of_a_machine_that_nobody_knows_nothing_is_said(tmp_path: Path) -> None:
    assert doubts(tmp_path, "local: 10.1.0.0/24, remote: 0.0.0.0/0", machine=Surroundings()) == []


def test_a_resolver_that_is_covered_is_an_error_where_a_peer_has_a_name(tmp_path: Path) -> None:
    """Nobody could ask for the name once the child has gone down."""
    peer, child = "vpn.example.net, remote_id: gw-b.example", "local: 10.1.0.0/24, remote: 10.0.0.0/8"
    machine, bypass = replace(MACHINE, session=None), "bypass: {dns: {local: 10.1.0.0/24, remote: 10.9.0.53}}"
    with pytest.raises(ConfigError) as caught:
        doubts(tmp_path, child, peer=peer, machine=machine)
    (problem,) = caught.value.problems
    assert "10.9.0.53, a resolver of this machine" in problem
    assert "is blocked, and the remote of berlin is a name; wanted a `bypass` for it" in problem
    assert doubts(tmp_path, child, peer=peer, more=bypass, machine=machine) == []


def test_a_drop_that_covers_what_this_machine_needs_is_doubted(tmp_path: Path) -> None:
    def told(more: str, child: str = "local: 10.1.0.0/24, remote: 10.2.0.0/24") -> list[str]:
        path = tmp_path / "ikevd.yaml"
        connection = f"{{remote: 198.51.100.1, psk: {MARKED}, children: {{lan: {{{child}}}}}}}"
        path.write_text(f"connections:\n  berlin: {connection}\n{more}\n")
        path.chmod(0o600)
        return [one for one in load(path, {}, known=MACHINE).warnings if "always dropped" in one]

    wide = "drop: {rest: {local: 10.1.0.0/16, remote: 10.0.0.0/8}}"
    (resolver, session) = told(wide)
    assert "drop.rest.remote: 10.0.0.0/8 covers 10.9.0.53, a resolver of this machine" in resolver
    assert "10.9.0.7, from where this session came" in session
    assert told(wide, "local: 10.1.0.0/24, remote: 10.9.0.0/24") == [], "a child is for it"
    assert told(f"{wide}\nbypass: {{own: {{local: 10.1.0.0/24, remote: 10.9.0.0/24}}}}") == []


# -- the way to the peer ------------------------------------------------------------------------------------------

WAN = InterfaceAddress("wan", ip_address("192.0.2.1"), ip_network("192.0.2.0/24"))
HOP = FirstHop("wan", ip_address("192.0.2.254"), ip_address("192.0.2.1"))
ROUTED = Surroundings((LOOPBACK, LAN, WAN), first_hop=lambda destination: HOP)
BLOCKED = CURE.replace("10.1.0.1", "192.0.2.1")
PEER = f"covers 198.51.100.1, the peer itself, whose IKE and ESP pass by: {BLOCKED}"
BY = f"covers 192.0.2.254, by which the peer is reached: {BLOCKED}"


def test_a_network_that_covers_the_peer_and_the_way_to_it_is_doubted_for_both(tmp_path: Path) -> None:
    found = doubts(tmp_path, "local: 192.0.2.1, remote: 0.0.0.0/0", machine=ROUTED)
    assert sorted(found) == [f"remote: 0.0.0.0/0 {BY}", f"remote: 0.0.0.0/0 {PEER}"]


def test_a_network_around_the_peer_alone_is_doubted_for_the_peer(tmp_path: Path) -> None:
    found = doubts(tmp_path, "local: 192.0.2.0/24, remote: 198.51.100.0/24", machine=ROUTED)
    assert found == [f"remote: 198.51.100.0/24 {PEER}"]


@pytest.mark.parametrize(
    ("child", "more"),
    [
        ("local: 10.1.0.0/24, remote: 0.0.0.0/0", ""),
        ("local: 192.0.2.1, remote: 198.51.100.1", ""),
        ("local: 192.0.2.1, remote: 0.0.0.0/0, fail_open: true", ""),
        ('local: "192.0.2.1[tcp]", remote: "0.0.0.0/0[tcp]"', ""),
        (
            "local: 192.0.2.1, remote: 0.0.0.0/0",
            "bypass: {way: {local: 192.0.2.1, remote: [192.0.2.0/24, 198.51.100.1]}}",
        ),
    ],
    ids=["other packets than ours", "a tunnel for the host", "not blocked", "another protocol", "it stays outside"],
)
def test_a_way_that_is_not_blocked_is_not_doubted(tmp_path: Path, child: str, more: str) -> None:
    assert doubts(tmp_path, child, machine=ROUTED, more=more) == []


def test_a_peer_that_comes_from_anywhere_is_reached_nowhere(tmp_path: Path) -> None:
    assert doubts(tmp_path, "local: 192.0.2.1, remote: 0.0.0.0/0", peer="any", machine=ROUTED) == []
