"""The text of a scalar of the configuration file, and what is said of one that is something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydantic import PlainValidator

from ikevd.wording import shown

_T = TypeVar("_T")


def text_of(value: object) -> str:
    """A scalar as it stands in the file. Integers and booleans of `yaml_locations` lose nothing on the way back."""
    match value:
        case None:
            raise ValueError("has no value; wanted text")
        case bool():
            return str(value).lower()
        case str() | int():
            return str(value)
        case _:
            raise ValueError(f"is {shown(value)}; wanted text")


def what_it_is(value: object) -> str:
    """For a message: `is 'x'`."""
    return "has no value" if value is None else f"is {shown(value)}"


def parsed(parse: Callable[[str], _T]) -> PlainValidator:
    """For a notation of text; `parse` raises ValueError."""
    return PlainValidator(lambda value: parse(text_of(value)), json_schema_input_type=str)
