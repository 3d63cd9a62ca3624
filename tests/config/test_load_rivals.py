"""Connections against each other."""

from pathlib import Path

import pytest

from ikevd.policy.child import Selection
from tests.config.files import CHILD, MARKED, MINIMAL, child, peers, problems, read


def test_two_connections_told_apart(tmp_path: Path) -> None:
    read(tmp_path, peers("remote: 192.0.2.1", "remote: 192.0.2.2"))
    read(tmp_path, peers("remote: 192.0.2.1", "remote: 192.0.2.1, remote_id: b.example"))
    read(tmp_path, peers("remote: any, remote_id: a.example", "remote: any, remote_id: b.example", "remote: any"))
    read(tmp_path, peers("remote: 192.0.2.1, local: 192.0.2.8", "remote: 192.0.2.1, local: 192.0.2.9"))


def test_connections_that_nobody_can_tell_apart(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, peers("remote: 192.0.2.1", "remote: 192.0.2.1, remote_id: 192.0.2.1"))
    assert found.startswith(
        "ikevd.yaml:3:3: connections.p1: has the same remote (192.0.2.1) and remote_id (192.0.2.1) as p0 on line 2"
    )
    (found,) = problems(tmp_path, peers("remote: any", "remote: any"))
    assert "remote (any) and remote_id (any address) as p0" in found
    (found,) = problems(tmp_path, peers("remote: any, local: 192.0.2.1", "remote: any"))
    assert "as p0" in found


def test_names_that_differ_in_case_only_tell_nobody_apart(tmp_path: Path) -> None:
    ids = ("remote: any, remote_id: gw.example", "remote: any, remote_id: GW.example.")
    (found,) = problems(tmp_path, peers(*ids))
    assert "has the same remote (any) and remote_id (GW.example.) as p0" in found
    read(tmp_path, peers("remote: any, remote_id: keyid:gw", "remote: any, remote_id: keyid:GW"))


def test_one_pair_belongs_to_one_child_of_all_connections(tmp_path: Path) -> None:
    text = MINIMAL + f"  paris: {{remote: 192.0.2.9, psk: {MARKED}, children: {{x: {CHILD}}}}}\n"
    (found,) = problems(tmp_path, text)
    assert "connections.paris.children.x: the pair 10.1.0.0/24 to 10.2.0.0/24 is also that of berlin" in found
    assert found.endswith("on line 6")


def test_more_pairs_than_reqids(tmp_path: Path) -> None:
    many = "[" + ", ".join(f"10.{i // 256}.{i % 256}.0/24" for i in range(257)) + "]"
    (found,) = problems(tmp_path, child(local=many, remote=many))
    assert "reaches more than 65535 pairs" in found


def test_overlapping_ranges_need_different_identities(tmp_path: Path) -> None:
    one, other = "remote: 192.0.2.0/24", "remote: 192.0.2.200-192.0.3.7"
    (found,) = problems(tmp_path, peers(f"{one}, remote_id: a.example", f"{other}, remote_id: a.example"))
    assert "p1: has an overlapping remote (192.0.2.200-192.0.3.7) and remote_id (a.example) as p0 on line 2" in found
    (found,) = problems(tmp_path, peers(one, other))
    assert "remote_id (any address) as p0" in found
    read(tmp_path, peers(f"{one}, remote_id: a.example", f"{other}, remote_id: b.example"))
    read(tmp_path, peers(one, "remote: 192.0.3.0/24"))
    read(tmp_path, peers(f"{one}, local: 10.0.0.1", f"{other}, local: 10.0.0.2"))


def test_an_address_goes_before_a_range_before_any(tmp_path: Path) -> None:
    ours = "remote_id: a.example"
    read(tmp_path, peers(f"remote: 192.0.2.1, {ours}", f"remote: 192.0.2.0/24, {ours}", f"remote: any, {ours}"))


def with_keys(*bodies: str) -> str:
    """As `peers`, each with a key of its own."""
    text = peers(*bodies)
    for i in range(len(bodies)):
        text = text.replace(f"psk: {MARKED},", f"psk: {i:02}{MARKED},", 1)
    return text


def test_more_keys_than_may_be_tried(tmp_path: Path) -> None:
    bodies = [f"remote: 192.0.2.0/24, remote_id: p{i}.example" for i in range(3)]
    text = with_keys(*bodies, "remote: any, remote_id: d.example", "remote: any, remote_id: e.example")
    assert read(tmp_path, text).warnings == ()
    third, fourth, fifth = read(tmp_path, text + "limits: {secrets: 2}\n").warnings
    assert "connections.p2.psk: comes after 2 other keys for a peer that calls from 192.0.2.0, and limits" in third
    assert "connections.p3.psk" in fourth
    assert "connections.p4.psk" in fifth
    assert MARKED not in third


def test_one_key_for_many_counts_once(tmp_path: Path) -> None:
    text = peers(*(f"remote: any, remote_id: p{i}.example" for i in range(20)))
    assert read(tmp_path, text).warnings == ()


def test_keys_for_other_addresses_of_ours_do_not_count(tmp_path: Path) -> None:
    bodies = [f"remote: any, local: 10.0.0.{i}, remote_id: p{i}.example" for i in range(1, 4)]
    assert read(tmp_path, with_keys(*bodies) + "limits: {secrets: 1}\n").warnings == ()


# -- a backup -----------------------------------------------------------------------------------------------------


def backups(first: str = "", second: str = "backup_of: berlin", networks: str = CHILD) -> str:
    """`paris` stands in for `berlin`."""
    rest = f"psk: {MARKED}, children: {{lan: {CHILD}}}"
    return (
        f"connections:\n  berlin: {{remote: 198.51.100.1, {rest}{first}}}\n"
        f"  paris: {{remote: 198.51.100.2, {second}, psk: {MARKED}, children: {{lan: {networks}}}}}\n"
    )


def test_a_backup_has_the_networks_of_the_connection_that_it_stands_in_for(tmp_path: Path) -> None:
    loaded = read(tmp_path, backups(second="backup_of: berlin, give_back: false"))
    assert [(one.backup_of, one.give_back) for one in loaded.config.connections] == [(None, True), ("berlin", False)]
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (backups(second="backup_of: berlim"), "names berlim, which is no connection; did you mean 'berlin'?"),
        (backups(second="backup_of: paris", networks="{local: 10.1.0.0/24, remote: 10.9.0.0/24}"), "itself"),
        (backups(first=", backup_of: paris"), "names paris, which is a backup itself"),
        (
            backups(networks="{local: 10.1.0.0/24, remote: 10.9.0.0/24}"),
            "names berlin, but no child of this connection has the networks of one of berlin",
        ),
        (
            backups().replace("remote: 198.51.100.2", "remote: any, remote_id: paris.example"),
            "is for one peer that can be called, and the remote of paris is none",
        ),
        (
            backups()
            + f"  rome: {{remote: 198.51.100.3, backup_of: berlin, psk: {MARKED}, children: {{lan: {CHILD}}}}}\n",
            "names berlin, whose backup is paris already",
        ),
    ],
)
def test_what_can_be_wrong_with_a_backup(tmp_path: Path, text: str, told: str) -> None:
    assert told in "\n".join(problems(tmp_path, text))


@pytest.mark.parametrize("remote", ["198.51.100.1", "gw.example", "[198.51.100.1, 198.51.100.2]"])
def test_one_peer_has_a_name(tmp_path: Path, remote: str) -> None:
    (told,) = problems(tmp_path, peers(f"remote: {remote}, remote_id: any"))
    assert "remote_id: is any, but the remote is " in told
    assert "(whose name is any: @any)" in told


def test_a_key_whose_holders_call_themselves_anything_is_one_of_a_group(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, peers("remote: any, remote_id: any, group_key: false"))
    assert "group_key: is false, but with remote_id: any no name tells which peer has moved" in told


# -- narrow selection ---------------------------------------------------------------------------------------------


def narrow(remote: str, more: str = "", of_child: str = "") -> str:
    child = CHILD.replace("}", f"{of_child}}}")
    return f"connections:\n  berlin: {{remote: {remote}, psk: {MARKED}{more}, children: {{lan: {child}}}}}\n"


def test_one_peer_may_choose_less_than_a_child_is_for(tmp_path: Path) -> None:
    (berlin,) = read(tmp_path, narrow("198.51.100.1", ", selection: narrow")).config.connections
    assert berlin.children[0].selection is Selection.NARROW


def test_many_peers_may_choose_a_port_in_transport_mode(tmp_path: Path) -> None:
    child = "{mode: transport, local: 'dynamic[udp/1701]', remote: 'dynamic[udp]', selection: narrow}"
    text = narrow("any, remote_id: b.example").replace(CHILD, child)
    assert read(tmp_path, text).config.connections[0].children[0].selection is Selection.NARROW


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (narrow("any, remote_id: b.example", ", selection: narrow"), "many peers may come by this connection"),
        (narrow("198.51.100.0/24, remote_id: b.example", "", ", selection: narrow"), "many peers may come by"),
        (backups(second="backup_of: berlin, selection: narrow"), "this connection has a backup or is one"),
        (backups(first=", selection: narrow"), "this connection has a backup or is one"),
    ],
)
def test_many_peers_and_a_backup_hold_what_the_file_has_whole(tmp_path: Path, text: str, told: str) -> None:
    assert told in "\n".join(problems(tmp_path, text))


@pytest.mark.parametrize(
    "group", ["remote: any, remote_id: any", "remote: any", "remote: 192.0.2.0/24, group_key: true"]
)
def test_a_peer_with_the_key_of_a_group_is_doubted(tmp_path: Path, group: str) -> None:
    (told,) = read(tmp_path, peers("remote: any, remote_id: a.example", group)).warnings
    assert "connections.p0.psk: is the key of p1, too, which is one of many peers (group_key)" in told
    assert told.endswith("each can say that it is the peer of p0, and take its place; wanted a key of its own")


def test_peers_that_are_no_group_may_share_a_key(tmp_path: Path) -> None:
    assert read(tmp_path, peers("remote: 192.0.2.1", "remote: 192.0.2.2")).warnings == ()
