"""Marks of packets in the configuration file: a number with a mask or without, or a word."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import Annotated, TypeVar

from ikevd.config.schema_text import parsed
from ikevd.policy.marks import ALL_BITS, Mark, OwnMark
from ikevd.wording import shown

_NUMBER = "(0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})"
_NOTATION = re.compile(f"{_NUMBER}(?:/{_NUMBER})?")
_T = TypeVar("_T")


class Same(Enum):
    """In place of a mark."""

    SAME = "same"
    """That by which the packets are chosen."""


def _mark_or(meant: _T, word: str) -> Callable[[str], Mark | _T]:
    """`word`: stands for what is `meant`; strongSwan has it with a per cent sign."""
    wanted = f"wanted a number from 0 to {ALL_BITS:#x}, if need be with a mask, for example 0x4200/0xff00, or {word}"

    def parse(text: str) -> Mark | _T:
        if text == word:
            return meant
        if text.lower().startswith(f"%{word}"):
            raise ValueError(f"is {shown(text)}; did you mean {word!r}?")
        found = _NOTATION.fullmatch(text)
        written = [each for each in found.groups() if each] if found else []
        numbers = [int(each, 16 if each[:2].lower() == "0x" else 10) for each in written]
        if not numbers or max(numbers) > ALL_BITS:
            raise ValueError(f"is {shown(text)}; {wanted}")
        return _possible(text, Mark(*numbers))

    return parse


def _possible(text: str, mark: Mark) -> Mark:
    """Is there a packet with it, and one without?"""
    if not mark.mask:
        raise ValueError(f"is {text}, which every packet has; wanted another mask than 0, or no mark")
    if mark.value & ~mark.mask:
        raise ValueError(f"is {text}, whose mask leaves out bits of its value: no packet has it; wanted a wider mask")
    return mark


MarkOrNone = Annotated[Mark | OwnMark | None, parsed(_mark_or(OwnMark.UNIQUE, "unique"))]
SetMarkOrNone = Annotated[Mark | Same | None, parsed(_mark_or(Same.SAME, "same"))]
