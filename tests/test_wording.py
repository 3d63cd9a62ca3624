"""What is said of a name that nobody has."""

from __future__ import annotations

import pytest

from ikevd.wording import MAX_NAMES, Names, unknown_name

NAMES: Names = {"berlin": {"lan": [], "dmz": ["dmz[1]", "dmz[2]"]}, "munich": {"office": []}}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("berln", "berlin"),
        ("Munich", "munich"),
        ("offcie", "office"),
        ("berlin/lna", "berlin/lan"),
        ("berlin/dmx[2]", "berlin/dmz[2]"),
    ],
)
def test_a_name_that_is_nearly_right_is_suggested(name: str, meant: str) -> None:
    assert unknown_name(name, NAMES) == f"no connection or child is named {name}; did you mean {meant}?"


def test_of_a_name_like_no_other_all_entries_are_told() -> None:
    assert unknown_name("x", NAMES) == (
        "no connection or child is named x; configured: berlin (lan, dmz), munich (office)"
    )


def test_without_connections_nothing_is_configured() -> None:
    assert unknown_name("x", {}) == "no connection or child is named x; configured: nothing"


def test_of_a_thousand_connections_some_are_named_and_the_others_counted() -> None:
    told = unknown_name("x", {f"connection-{number}": {} for number in range(1000)})
    assert told.endswith(f"connection-{MAX_NAMES - 1} and {1000 - MAX_NAMES} more connections")
