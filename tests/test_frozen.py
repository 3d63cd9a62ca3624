"""Values that nothing changes: how they are declared, and that all are declared so."""

from __future__ import annotations

import ast
from dataclasses import field, replace
from pathlib import Path
from typing import Any

import pytest
from mypy import api

from ikevd import frozen as room
from ikevd.frozen import frozen

PACKAGE = Path(__file__).parent.parent / "ikevd"
CHANGES_ONE = """
from ikevd.peer.state import SaidDelete
from ikevd.sa.model import Spi
SaidDelete(Spi(b"four"), 1.0).at = 2.0
"""


@frozen
class Place:
    street: str
    number: int = 1
    seen: list[str] = field(default_factory=list, compare=False)


@frozen
class Named:
    name: str

    def __hash__(self) -> int:
        return 7


def test_a_copy_is_the_one_that_dataclasses_makes() -> None:
    place = Place("Hill Road", 2, ["today"])
    assert room.replace(place, number=3) == replace(place, number=3)
    assert room.replace(place, number=3).seen is place.seen


def test_a_field_that_there_is_not_is_refused() -> None:
    """mypy sees names that are written out, and not those in a mapping."""
    changes: dict[str, Any] = {"house": 3}
    with pytest.raises(TypeError, match=r"Place.*house"):
        room.replace(Place("Hill Road"), **changes)


def test_values_with_equal_fields_are_equal_and_have_one_hash() -> None:
    assert Place("Hill Road") == Place("Hill Road", 1, ["today"])
    assert hash(Place("Hill Road")) == hash(Place("Hill Road", 1, ["today"]))
    assert Place("Hill Road") != Place("Hill Road", 2)


def test_a_changed_copy_leaves_the_value_as_it_was() -> None:
    before = Place("Hill Road")
    assert replace(before, number=3) == Place("Hill Road", 3)
    assert before == Place("Hill Road", 1)


def test_a_value_has_no_room_for_what_is_not_declared() -> None:
    with pytest.raises(AttributeError):
        setattr(Place("Hill Road"), "town", "Bath")  # noqa: B010  # mypy would object to the plain form


def test_a_hash_of_its_own_stays() -> None:
    assert hash(Named("a")) == 7


@pytest.mark.long
def test_mypy_objects_where_a_value_is_changed() -> None:
    found, _, status = api.run(["--strict", "-c", CHANGES_ONE])
    assert status == 1
    assert 'Property "at" defined in "SaidDelete" is read-only' in " ".join(found.split())


def test_no_value_is_declared_frozen_in_another_way() -> None:
    """Unless it has an order, too."""
    assert [path for path in PACKAGE.rglob("*.py") if _has_another_way(ast.parse(path.read_text()))] == []


def _has_another_way(tree: ast.AST) -> bool:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "dataclass"]
    options = [{keyword.arg for keyword in call.keywords} for call in made]
    return any("frozen" in names and "order" not in names for names in options)
