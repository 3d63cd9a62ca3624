"""How long: the notations of durations in the configuration file, and their bounds."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import PlainValidator

from ikevd.config.schema_text import text_of
from ikevd.wording import shown

MIN_LIFETIME = 60
MAX_LIFETIME = 2**32 - 1
MIN_INACTIVITY = 10
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def _seconds(value: object) -> float:
    text = text_of(value)
    match = re.fullmatch(r"([0-9]{1,10}(?:\.[0-9]{1,3})?) ?(ms|s|m|h|d|w)?", text)
    if not match:
        raise ValueError(f"is {shown(value)}; {_no_duration(text)}")
    return float(match[1]) * _UNITS[match[2] or "s"]


def _no_duration(text: str) -> str:
    longer = re.fullmatch(r"([0-9]{1,10}) *(ms|[smhdw])[a-z]*", text.lower())
    if longer:
        return f"did you mean {longer[1] + longer[2]!r}?"
    return "wanted a duration: a number with s, m, h, d or w, for example 8h or 3600s"


def _lifetime(value: object) -> int:
    seconds = _seconds(value)
    if not MIN_LIFETIME <= seconds <= MAX_LIFETIME or seconds != int(seconds):
        raise ValueError(
            f"is {shown(value)}; wanted whole seconds from {MIN_LIFETIME} to {MAX_LIFETIME}, for example 1h"
        )
    return int(seconds)


def _inactivity(value: object) -> int:
    seconds = _seconds(value)
    if not MIN_INACTIVITY <= seconds <= MAX_LIFETIME or seconds != int(seconds):
        raise ValueError(f"is {shown(value)}; wanted whole seconds from {MIN_INACTIVITY}, for example 10m")
    return int(seconds)


def _within(least: float, most: float, words: str) -> PlainValidator:
    """A duration; `words` name both ends."""

    def validate(value: object) -> float:
        seconds = _seconds(value)
        if not least <= seconds <= most:
            raise ValueError(f"is {shown(value)}; wanted a duration from {words}")
        return seconds

    return PlainValidator(validate, json_schema_input_type=str | int)


def _keepalive(value: object) -> float:
    seconds = _seconds(value)
    if seconds and not 1 <= seconds <= 3600:
        raise ValueError(f"is {shown(value)}; wanted a duration from 1s to 1h, or 0 for no keepalives")
    return seconds


LifetimeValue = Annotated[int, PlainValidator(_lifetime, json_schema_input_type=str | int)]
InactivityValue = Annotated[int | None, PlainValidator(_inactivity, json_schema_input_type=str | int)]
IntervalValue = Annotated[float, _within(0.1, 60, "100ms to 60s")]
PeerDelayValue = Annotated[float, _within(1, 3600, "1s to 1h")]
HookTimeoutValue = Annotated[float, _within(1, 600, "1s to 10m")]
PeerTimeoutValue = Annotated[float, _within(2, 600, "2s to 10m")]
KeepaliveValue = Annotated[float, PlainValidator(_keepalive, json_schema_input_type=str | int)]
