"""What no tunnel carries, as the file says it: what stays outside, and what is dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.files import MINIMAL, problems, read

OWN = "{local: 10.1.0.0/16, remote: 10.1.0.0/16}"


def test_without_a_word_of_it_nothing_is_outside(tmp_path: Path) -> None:
    config = read(tmp_path, MINIMAL).config
    assert (config.bypasses, config.bypass_connected) == ((), False)


def test_a_bypass_beside_a_child_is_no_problem(tmp_path: Path) -> None:
    loaded = read(tmp_path, f"{MINIMAL}bypass: {{own: {OWN}}}\n")
    assert [bypass.name for bypass in loaded.config.bypasses] == ["own"]
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    "bypass", ["{local: 10.1.0.0/16, remote: 10.0.0.0/8}", "{local: 10.1.0.0/24, remote: 0.0.0.0/0}"]
)
def test_a_child_that_would_carry_nothing_is_refused(tmp_path: Path, bypass: str) -> None:
    (found,) = problems(tmp_path, f"{MINIMAL}bypass: {{wide: {bypass}}}\n")
    assert found == (
        "ikevd.yaml:6:7: connections.berlin.children.lan: the pair 10.1.0.0/24 to 10.2.0.0/24 lies within the bypass "
        "wide on line 7, so nothing of it would go into the tunnel; wanted a narrower bypass"
    )


@pytest.mark.parametrize(
    "bypass",
    [
        '{local: "10.1.0.0/16[tcp]", remote: "10.2.0.0/24[tcp]"}',
        "{local: 10.1.0.0/16, remote: 10.2.0.128/25}",
        "{local: 2001:db8::/32, remote: 2001:db8::/32}",
    ],
)
def test_a_child_of_which_a_part_is_outside_is_no_problem(tmp_path: Path, bypass: str) -> None:
    read(tmp_path, f"{MINIMAL}bypass: {{some: {bypass}}}\n")


@pytest.mark.parametrize(
    ("bypass", "told"),
    [
        ("{own: {local: 10.1.0.0/16}}", "bypass.own: has no remote"),
        ("{own: {local: 10.1.0.0/16, remote: 2001:db8::/32}}", "wanted a bypass of its own for each"),
        ("{own: {local: 10.1.0.0/16, remote: [10.3.0.0/16, 10.3.0.0/16]}}", "says the same as item 0 of this list"),
        ("{own: {local: 10.1.0.0/16, remote: 10.3.0.0/16, lifetime: 1h}}", "belongs to the child, not to an entry of"),
        ("{a b: {local: 10.1.0.0/16, remote: 10.3.0.0/16}}", "this name is not usable"),
        ("[10.1.0.0/16]", "bypass: is a list; wanted a mapping"),
    ],
)
def test_what_can_be_wrong_with_it(tmp_path: Path, bypass: str, told: str) -> None:
    assert told in "\n".join(problems(tmp_path, f"{MINIMAL}bypass: {bypass}\n"))


# -- what is dropped --------------------------------------------------------------------------------------------------

SAME = "drop: {lan: {local: 10.1.0.0/24, remote: 10.2.0.0/24}}"
DROP = "drop: {printer: {local: 10.1.0.0/24, remote: 10.2.0.9}}"


def test_a_drop_within_a_child_is_no_problem(tmp_path: Path) -> None:
    loaded = read(tmp_path, f"{MINIMAL}{DROP}\n")
    assert [(drop.name, str(drop.remote)) for drop in loaded.config.drops] == [("printer", "10.2.0.9/32")]
    assert loaded.warnings == ()


def test_a_drop_around_a_child_is_no_problem(tmp_path: Path) -> None:
    assert read(tmp_path, f"{MINIMAL}drop: {{rest: {{local: 10.0.0.0/8, remote: 10.0.0.0/8}}}}\n").warnings == ()


def test_a_drop_of_the_very_networks_of_a_child_is_refused(tmp_path: Path) -> None:
    (found,) = problems(
        tmp_path, f"{MINIMAL}drop: {{all: {{local: 10.1.0.0/24, remote: [10.7.0.0/24, 10.2.0.0/24]}}}}\n"
    )
    assert found == (
        "ikevd.yaml:6:7: connections.berlin.children.lan: the pair 10.1.0.0/24 to 10.2.0.0/24 is also that of the drop "
        "all on line 7, so nothing of it would go into the tunnel; wanted one of the two"
    )


@pytest.mark.parametrize("shunt", ["bypass: {wide: {local: 10.0.0.0/8, remote: 10.0.0.0/8}}", SAME])
def test_a_child_of_an_interface_has_policies_of_its_own_beside_any_shunt(tmp_path: Path, shunt: str) -> None:
    routed = MINIMAL.replace("    children:", "    interface: berlin0\n    children:")
    assert [child.routed for child in next(iter(read(tmp_path, f"{routed}{shunt}\n").config.connections)).children] == [
        True
    ]


def test_a_drop_within_a_bypass_is_refused(tmp_path: Path) -> None:
    outside = "bypass: {wide: {local: 10.1.0.0/24, remote: 10.9.0.0/16}}"
    (found,) = problems(tmp_path, f"{MINIMAL}{outside}\ndrop: {{one: {{local: 10.1.0.0/24, remote: 10.9.0.9}}}}\n")
    assert "drop.one: the pair 10.1.0.0/24 to 10.9.0.9/32 lies within the bypass wide on line 7" in found
    assert "so nothing of it would be dropped" in found


@pytest.mark.parametrize(("what", "remote"), [("drop", "10.2.0.128-10.2.1.63"), ("bypass", "10.2.0.128-10.2.1.63")])
def test_a_range_that_takes_a_policy_from_a_child_is_doubted(tmp_path: Path, what: str, remote: str) -> None:
    """10.2.0.128-10.2.1.63 is 10.2.0.128/25 and 10.2.1.0/26."""
    half = MINIMAL.replace("10.2.0.0/24", "10.2.0.64-10.2.0.255")
    text = f"{half}{what}: {{odd: {{local: 10.1.0.0/24, remote: {remote}}}}}\n"
    (warning,) = [one for one in read(tmp_path, text).warnings if "shares" in one]
    assert f"shares 10.1.0.0/24 === 10.2.0.128/25 with the {what} odd" in warning
