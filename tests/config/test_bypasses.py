"""What stays outside of every tunnel, as the file says it."""

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
