"""Marks and if_id of children in the configuration file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ikevd.policy.child import Child
from ikevd.policy.marks import Mark, Marks, OwnMark
from tests.config.files import CHILD, MARKED, child, connection, problems, read

NETWORKS = CHILD.strip("{}")


def lan(tmp_path: Path, text: str) -> Child:
    return read(tmp_path, text).config.connections[0].children[0]


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("42", Mark(42)),
        ("0x42", Mark(0x42)),
        ("'0X42'", Mark(0x42)),
        ("0x4200/0xff00", Mark(0x4200, 0xFF00)),
        ("4294967295", Mark(0xFFFFFFFF)),
        ("0", Mark(0)),
        ("unique", OwnMark.UNIQUE),
    ],
)
def test_the_notation_of_a_mark(tmp_path: Path, text: str, mark: object) -> None:
    found = lan(tmp_path, child(mark=text))
    assert (found.mark_in, found.mark_out) == (mark, mark)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "red",
            "is 'red'; wanted a number from 0 to 0xffffffff, if need be with a mask, for example 0x4200/0xff00, or",
        ),
        ("0x100000000", "is '0x100000000'; wanted a number"),
        ("1/2/3", "is '1/2/3'; wanted a number"),
        ("-1", "is '-1'; wanted a number"),
        ("0x42/0", "is 0x42/0, which every packet has; wanted another mask than 0, or no mark"),
        ("0x4201/0xff00", "is 0x4201/0xff00, whose mask leaves out bits of its value: no packet has it"),
        ("'%unique'", "is '%unique'; did you mean 'unique'?"),
        ("'%unique-dir'", "is '%unique-dir'; did you mean 'unique'?"),
        ("[1]", "is a list; wanted text"),
    ],
)
def test_what_is_no_mark_is_told_with_what_would_be_right(tmp_path: Path, text: str, told: str) -> None:
    (found,) = problems(tmp_path, child(mark=text))
    assert f"children.lan.mark: {told}" in found


def test_each_direction_may_have_a_mark_of_its_own(tmp_path: Path) -> None:
    assert lan(tmp_path, child(mark="1", mark_out="2")).marks == Marks(0, Mark(1), Mark(2))
    assert lan(tmp_path, child(mark_in="1")).marks == Marks(0, Mark(1), None)
    told = read(tmp_path, child(mark="1", mark_in="2", mark_out="3")).warnings
    assert any("lan.mark: has no effect: mark_in and mark_out stand in its place" in one for one in told)


def test_what_its_sas_give_to_packets_may_be_the_same(tmp_path: Path) -> None:
    found = lan(tmp_path, child(mark="1", mark_out="unique", set_mark_in="same", set_mark_out="same"))
    assert (found.set_mark_in, found.set_mark_out) == (Mark(1), OwnMark.UNIQUE)
    assert lan(tmp_path, child(set_mark_out="7")).set_mark_out == Mark(7)


def test_the_same_as_no_mark_is_refused(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, child(mark_out="1", set_mark_in="same"))
    assert "set_mark_in: is same, but there is no mark or mark_in; wanted one, or a number" in found


@pytest.mark.parametrize("keys", ["mark: 1", "mark_in: 1", "mark_out: unique", "if_id: 7"])
def test_what_is_routed_is_not_marked_besides(tmp_path: Path, keys: str) -> None:
    text = connection(interface="berlin0", children=f"{{lan: {{{NETWORKS}, {keys}}}}}")
    (found,) = problems(tmp_path, text)
    assert "is of a child for the interface of its connection" in found
    read(tmp_path, text.replace(keys, f"{keys}, interface: false"))


def test_an_if_id_of_an_interface_of_the_file_is_taken(tmp_path: Path) -> None:
    children = f"{{all: {{local: 0.0.0.0/0, remote: 0.0.0.0/0}}, lan: {{{NETWORKS}, interface: false, if_id: 7}}}}"
    (found,) = problems(tmp_path, connection(interface="{name: berlin0, if_id: 7}", children=children))
    assert "lan.if_id: is 7, as that of the interface of berlin on line 6; wanted one of its own" in found


# -- equal networks -----------------------------------------------------------------------------------------------


def two(first: str, second: str) -> str:
    return "connections:\n" + "".join(
        f"  {name}: {{remote: 198.51.100.{number}, psk: {MARKED}, children: {{lan: {{{NETWORKS}, {keys}}}}}}}\n"
        for number, (name, keys) in enumerate((("berlin", first), ("paris", second)), start=1)
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [("mark: 1", "mark: 2"), ("if_id: 1", "if_id: 2"), ("mark: unique", "mark: unique"), ("mark: 1", "if_id: 1")],
)
def test_two_peers_may_have_the_same_networks_by_different_marks(tmp_path: Path, first: str, second: str) -> None:
    loaded = read(tmp_path, two(first, second))
    assert len({each.children[0].marks for each in loaded.config.connections}) == 2
    assert not [told for told in loaded.warnings if "overlaps" in told]


@pytest.mark.parametrize(
    ("first", "second"),
    [("mark: 1", "mark: 1"), ("mark: 1", "mark_out: 1"), ("if_id: 1", "if_id: 1"), ("mark_in: 1", "mark_in: 2")],
)
def test_one_mark_and_one_pair_of_networks_belong_to_one_child(tmp_path: Path, first: str, second: str) -> None:
    (found,) = problems(tmp_path, two(first, second))
    assert found.endswith("the pair 10.1.0.0/24 to 10.2.0.0/24 is also that of berlin, child lan, on line 2")


def test_a_peer_cannot_tell_which_of_two_marks_it_means(tmp_path: Path) -> None:
    children = f"{{red: {{{NETWORKS}, mark: 1}}, blue: {{{NETWORKS}, mark: 2}}}}"
    (found,) = problems(tmp_path, connection(children=children))
    assert "a peer asks for networks and not for marks, so nobody could tell which of them it means" in found


def test_marks_that_one_packet_may_bear_overlap(tmp_path: Path) -> None:
    wide, narrow = "local: 10.1.0.0/16, remote: 10.2.0.0/16", NETWORKS
    others = {"mark: 0x100/0xff00": 1, "mark: 0x200/0xff00": 0, "mark: unique": 0, "start: manual": 1}
    for other, doubts in others.items():
        text = two("mark: 0x101", other).replace(f"{narrow}, {other}", f"{wide}, {other}")
        assert len([told for told in read(tmp_path, text).warnings if "overlaps" in told]) == doubts


def test_everything_to_everything_is_meant_where_marks_choose(tmp_path: Path) -> None:
    everything = {"local": "0.0.0.0/0", "remote": "0.0.0.0/0"}
    read(tmp_path, child(**everything, mark="1"))
    (found,) = problems(tmp_path, child(**everything, mark_out="1"))
    assert "every packet of this machine would go into the tunnel" in found
