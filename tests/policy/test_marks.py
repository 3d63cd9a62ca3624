"""Marks: what packets bear inside this machine, and what a child has of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.policy.marks import Mark, Marks, OwnMark
from tests.builders import child

MARK, OTHER = Mark(0x4200, 0xFF00), Mark(7)
REQID = child().reqid


@pytest.mark.parametrize(
    ("marked", "marks"),
    [
        (child(), Marks()),
        (child(mark_in=MARK, mark_out=OTHER), Marks(0, MARK, OTHER)),
        (child(mark_out=OwnMark.UNIQUE), Marks(0, None, Mark(REQID))),
        (child(if_id=42, mark_in=OwnMark.UNIQUE, mark_out=OwnMark.UNIQUE), Marks(42, Mark(REQID), Mark(REQID))),
    ],
    ids=["none", "one for each direction", "its reqid", "with an interface"],
)
def test_the_marks_of_a_childs_policies(marked: object, marks: Marks) -> None:
    assert marked.marks == marks  # type: ignore[attr-defined]


def test_a_unique_mark_is_the_clients_and_not_the_templates() -> None:
    template = child(mark_in=OwnMark.UNIQUE, mark_out=OwnMark.UNIQUE, template=True)
    assert template.marks == Marks()
    assert replace(template, instance=True, reqid=7).marks == Marks(0, Mark(7), Mark(7))
    assert replace(template, mark_in=MARK).marks == Marks(0, MARK, None)


@pytest.mark.parametrize(("mark", "text"), [(MARK, "0x4200/0xff00"), (OTHER, "0x7")])
def test_a_mark_is_written_as_iptables_has_it(mark: Mark, text: str) -> None:
    assert str(mark) == text
