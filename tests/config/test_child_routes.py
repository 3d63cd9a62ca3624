"""Routes that follow policy-based children: what the file may say of them, and what `ikevd check` doubts."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from ikevd.config.load import load
from ikevd.config.surroundings import InterfaceAddress, Surroundings
from ikevd.policy.child_route import ChildRoute
from tests.config.files import CHILD, MARKED, connection, problems, read

WAN = InterfaceAddress("eth0", ip_address("192.0.2.1"), ip_network("192.0.2.0/24"))
LAN = InterfaceAddress("lan0", ip_address("10.1.0.1"), ip_network("10.1.0.0/24"))
FULL = "{all: {local: 10.1.0.0/24, remote: 0.0.0.0/0}}"
OWN = ip_address("10.1.0.1")


def routes(tmp_path: Path, text: str) -> list[ChildRoute | None]:
    """Of the children."""
    return [child.route for one in read(tmp_path, text).config.connections for child in one.children]


def doubts(tmp_path: Path, text: str, *addresses: InterfaceAddress) -> list[str]:
    path = tmp_path / "ikevd.yaml"
    path.write_text(text)
    path.chmod(0o600)
    warnings = load(path, {}, known=Surroundings(addresses)).warnings
    return [told for told in warnings if ".route" in told]


def test_left_out_it_is_none(tmp_path: Path) -> None:
    assert routes(tmp_path, connection()) == [None]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("auto", ChildRoute()),
        ("10.1.0.1", ChildRoute((OWN,))),
        ("[10.1.0.1, 'fd00:1::1']", ChildRoute((OWN, ip_address("fd00:1::1")))),
        ("{}", ChildRoute()),
        ("{source: 10.1.0.1, table: 220, metric: 7, mtu: 1380}", ChildRoute((OWN,), 220, 7, 1380)),
    ],
)
def test_each_way_to_write_it(tmp_path: Path, text: str, found: ChildRoute) -> None:
    assert routes(tmp_path, connection(route=text)) == [found]


def test_a_child_may_do_without(tmp_path: Path) -> None:
    children = f"{{lan: {CHILD}, dmz: {{local: 10.1.0.0/24, remote: 10.4.0.0/24, route: false}}}}"
    assert routes(tmp_path, connection(route="auto", children=children)) == [ChildRoute(), None]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"route": "yes"}, "berlin.route.source: is 'yes'; wanted auto, or an address of this machine in the local "),
        ({"route": "127.0.0.1"}, "127.0.0.1 is no address that a tunnel carries"),
        ({"route": "{table: 255}"}, "route.table: is 255, the kernel's own (local); wanted 254 (main), or another one"),
        ({"route": "{table: 0}"}, "route.table: is 0; wanted a number from 1 to 4294967295"),
        ({"route": "{mtu: 100}"}, "route.mtu: is 100; wanted a number from 576 to 65535"),
        ({"route": "10.9.0.1"}, "route.source: has no address in 10.1.0.0/24, which the child lan carries; wanted one"),
        (
            {"route": "auto", "children": FULL},
            "all.remote: 0.0.0.0/0 covers 198.51.100.1, the peer itself, and the route to it would be in table main; "
            "wanted a table of its own, as `route: {table: 220}`",
        ),
        (
            {"children": "{lan: {local: 10.1.0.0/24, remote: 10.2.0.0/24, route: true}}"},
            "lan.route: its connection has no route; wanted `route` there, as `route: auto`",
        ),
        ({"route": "{sourceip: 10.1.0.1}"}, "did you mean 'source'?"),
    ],
)
def test_what_is_refused_and_why(tmp_path: Path, keys: dict[str, str], told: str) -> None:
    (problem,) = problems(tmp_path, connection(**keys))
    assert told in problem


def test_all_traffic_is_routed_by_a_table_of_its_own(tmp_path: Path) -> None:
    assert routes(tmp_path, connection(route="{table: 220}", children=FULL)) == [ChildRoute(table=220)]


def test_a_machine_without_an_address_in_the_local_network_is_told(tmp_path: Path) -> None:
    (told,) = doubts(tmp_path, connection(route="auto"), WAN)
    assert "route.source: is auto, but this machine has no address in 10.1.0.0/24" in told
    assert doubts(tmp_path, connection(route="auto"), WAN, LAN) == []


def test_a_source_that_this_machine_does_not_have_is_told(tmp_path: Path) -> None:
    (told,) = doubts(tmp_path, connection(route="10.1.0.1"), WAN)
    assert "10.1.0.1 is no address of this machine now" in told
    assert doubts(tmp_path, connection(route="10.1.0.1"), WAN, LAN) == []


def test_a_route_for_no_child_is_told(tmp_path: Path) -> None:
    text = connection(route="auto", interface="berlin0")
    assert any("berlin.route: has no effect: each child has an interface" in told for told in doubts(tmp_path, text))


def two(**keys: str) -> str:
    more = "".join(f", {key}: {value}" for key, value in keys.items())
    return connection(route="auto") + (
        f"  paris: {{remote: 198.51.100.2, psk: {MARKED}2, children: {{lan: {{local: 10.7.0.0/24, "
        f"remote: 10.2.0.0/24}}}}{more}}}\n"
    )


def test_of_two_routes_to_one_network_one_is_set_and_that_is_told(tmp_path: Path) -> None:
    (told,) = doubts(tmp_path, two(route="auto"))
    assert "paris.route: 10.2.0.0/24 is routed by berlin, too (line 6), with the same table and metric" in told
    assert doubts(tmp_path, two(route="{metric: 9}")) == []
    assert doubts(tmp_path, two()) == []


# -- mss


@pytest.mark.parametrize(("text", "found"), [("auto", 0), ("1360", 1360)])
def test_the_mss_is_a_number_or_what_fits(tmp_path: Path, text: str, found: int) -> None:
    (one,) = read(tmp_path, connection(mss=text)).config.connections
    assert one.mss == found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("100", "berlin.mss: is 100; wanted a number from 536 to 65495, or auto"),
        ("'1360'", "berlin.mss: is '1360'; wanted a number from 536 to 65495, or auto in plain decimal digits"),
        ("yes", "berlin.mss: is 'yes'; wanted a number from 536 to 65495, or auto"),
    ],
)
def test_what_is_no_mss(tmp_path: Path, text: str, told: str) -> None:
    (problem,) = problems(tmp_path, connection(mss=text))
    assert told in problem


def test_what_another_network_namespace_forwards_gets_no_mss_from_here(tmp_path: Path) -> None:
    warnings = read(tmp_path, connection(mss="auto", interface="{name: berlin0, namespace: red}")).warnings
    told = "berlin.mss: is for what is forwarded here, and does nothing for the interface in the network namespace red"
    assert any(told in warning for warning in warnings)


def test_a_machine_without_nft_is_told(tmp_path: Path) -> None:
    path = tmp_path / "ikevd.yaml"
    path.write_text(connection(mss="auto"))
    path.chmod(0o600)
    found = [load(path, {}, known=Surroundings(lacks_nft=lacks)).warnings for lacks in (True, False)]
    assert [any("berlin.mss: needs the program nft" in told for told in warnings) for warnings in found] == [
        True,
        False,
    ]


@pytest.mark.parametrize(("within", "told"), [("10.0.0.0/8", ["10.1.0.1, which is on lan0 here"]), ("10.3.0.0/16", [])])
def test_a_peer_may_ask_for_no_network_of_this_site(tmp_path: Path, within: str, told: list[str]) -> None:
    clients = f"{{roads: {{local: 10.1.0.0/24, remote: within {within}}}}}"
    text = connection(remote="any", route="auto", children=clients)
    path = tmp_path / "ikevd.yaml"
    path.write_text(text)
    path.chmod(0o600)
    found = [one for one in load(path, {}, known=Surroundings((WAN, LAN))).warnings if "networks of this site" in one]
    assert len(found) == len(told)
    assert all(word in one for word, one in zip(told, found, strict=True))


@pytest.mark.parametrize("key", ["mark: 5", "mark_out: unique", "if_id: 7"])
def test_a_route_that_leads_what_its_child_does_not_take_is_doubted(tmp_path: Path, key: str) -> None:
    marked = f"{{all: {{local: 10.1.0.0/24, remote: 10.2.0.0/24, {key}}}}}"
    (told,) = doubts(tmp_path, connection(route="auto", children=marked), WAN, LAN)
    assert "children.all.route: leads all packets there, and the child takes only those with its mark or if_id" in told
