"""The interface of a connection in the configuration file."""

from __future__ import annotations

from ipaddress import ip_interface, ip_network
from pathlib import Path

import pytest

from ikevd.policy.connection import Connection
from ikevd.policy.interface import MAIN_TABLE, InterfaceKind
from ikevd.policy.marks import Mark, Marks
from tests.config.files import MARKED, connection, problems, read

EVERYTHING = "{any: {local: 0.0.0.0/0, remote: 0.0.0.0/0}, any6: {local: '::/0', remote: '::/0'}}"


def with_interface(text: str, **keys: str) -> str:
    return connection(**({"children": EVERYTHING, "interface": text} | keys))


def two(first: str, second: str) -> str:
    return "connections:\n" + "".join(
        f"  {name}:\n    remote: 198.51.100.{number}\n    psk: {MARKED}\n    interface: {text}\n"
        f"    children: {EVERYTHING}\n"
        for number, (name, text) in enumerate((("berlin", first), ("paris", second)), start=1)
    )


def berlin(tmp_path: Path, text: str) -> Connection:
    return next(iter(read(tmp_path, text).config.connections))


def test_the_name_alone_is_enough(tmp_path: Path) -> None:
    view = berlin(tmp_path, with_interface("berlin0"))
    assert view.interface is not None
    assert (view.interface.name, view.interface.kind, view.interface.table) == ("berlin0", None, MAIN_TABLE)
    assert view.interface.number == berlin(tmp_path, with_interface("another0")).children[0].if_id != 0
    assert {child.if_id for child in view.children} == {view.interface.number}


def test_every_key(tmp_path: Path) -> None:
    text = (
        "{name: berlin0, kind: vti, if_id: 42, addresses: [169.254.7.1/30, 'fd00:7::1/64'], routes: [10.2.0.0/16, "
        "'fd00:2::/48'], table: 100, metric: 7, mtu: 1400}"
    )
    view = berlin(tmp_path, with_interface(text))
    found = view.interface
    assert found is not None
    assert (found.kind, found.number, found.table, found.metric, found.mtu) == (InterfaceKind.VTI, 42, 100, 7, 1400)
    assert found.addresses == (ip_interface("169.254.7.1/30"), ip_interface("fd00:7::1/64"))
    assert found.routes == (ip_network("10.2.0.0/16"), ip_network("fd00:2::/48"))
    assert {child.marks for child in view.children} == {Marks(0, Mark(42), Mark(42))}


def test_a_child_may_be_policy_based_beside_it(tmp_path: Path) -> None:
    children = (
        "{any: {local: 0.0.0.0/0, remote: 0.0.0.0/0}, lan: {local: 10.1.0.0/24, remote: 10.2.0.0/24, interface: false}}"
    )
    found = berlin(tmp_path, with_interface("berlin0", children=children)).children
    assert [child.routed for child in found] == [True, False]


def test_everything_to_everything_is_no_doubt_where_routes_choose(tmp_path: Path) -> None:
    assert not [told for told in read(tmp_path, with_interface("berlin0")).warnings if "every packet" in told]


def test_two_connections_have_all_to_all_each_with_a_number_of_its_own(tmp_path: Path) -> None:
    connections = read(tmp_path, two("berlin0", "paris0")).config.connections
    assert len({one.interface.number for one in connections if one.interface}) == 2


def test_a_number_that_the_file_gives_is_given_once(tmp_path: Path) -> None:
    number = berlin(tmp_path, two("berlin0", "paris0")).children[0].if_id
    berlin_, paris = read(tmp_path, two("berlin0", f"{{name: paris0, if_id: {number}}}")).config.connections
    assert paris.children[0].if_id == number != berlin_.children[0].if_id


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a-name-that-is-too-long", "is 'a-name-that-is-too-long'; wanted the name of an interface: 1 to 15 letters"),
        ("lo", "is 'lo'; wanted the name of an interface"),
        ("{kind: vti}", "has no name; wanted what it is called"),
        ("{name: t, kind: gre}", "is 'gre'"),
        ("{name: t, if_id: 0}", "is 0; wanted a number from 1 to 4294967295"),
        ("{name: t, addresses: 10.0.0.0.1}", "is '10.0.0.0.1'; wanted an address with its network"),
        ("{name: t, routes: 10.2.0.1/16}", "has bits behind its prefix; wanted a network, for example 10.2.0.0/16"),
        ("{name: t, mark: 4}", "is not a known key; did you mean 'if_id'?"),
        ("[t]", "is a list; wanted a mapping"),
    ],
)
def test_what_cannot_be_is_told_with_what_would_be_right(tmp_path: Path, text: str, told: str) -> None:
    assert any(told in one for one in problems(tmp_path, with_interface(text)))


@pytest.mark.parametrize("remote", ["any", "198.51.100.0/24"])
def test_an_interface_is_of_one_peer(tmp_path: Path, remote: str) -> None:
    told = problems(tmp_path, with_interface("berlin0", remote=remote))
    assert any("is the interface of one peer, but the remote is" in one for one in told)


def test_what_is_routed_needs_a_tunnel(tmp_path: Path) -> None:
    children = "{host: {mode: transport, local: dynamic, remote: dynamic}}"
    told = problems(tmp_path, with_interface("berlin0", children=children))
    assert any("is in transport mode, and what is routed needs a tunnel" in one for one in told)
    read(tmp_path, with_interface("berlin0", children=children.replace("mode:", "interface: false, mode:")))


def test_a_vti_needs_an_end_that_the_kernel_can_find_it_by(tmp_path: Path) -> None:
    keys = {"remote": "gw.example.net", "remote_id": "gw.example.net"}
    (told,) = problems(tmp_path, with_interface("{name: t, kind: vti}", **keys))
    assert "is vti, which is found by its outer addresses, but local is left out" in told
    read(tmp_path, with_interface("{name: t, kind: vti}", local="192.0.2.1", **keys))


@pytest.mark.parametrize("key", ["name", "if_id"])
def test_what_another_connection_has_is_taken(tmp_path: Path, key: str) -> None:
    first, second = {"name": ("t", "t"), "if_id": ("{name: a, if_id: 7}", "{name: b, if_id: 7}")}[key]
    told = problems(tmp_path, two(first, second))
    assert any("as that of berlin on line 5; wanted one of its own" in one for one in told)


def test_a_route_that_leads_the_tunnel_into_itself_is_doubted(tmp_path: Path) -> None:
    doubts = read(tmp_path, with_interface("{name: t, routes: 0.0.0.0/0}")).warnings
    assert any("0.0.0.0/0 covers 198.51.100.1, the peer itself" in told for told in doubts)
    assert not [
        t for t in read(tmp_path, with_interface("{name: t, routes: 0.0.0.0/0, table: 7}")).warnings if "itself" in t
    ]


@pytest.mark.parametrize(("network", "doubted"), [("198.51.0.0/16", True), ("10.0.0.0/8", False), ("0.0.0.0/0", False)])
def test_a_peer_that_would_be_unreachable_is_doubted(tmp_path: Path, network: str, doubted: bool) -> None:
    found = read(tmp_path, with_interface(f"{{name: t, unreachable: {network}}}")).warnings
    assert any("covers 198.51.100.1, the peer itself, which a default route" in told for told in found) == doubted


def test_an_interface_that_no_child_uses_and_a_child_without_one_to_use(tmp_path: Path) -> None:
    unused = "{lan: {local: 10.1.0.0/24, remote: 10.2.0.0/24, interface: false}}"
    warnings = read(tmp_path, with_interface("t", children=unused)).warnings
    assert any("no child of the connection uses it" in told for told in warnings)
    (told,) = problems(tmp_path, connection(children=unused.replace("false", "true")))
    assert "its connection has no interface; wanted `interface` there" in told


# -- routes, what is policy-based, and each other ---------------------------------------------------------------------


def beside_paris(children: str, more: str = "") -> str:
    """The policy-based Berlin, and Paris to whose interface 10.2.0.0/16 is routed; `more` is of the file."""
    berlin = connection(children=children)
    paris = (
        f"  paris:\n    remote: 198.51.100.2\n    psk: {MARKED}\n    interface: {{name: paris0, routes: 10.2.0.0/16}}\n"
        f"    children: {EVERYTHING}\n"
    )
    return f"{berlin}{paris}{more}"


def route_doubts(tmp_path: Path, text: str) -> list[str]:
    return [told.partition(": ")[2] for told in read(tmp_path, text).warnings if "routed to the interface" in told]


@pytest.mark.parametrize("remote", ["10.2.7.0/24", "10.0.0.0/8", "10.1.255.255-10.2.0.0"])
def test_a_policy_based_child_that_takes_what_is_routed_elsewhere_is_doubted(tmp_path: Path, remote: str) -> None:
    assert route_doubts(tmp_path, beside_paris(f"{{lan: {{local: 172.16.0.0/24, remote: {remote}}}}}")) == [
        f"connections.berlin.children.lan.remote: {remote} overlaps 10.2.0.0/16, which is routed to the interface of "
        "paris on line 9: Linux looks for policies without an interface before a packet comes to one, so what fits "
        "both never goes into that tunnel, and is dropped while this child is down; wanted networks apart, or an "
        "interface for both connections"
    ]


def test_one_that_fails_open_takes_it_only_while_it_is_up(tmp_path: Path) -> None:
    (told,) = route_doubts(
        tmp_path, beside_paris("{lan: {local: 172.16.0.0/24, remote: 10.2.7.0/24, fail_open: true}}")
    )
    assert "never goes into that tunnel; wanted" in told


@pytest.mark.parametrize(
    "children",
    [
        "{lan: {local: 172.16.0.0/24, remote: 10.3.0.0/24}}",
        "{lan: {local: '2001:db8:1::/64', remote: '2001:db8:2::/64'}}",
        "{host: {mode: transport}}",
    ],
)
def test_a_policy_based_child_of_other_networks_is_not_doubted(tmp_path: Path, children: str) -> None:
    assert route_doubts(tmp_path, beside_paris(children)) == []


def test_a_narrower_child_beside_the_interface_of_its_own_connection_is_meant(tmp_path: Path) -> None:
    children = f"{EVERYTHING[:-1]}, lan: {{local: 10.1.0.0/24, remote: 10.2.7.0/24, interface: false}}}}"
    assert route_doubts(tmp_path, with_interface("{name: t, routes: 10.2.0.0/16}", children=children)) == []


@pytest.mark.parametrize(
    ("remote", "protocol", "doubted"),
    [
        ("10.0.0.0/8", "", True),
        ("10.0.0.0/8", "[tcp/25]", True),
        ("10.2.0.0/16", "", True),
        ("10.2.0.0/16", "[tcp/25]", False),
        ("10.2.0.9", "", False),
        ("10.2.0.9", "[tcp/25]", False),
        ("10.9.0.0/16", "", False),
    ],
)
def test_a_drop_is_doubted_unless_it_lies_within_what_is_routed(
    tmp_path: Path, remote: str, protocol: str, doubted: bool
) -> None:
    local = f"10.0.0.0/8{protocol and '[tcp]'}"
    more = f"drop: {{rest: {{local: '{local}', remote: '{remote}{protocol}'}}}}\n"
    found = route_doubts(tmp_path, beside_paris("{lan: {local: 172.16.0.0/24, remote: 10.7.0.0/24}}", more))
    assert ["drop.rest.remote" in told and "is dropped and never goes" in told for told in found] == [True] * doubted


@pytest.mark.parametrize(
    ("keys", "doubted"),
    [
        ("", True),
        (", metric: 7", False),
        (", table: 7", False),
    ],
)
def test_two_interfaces_with_the_same_route_are_doubted_once(tmp_path: Path, keys: str, doubted: bool) -> None:
    same = "routes: [10.2.0.0/16, 'fd00:2::/48']"
    found = route_doubts(tmp_path, two(f"{{name: berlin0, {same}}}", f"{{name: paris0, {same}{keys}}}"))
    assert found == doubted * [
        "connections.paris.interface.routes[0]: 10.2.0.0/16 is also routed to the interface of berlin on line 5, with "
        "the same table and metric, and the kernel takes one such route: this one is refused as long as that one "
        "stands; wanted another `metric`"
    ]


def test_the_metric_that_the_kernel_gives_routes_of_ipv6_is_one_of_them(tmp_path: Path) -> None:
    text = two("{name: a, routes: 'fd00:2::/48'}", "{name: b, routes: 'fd00:2::/48', metric: 1024}")
    assert len(route_doubts(tmp_path, text)) == 1


@pytest.mark.parametrize(
    ("kind", "child", "doubted"), [("vti", "", True), ("vti", ", set_mark_out: 5", False), ("xfrm", "", False)]
)
def test_a_vti_whose_esp_would_not_leave_by_the_vrf_is_doubted(
    tmp_path: Path, kind: str, child: str, doubted: bool
) -> None:
    children = f"{{all: {{local: 0.0.0.0/0, remote: 0.0.0.0/0{child}}}}}"
    text = with_interface(f"{{name: t, kind: {kind}}}", local="192.0.2.1", children=children)
    found = read(tmp_path, f"{text}listen: {{vrf: internet}}\n").warnings
    assert any("is vti, whose ESP leaves by the routes of table main" in told for told in found) == doubted


def test_two_namespaces_may_have_interfaces_of_one_name(tmp_path: Path) -> None:
    same = "name: t, routes: 10.2.0.0/16, namespace:"
    assert route_doubts(tmp_path, two(f"{{{same} red}}", f"{{{same} blue}}")) == []
    told = problems(tmp_path, two(f"{{{same} red}}", f"{{{same} red}}"))
    assert any("is t, as that of berlin on line 5; wanted one of its own" in one for one in told)


@pytest.mark.parametrize("name", ["..", "a/b", "''", "'a b'"])
def test_a_namespace_is_named_as_ip_netns_does(tmp_path: Path, name: str) -> None:
    told = problems(tmp_path, with_interface(f"{{name: t, namespace: {name}}}"))
    assert any("wanted the name of a network namespace, as `ip netns` lists them" in one for one in told)
