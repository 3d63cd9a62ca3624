"""The notations of updown programs in the configuration file."""

from __future__ import annotations

from typing import Annotated

from pydantic import PlainValidator

from ikevd.config.schema_text import text_of
from ikevd.policy.updown import CAPABILITIES
from ikevd.wording import closest, shown

NONE = "none"
"""A child's word for: not that of its connection."""
EXAMPLE = "/etc/ikevd/updown or [/etc/ikevd/updown, --table, 200]"
MAX_WORDS = 64


def _command(value: object) -> tuple[str, ...]:
    """The program and its arguments; empty for `none`."""
    words = tuple(map(text_of, value if isinstance(value, list) else (value,)))
    if words == (NONE,):
        return ()
    if not words:
        raise ValueError(f"is an empty list; wanted {EXAMPLE}")
    if len(words) > MAX_WORDS or any("\0" in word for word in words):
        raise ValueError(f"has more than {MAX_WORDS} words, or one with a NUL; wanted {EXAMPLE}")
    if not words[0].startswith("/"):
        hint = "" if " " not in words[0] else ", each argument a word of the list, since no shell reads it"
        raise ValueError(f"is {shown(words[0])}; wanted an absolute path, as {EXAMPLE}{hint}")
    return words


def _capabilities(value: object) -> tuple[str, ...]:
    return tuple(map(_capability, value if isinstance(value, list) else (value,)))


def _capability(value: object) -> str:
    text = text_of(value)
    name = text.lower().removeprefix("cap_")
    if text in CAPABILITIES:
        return text
    meant = closest(name, CAPABILITIES)
    raise ValueError(
        f"is {shown(text)}; {f'did you mean {meant!r}?' if meant else 'wanted a capability of Linux, as net_admin'}"
    )


UpdownValue = Annotated[tuple[str, ...] | None, PlainValidator(_command, json_schema_input_type=str | list[str | int])]
CapabilitiesValue = Annotated[tuple[str, ...], PlainValidator(_capabilities, json_schema_input_type=str | list[str])]
