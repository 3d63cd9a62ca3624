"""Children whose networks overlap."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.files import MARKED, MINIMAL, read


def children(*bodies: str) -> str:
    """Children c0, c1, ... of one connection, from line 6 on."""
    head = MINIMAL.partition("      lan:")[0]
    return head + "".join(f"      c{number}: {{{body}}}\n" for number, body in enumerate(bodies))


def doubts(tmp_path: Path, text: str) -> list[str]:
    return [warning.partition("connections.")[2] for warning in read(tmp_path, text).warnings]


@pytest.mark.parametrize(
    ("first", "second", "ours", "theirs"),
    [
        (
            "local: 10.1.0.0/24, remote: 10.2.0.0/16",
            "local: 10.1.0.0/24, remote: 10.2.3.0/24",
            "10.1.0.0/24 === 10.2.3.0/24",
            "10.1.0.0/24 === 10.2.0.0/16",
        ),
        (
            "local: 10.1.0.0/16, remote: 10.2.3.0/24",
            "local: 10.1.5.0/24, remote: 10.2.0.0/16",
            "10.1.5.0/24 === 10.2.0.0/16",
            "10.1.0.0/16 === 10.2.3.0/24",
        ),
        (
            "local: [10.1.0.0/24, 10.3.0.0/24], remote: 10.2.0.0/24",
            "local: 10.3.0.7, remote: 10.2.0.0-10.2.0.9",
            "10.3.0.7/32 === 10.2.0.0-10.2.0.9",
            "10.3.0.0/24 === 10.2.0.0/24",
        ),
        (
            "local: 10.1.0.0/24, remote: 10.2.0.0/24",
            "local: '10.1.0.0/24[tcp]', remote: '10.2.0.0/24[tcp/443]'",
            "10.1.0.0/24[tcp] === 10.2.0.0/24[tcp/443]",
            "10.1.0.0/24 === 10.2.0.0/24",
        ),
    ],
)
def test_overlapping_children_are_doubted(tmp_path: Path, first: str, second: str, ours: str, theirs: str) -> None:
    told = f"{ours} overlaps {theirs} (berlin, child c0, on line 6): what fits both takes the narrower"
    assert doubts(tmp_path, children(first, second)) == [f"berlin.children.c1: {told}"]


@pytest.mark.parametrize(
    "second",
    [
        "local: 10.1.0.0/24, remote: 10.3.0.0/24",
        "local: 10.3.0.0/24, remote: 10.2.0.0/24",
        "local: '2001:db8:1::/64', remote: '2001:db8:2::/64'",
    ],
)
def test_children_that_share_one_side_only_are_not_doubted(tmp_path: Path, second: str) -> None:
    assert doubts(tmp_path, children("local: 10.1.0.0/24, remote: 10.2.0.0/24", second)) == []


def test_children_of_different_protocols_or_ports_do_not_overlap(tmp_path: Path) -> None:
    bodies = [
        "local: '10.1.0.0/24[tcp]', remote: '10.2.0.0/24[tcp/443]'",
        "local: '10.1.0.0/24[tcp]', remote: '10.2.0.0/24[tcp/80]'",
        "local: '10.1.0.0/24[udp]', remote: '10.2.0.0/24[udp/443]'",
    ]
    assert doubts(tmp_path, children(*bodies)) == []


def test_children_of_different_connections_are_held_against_each_other(tmp_path: Path) -> None:
    text = children("local: 10.1.0.0/24, remote: 10.2.0.0/16")
    text += (
        f"  paris: {{remote: 192.0.2.9, psk: {MARKED}, children: {{x: {{local: 10.1.0.0/16, remote: 10.2.3.0/24}}}}}}\n"
    )
    assert doubts(tmp_path, text) == [
        "paris.children.x: 10.1.0.0/16 === 10.2.3.0/24 overlaps 10.1.0.0/24 === 10.2.0.0/16 (berlin, child c0, on line "
        "6): what fits both takes the narrower"
    ]


def test_ranges_that_become_one_policy_of_the_kernel_are_doubted(tmp_path: Path) -> None:
    """10.1.0.0-10.1.0.191 is 10.1.0.0/25 and 10.1.0.128/26."""
    bodies = ("local: 10.1.0.0/25, remote: 10.2.0.0/24", "local: 10.1.0.0-10.1.0.191, remote: 10.2.0.0/24")
    assert doubts(tmp_path, children(*bodies)) == [
        "berlin.children.c1: 10.1.0.0-10.1.0.191 === 10.2.0.0/24 and 10.1.0.0/25 === 10.2.0.0/24 (berlin, child c0, on "
        "line 6) share 10.1.0.0/25 === 10.2.0.0/24, and the kernel holds one policy for that; only one of the two can "
        "be up at a time"
    ]


def test_ranges_that_overlap_without_a_common_policy_are_only_told_to_overlap(tmp_path: Path) -> None:
    bodies = ("local: 10.1.0.0-10.1.0.127, remote: 10.2.0.0/24", "local: 10.1.0.64-10.1.0.191, remote: 10.2.0.0/24")
    (found,) = doubts(tmp_path, children(*bodies))
    assert "10.1.0.64-10.1.0.191 === 10.2.0.0/24 overlaps 10.1.0.0/25 === 10.2.0.0/24" in found


def test_items_of_one_list_that_overlap_are_doubted(tmp_path: Path) -> None:
    body = "local: [10.1.5.0/24, 10.7.0.0/24, 10.1.0.0/16], remote: [10.2.0.0/24, 10.2.0.9]"
    assert doubts(tmp_path, children(body)) == [
        "berlin.children.c0.local[2]: 10.1.0.0/16 overlaps item 0 of this list, 10.1.5.0/24",
        "berlin.children.c0.remote[1]: 10.2.0.9/32 overlaps item 0 of this list, 10.2.0.0/24",
    ]


def test_each_child_is_doubted_once(tmp_path: Path) -> None:
    bodies = [f"local: 10.1.0.0/24, remote: 10.2.0.0/{prefix}" for prefix in (16, 17, 18, 19)]
    assert len(doubts(tmp_path, children(*bodies))) == 3


def test_ranges_that_become_thousands_of_policies_are_doubted(tmp_path: Path) -> None:
    usual = "local: 10.1.0.1-10.1.0.254, remote: 10.2.0.1-10.2.0.254"
    many = "local: 10.0.0.1-10.127.255.254, remote: 10.128.0.1-10.255.255.254"
    (found,) = doubts(tmp_path, children(usual)) or [""]
    assert found == ""
    (found,) = doubts(tmp_path, children(many))
    assert "becomes 1936 policies of the kernel in each direction" in found
