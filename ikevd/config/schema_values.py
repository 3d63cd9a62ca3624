"""What a value of the configuration file may hold: one validator for each notation.

Each says what came and what would be right. `schema` puts them together to sections.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema

from ikevd.addresses import Address
from ikevd.config import secrets
from ikevd.frozen import frozen
from ikevd.policy import proposals
from ikevd.policy.connection import AddressRange
from ikevd.policy.identity import WANTED, Identity
from ikevd.policy.selectors import TrafficSelector
from ikevd.policy.suites import EspSuite, IkeSuite
from ikevd.wire.registry import IdType
from ikevd.wording import shown, suggestion

MIN_LIFETIME = 60
MAX_LIFETIME = 2**32 - 1
MIN_INACTIVITY = 10
MIN_KILOBYTES = 2_560
MAX_UNIX_PATH = 107
MAX_IDENTITY = 255
MAX_NAME = 1024
"""Octets of a distinguished name in DER."""

NAME = re.compile(r"(?=.*\.)([A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*\.?")
MAX_NAME = 253
ANYWHERE = ("any", "%any", "%any4", "%any6", "*", "anywhere", "0.0.0.0", "::")  # noqa: S104
"""Other programs' words for a peer that may come from anywhere, and ours in capitals."""
BOOLEANS = {
    **dict.fromkeys(("yes", "on", "1", "y", "true", "enable", "enabled"), "true"),
    **dict.fromkeys(("no", "off", "0", "n", "false", "never", "disable", "disabled"), "false"),
}
"""Other programs' words for the two, and ours in quotes or capitals."""

_T = TypeVar("_T")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def _text(value: object) -> str:
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


def number(low: int, high: int, *, multiple: int = 1) -> PlainValidator:
    rule = f"a number from {low} to {high}" + (f", a multiple of {multiple}" if multiple > 1 else "")

    def validate(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            hint = " in plain decimal digits without quotes" if isinstance(value, str) else ""
            raise ValueError(f"{_is(value)}; wanted {rule}{hint}")
        if not low <= value <= high or value % multiple:
            raise ValueError(f"is {value}; wanted {rule}")
        return value

    json = {"type": "integer", "minimum": low, "maximum": high, "multipleOf": multiple}
    return PlainValidator(validate, json_schema_input_type=Annotated[int, WithJsonSchema(json)])


def _is(value: object) -> str:
    return "has no value" if value is None else f"is {shown(value)}"


def _factor(value: object) -> float:
    text = _text(value)
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,3})?", text) or not 1 <= float(text) <= 10:
        raise ValueError(f"is {shown(value)}; wanted a number from 1 to 10, for example 1.8")
    return float(text)


def _seconds(value: object) -> float:
    text = _text(value)
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


def boolean(value: object) -> bool:
    """`true` or `false`; YAML 1.1's `yes` and `off` are texts here."""
    if isinstance(value, bool):
        return value
    meant = BOOLEANS.get(str(value).lower())
    raise ValueError(f"{_is(value)}; {f'did you mean {meant}?' if meant else 'wanted true or false'}")


def _address(value: object) -> Address:
    text = _text(value)
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is no IP address; {_no_address(text)}") from None
    if "%" in text:
        raise ValueError(f"{shown(text)} names an interface; wanted an address without '%'")
    if address.is_unspecified or address.is_multicast or address == IPv4Address("255.255.255.255"):
        raise ValueError(f"{address} is not the address of one host")
    return address


def _no_address(text: str) -> str:
    if NAME.fullmatch(text):
        return "a name may stand as the `remote` of a connection alone; wanted for example 192.0.2.1"
    return "wanted for example 192.0.2.1 or 2001:db8::1"


def _local(value: object) -> Address:
    try:
        return _address(value)
    except ValueError as error:
        raise ValueError(f"{error}; or no such line: then routing chooses") from None


@frozen
class Places:
    """Where one peer is called: addresses and names, in this order."""

    all: tuple[Address | str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are no addresses."""
        return tuple(place for place in self.all if isinstance(place, str))

    def __str__(self) -> str:
        return ", ".join(map(str, self.all))


def _remote(value: object) -> Address | AddressRange | Places | None:
    if isinstance(value, list):
        return _places(value)
    text = _text(value).strip()
    if text == "any":
        return None
    if text.lower() in ANYWHERE:
        raise ValueError(f"is {shown(text)}; did you mean `any`?")
    if "/" in text or re.fullmatch(r"[0-9A-Fa-f:. ]+-[0-9A-Fa-f:. ]+", text):
        return _peers(text)
    if name := _name(text):
        return Places((name,))
    try:
        return _address(value)
    except ValueError as error:
        raise ValueError(
            f"{error}; or `any`, a name, or a network or range such as 192.0.2.10-192.0.2.20, for a peer that may "
            "come from there"
        ) from None


def _places(items: list[object]) -> Address | Places:
    """A list of one address is that address."""
    found = tuple([_name(_text(item).strip()) or _address(item) for item in items])
    if not found:
        raise ValueError("is empty; wanted an address, a name or several of them")
    if len(set(found)) < len(found):
        raise ValueError("names a place twice")
    (first, *others) = found
    return Places(found) if others or isinstance(first, str) else first


def _name(text: str) -> str | None:
    """As the resolver takes it (RFC 1123 section 2.1); None: it is none."""
    known = len(text) <= MAX_NAME and NAME.fullmatch(text)
    return text.rstrip(".").lower() if known else None


def _peers(text: str) -> Address | AddressRange:
    """A network or range of addresses; one of a single address is that address."""
    if "[" in text:
        raise ValueError(f"{shown(text)} names a protocol; wanted addresses alone, for example 192.0.2.0/24")
    selector = TrafficSelector.parse(text)
    if selector.first == selector.last:
        return _address(str(selector.first))
    if selector.first.is_multicast or selector.last.is_multicast:
        raise ValueError(f"{shown(text)} holds multicast addresses, which no peer has")
    return AddressRange(selector.first, selector.last)


def _identity(value: object) -> Identity:
    text = _text(value)
    if text in ("null", "~"):
        raise ValueError(
            f"is {text}, which is no value; wanted an identity, or no such line (a host of this name: @{text})"
        )
    identity = Identity.parse(text)
    limit = MAX_NAME if identity.type in (IdType.DER_ASN1_DN, IdType.DER_ASN1_GN) else MAX_IDENTITY
    if len(identity.data) > limit:
        raise ValueError(f"is longer than {limit} octets; {WANTED}")
    return identity


@frozen
class Within(TrafficSelector):
    """Any part of it that a peer asks for."""

    def __str__(self) -> str:
        return f"within {TrafficSelector(self.first, self.last, self.protocol, self.port)}"


def _remote_selector(text: str) -> TrafficSelector:
    word, _, rest = text.strip().partition(" ")
    return Within.parse(rest) if word == "within" else TrafficSelector.parse(text)


def one_of(*words: str, others: Mapping[str, str] | None = None) -> PlainValidator:
    """`others`: what words of other programs mean, for the question in the message."""

    def validate(value: object) -> str:
        text = _text(value)
        if text not in words:
            raise ValueError(f"is {shown(value)}; {suggestion(text, words, others)}")
        return text

    json = {"type": "string", "enum": list(words)}
    return PlainValidator(validate, json_schema_input_type=Annotated[str, WithJsonSchema(json)])


def _absolute(value: object) -> Path:
    text = _text(value)
    if not text.startswith("/") or "\0" in text:
        raise ValueError(f"is {shown(text)}; wanted an absolute path, for example /run/ikevd")
    return Path(text)


def _socket(value: object) -> Path:
    path = _absolute(value)
    if len(str(path).encode()) > MAX_UNIX_PATH:
        raise ValueError(f"is longer than the {MAX_UNIX_PATH} octets that a unix socket may have")
    return path


def _owner(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?", text):
        raise ValueError(f"is {shown(text)}; wanted user or user:group")
    return text


def _mode(value: object) -> int:
    text = _text(value)
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


def _parsed(parse: Callable[[str], _T]) -> PlainValidator:
    return PlainValidator(lambda value: parse(_text(value)), json_schema_input_type=str)


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
AddressValue = Annotated[Address, PlainValidator(_address, json_schema_input_type=str)]
AddressOrNone = Annotated[Address | None, PlainValidator(_local, json_schema_input_type=str)]
RemoteValue = Annotated[
    Address | AddressRange | Places | None, PlainValidator(_remote, json_schema_input_type=str | list[str])
]
IdentityOrNone = Annotated[Identity | None, PlainValidator(_identity, json_schema_input_type=str | int)]
SelectorValue = Annotated[TrafficSelector, _parsed(TrafficSelector.parse)]
RemoteSelectorValue = Annotated[TrafficSelector, _parsed(_remote_selector)]
IkeProposal = Annotated[IkeSuite, _parsed(proposals.parse_ike)]
EspProposal = Annotated[EspSuite, _parsed(proposals.parse_esp)]
LifetimeValue = Annotated[int, PlainValidator(_lifetime, json_schema_input_type=str | int)]
InactivityValue = Annotated[int | None, PlainValidator(_inactivity, json_schema_input_type=str | int)]
IntervalValue = Annotated[float, _within(0.1, 60, "100ms to 60s")]
PeerDelayValue = Annotated[float, _within(1, 3600, "1s to 1h")]
PeerTimeoutValue = Annotated[float, _within(2, 600, "2s to 10m")]
KeepaliveValue = Annotated[float, PlainValidator(_keepalive, json_schema_input_type=str | int)]
FactorValue = Annotated[float, PlainValidator(_factor, json_schema_input_type=float)]
Switch = Annotated[bool, PlainValidator(boolean, json_schema_input_type=bool)]
SwitchOrNone = Annotated[bool | None, PlainValidator(boolean, json_schema_input_type=bool)]
PathValue = Annotated[Path, PlainValidator(_absolute, json_schema_input_type=str)]
SocketValue = Annotated[Path, PlainValidator(_socket, json_schema_input_type=str)]
SocketOrNone = Annotated[Path | None, PlainValidator(_socket, json_schema_input_type=str)]
OwnerOrNone = Annotated[str | None, PlainValidator(_owner, json_schema_input_type=str)]
ModeValue = Annotated[int, PlainValidator(_mode, json_schema_input_type=str | int)]
PskValue = Annotated[secrets.Source, PlainValidator(secrets.parse, json_schema_input_type=_PskJson)]
