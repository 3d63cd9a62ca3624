"""What a value of the configuration file may hold: one validator for each notation.

Each says what came and what would be right. Durations are in `schema_durations`; addresses, networks and identities in
`schema_addresses`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema

from ikevd.config import secrets
from ikevd.config.schema_text import parsed, text_of, what_it_is
from ikevd.policy import proposals
from ikevd.policy.suites import IkeSuite, IpsecSuite
from ikevd.wording import shown, suggestion

MIN_KILOBYTES = 2_560
MAX_UNIX_PATH = 107
BOOLEANS = {
    **dict.fromkeys(("yes", "on", "1", "y", "true", "enable", "enabled"), "true"),
    **dict.fromkeys(("no", "off", "0", "n", "false", "never", "disable", "disabled"), "false"),
}
"""Other programs' words for the two, and ours in quotes or capitals."""


def number(low: int, high: int, *, multiple: int = 1, words: Mapping[str, int] | None = None) -> PlainValidator:
    """`words`: texts that stand for a number which nobody shall write as such."""
    known = words or {}
    rule = f"a number from {low} to {high}" + (f", a multiple of {multiple}" if multiple > 1 else "")
    rule += "".join(f", or {word}" for word in known)

    def validate(value: object) -> int:
        if isinstance(value, str) and value in known:
            return known[value]
        if isinstance(value, bool) or not isinstance(value, int):
            hint = " in plain decimal digits without quotes" if isinstance(value, str) else ""
            raise ValueError(f"{what_it_is(value)}; wanted {rule}{hint}")
        if not low <= value <= high or value % multiple:
            raise ValueError(f"is {value}; wanted {rule}")
        return value

    json: dict[str, object] = {"type": "integer", "minimum": low, "maximum": high, "multipleOf": multiple}
    if known:
        json = {"anyOf": [json, {"type": "string", "enum": list(known)}]}
    return PlainValidator(validate, json_schema_input_type=Annotated[int, WithJsonSchema(json)])


def _factor(value: object) -> float:
    text = text_of(value)
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,3})?", text) or not 1 <= float(text) <= 10:
        raise ValueError(f"is {shown(value)}; wanted a number from 1 to 10, for example 1.8")
    return float(text)


def boolean(value: object) -> bool:
    """`true` or `false`; YAML 1.1's `yes` and `off` are texts here."""
    if isinstance(value, bool):
        return value
    meant = BOOLEANS.get(str(value).lower())
    raise ValueError(f"{what_it_is(value)}; {f'did you mean {meant}?' if meant else 'wanted true or false'}")


def one_of(*words: str, others: Mapping[str, str] | None = None) -> PlainValidator:
    """`others`: what words of other programs mean, for the question in the message."""

    def validate(value: object) -> str:
        text = text_of(value)
        if text not in words:
            raise ValueError(f"is {shown(value)}; {suggestion(text, words, others)}")
        return text

    json = {"type": "string", "enum": list(words)}
    return PlainValidator(validate, json_schema_input_type=Annotated[str, WithJsonSchema(json)])


def _absolute(value: object) -> Path:
    text = text_of(value)
    if not text.startswith("/") or "\0" in text:
        raise ValueError(f"is {shown(text)}; wanted an absolute path, for example /run/ikevd")
    return Path(text)


def _socket(value: object) -> Path:
    path = _absolute(value)
    if len(str(path).encode()) > MAX_UNIX_PATH:
        raise ValueError(f"is longer than the {MAX_UNIX_PATH} octets that a unix socket may have")
    return path


def _owner(value: object) -> str:
    text = text_of(value)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?", text):
        raise ValueError(f"is {shown(text)}; wanted user or user:group")
    return text


def _mode(value: object) -> int:
    text = text_of(value)
    if not re.fullmatch("0[0-7]{3}", text):
        raise ValueError(f"is {shown(value)}; wanted four octal digits, for example 0660")
    return int(text, 8)


def listed(value: object) -> object:
    """One item may stand without brackets."""
    match value:
        case None:
            raise ValueError("has no value; wanted one item or a list")
        case []:
            raise ValueError("is an empty list; wanted at least one item")
        case list():
            return tuple(value)
        case _:
            return (value,)


_PSK_MAPPING = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "description": "a file of mode 600, relative to this one"},
        "env": {"type": "string", "description": "an environment variable"},
        "credential": {"type": "string", "description": "a credential of the systemd unit (LoadCredential=)"},
    },
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
_PskJson = str | int | Annotated[dict[str, str], WithJsonSchema(_PSK_MAPPING)]

_Item = TypeVar("_Item")
OneOrMore = Annotated[tuple[_Item, ...], BeforeValidator(listed)]
IkeProposal = Annotated[IkeSuite, parsed(proposals.parse_ike)]
EspProposal = Annotated[IpsecSuite, parsed(proposals.parse_esp)]
AhProposal = Annotated[IpsecSuite, parsed(proposals.parse_ah)]
FactorValue = Annotated[float, PlainValidator(_factor, json_schema_input_type=float)]
Switch = Annotated[bool, PlainValidator(boolean, json_schema_input_type=bool)]
SwitchOrNone = Annotated[bool | None, PlainValidator(boolean, json_schema_input_type=bool)]
PathValue = Annotated[Path, PlainValidator(_absolute, json_schema_input_type=str)]
SocketValue = Annotated[Path, PlainValidator(_socket, json_schema_input_type=str)]
SocketOrNone = Annotated[Path | None, PlainValidator(_socket, json_schema_input_type=str)]
OwnerOrNone = Annotated[str | None, PlainValidator(_owner, json_schema_input_type=str)]
ModeValue = Annotated[int, PlainValidator(_mode, json_schema_input_type=str | int)]
PskValue = Annotated[secrets.Source, PlainValidator(secrets.parse, json_schema_input_type=_PskJson)]
