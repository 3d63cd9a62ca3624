"""Every test that docs/hostile-input.md names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
MAP = TESTS.parent / "docs" / "hostile-input.md"
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", MAP.read_text())))


@cache
def functions(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_the_map_names_exists(file: str, name: str) -> None:
    assert name in functions(file)


def test_every_row_of_the_map_names_a_test() -> None:
    rows = [line for line in MAP.read_text().splitlines() if re.match(r"\| (?!point|rule|vulnerability)", line)]
    assert len(rows) > 70
    assert [row for row in rows if "::test_" not in row and "above, State" not in row] == []


def test_every_hostile_test_has_its_place_on_the_map() -> None:
    named = {name for _, name in NAMED}
    here = {name for file in Path(__file__).parent.glob("test_*.py") for name in functions(f"hostile/{file.name}")}
    ours = {name for name in functions("hostile/test_map.py") if name.startswith("test_")}
    assert sorted(name for name in here - named - ours if name.startswith("test_")) == []
