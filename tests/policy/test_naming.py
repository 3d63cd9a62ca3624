"""What a name that the operator types means."""

from __future__ import annotations

import pytest

from ikevd.policy.naming import children_meant, children_named, choices, configured_names, names_on_record
from tests.builders import child, connection

LAN = tuple(child(name=f"lan[{number}]", group="lan") for number in (1, 2))
BERLIN = connection(name="berlin", children=(*LAN, child(name="dmz")))
PARIS = connection(name="paris", children=(child(name="lan"), child(name="berlin")))
ALL = BERLIN, PARIS


def meant(name: str) -> list[str]:
    return [f"{owner.name}/{its.name}" for owner, its in children_meant(name, ALL)]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("paris", ["paris/lan", "paris/berlin"]),
        ("dmz", ["berlin/dmz"]),
        ("lan[2]", ["berlin/lan[2]"]),
        ("berlin/lan[2]", ["berlin/lan[2]"]),
        ("berlin/lan", ["berlin/lan[1]", "berlin/lan[2]"]),
        ("paris/lan", ["paris/lan"]),
        ("rome", []),
        ("rome/lan", []),
    ],
)
def test_a_name_means_a_connection_a_child_or_the_children_of_one_entry(name: str, found: list[str]) -> None:
    assert meant(name) == found


def test_to_act_on_a_connection_goes_before_a_child_of_the_same_name() -> None:
    assert meant("berlin") == ["berlin/lan[1]", "berlin/lan[2]", "berlin/dmz"]


def test_to_look_at_both_are_shown() -> None:
    assert [its.name for _, its in children_named("berlin", ALL)] == ["lan[1]", "lan[2]", "dmz", "berlin"]


def test_the_children_of_one_entry_are_no_choice_but_equal_names_of_two_connections_are() -> None:
    assert choices("lan", children_meant("lan", ALL)) == ["berlin/lan", "paris/lan"]
    assert choices("lan", children_meant("lan", [BERLIN])) == ["berlin/lan"]


def test_all_names_stand_under_their_connection_and_those_of_one_entry_under_it() -> None:
    assert configured_names(ALL) == {
        "berlin": {"lan": ["lan[1]", "lan[2]"], "dmz": []},
        "paris": {"lan": [], "berlin": []},
    }


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("paris", {"paris"}),
        ("berlin/lan", {"berlin/lan", "berlin/lan[1]", "berlin/lan[2]"}),
        ("lan", {"lan", "berlin/lan[1]", "berlin/lan[2]", "paris/lan"}),
        ("dmz", {"dmz", "berlin/dmz"}),
    ],
)
def test_records_which_name_single_children_are_found_by_the_name_of_their_entry(name: str, names: set[str]) -> None:
    assert names_on_record(name, ALL) == names
