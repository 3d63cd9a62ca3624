"""The configuration file: its sections, their keys, what each may hold, and the defaults.

Each key reads its own notation (a validator of this module), so that a message says what came and what would be
right. What needs two keys to be judged is judged in `checks`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema

from ikevd.addresses import Address
from ikevd.policy import proposals, secrets
from ikevd.policy.identity import Identity
from ikevd.policy.model import EspSuite, IkeSuite
from ikevd.policy.selectors import TrafficSelector
from ikevd.policy.wording import shown, suggestion

DEFAULT_IKE_PROPOSALS = (
    # Group 14 first, which every peer knows; then what strongSwan offers by default.
    "aes256-sha256-modp2048",
    "aes128-sha256-modp2048",
    "aes256-sha256-curve25519",
    "aes128-sha256-curve25519",
)
DEFAULT_ESP_PROPOSALS = ("aes256-sha256", "aes128-sha256")
DEFAULT_IKE_LIFETIME = 86_400
"""24 h, as Cisco IOS and ASA."""
DEFAULT_LIFETIME = 3_600
"""1 h, as Cisco IOS and strongSwan."""

MIN_LIFETIME = 60
MAX_LIFETIME = 2**32 - 1
MIN_KILOBYTES = 2_560
MAX_UNIX_PATH = 107
MAX_IDENTITY = 255

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


def _number(low: int, high: int, *, multiple: int = 1) -> PlainValidator:
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
        raise ValueError(
            f"is {shown(value)}; wanted a duration: a number with s, m, h, d or w, for example 8h or 3600s"
        )
    return float(match[1]) * _UNITS[match[2] or "s"]


def _lifetime(value: object) -> int:
    seconds = _seconds(value)
    if not MIN_LIFETIME <= seconds <= MAX_LIFETIME or seconds != int(seconds):
        raise ValueError(
            f"is {shown(value)}; wanted whole seconds from {MIN_LIFETIME} to {MAX_LIFETIME}, for example 1h"
        )
    return int(seconds)


def _interval(value: object) -> float:
    seconds = _seconds(value)
    if not 0.1 <= seconds <= 60:
        raise ValueError(f"is {shown(value)}; wanted a duration from 100ms to 60s")
    return seconds


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
    if re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.[A-Za-z][A-Za-z0-9-]*\.?", text):
        return "host names are not supported by this version; wanted for example 192.0.2.1"
    return "wanted for example 192.0.2.1 or 2001:db8::1"


def _remote(value: object) -> Address | None:
    text = _text(value)
    if text == "any":
        return None
    try:
        return _address(value)
    except ValueError as error:
        raise ValueError(f"{error}; or `any`, for a peer that may come from anywhere") from None


def _identity(value: object) -> Identity:
    text = _text(value).strip()
    wanted = "wanted an address, a host name, user@name, or keyid:group"
    if text in ("", "@", "keyid:"):
        raise ValueError(f"{shown(text)} is empty; {wanted}")
    if not text.isprintable():
        raise ValueError(f"{shown(text)} holds a control character; {wanted}")
    identity = Identity.parse(text)
    if len(identity.data) > MAX_IDENTITY:
        raise ValueError(f"is longer than {MAX_IDENTITY} octets; {wanted}")
    if re.fullmatch(r"[0-9]*\.[0-9.]+|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*", text) and not _is_address(text):
        raise ValueError(f"{shown(text)} looks like an address but is none; {wanted} (a name made of digits: @{text})")
    return identity


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _one_of(*words: str) -> PlainValidator:
    def validate(value: object) -> str:
        text = _text(value)
        if text not in words:
            raise ValueError(f"is {shown(value)}; {suggestion(text, words)}")
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


def _listed(value: object) -> object:
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


def _not_empty(children: dict[str, ChildSection]) -> dict[str, ChildSection]:
    if not children:
        raise ValueError("is empty; wanted at least one child, with local and remote networks")
    return children


def _parsed(parse: Callable[[str], _T]) -> PlainValidator:
    return PlainValidator(lambda value: parse(_text(value)), json_schema_input_type=str)


_Item = TypeVar("_Item")
OneOrMore = Annotated[tuple[_Item, ...], BeforeValidator(_listed)]
AddressValue = Annotated[Address, PlainValidator(_address, json_schema_input_type=str)]
AddressOrNone = Annotated[Address | None, PlainValidator(_address, json_schema_input_type=str)]
RemoteValue = Annotated[Address | None, PlainValidator(_remote, json_schema_input_type=str)]
IdentityOrNone = Annotated[Identity | None, PlainValidator(_identity, json_schema_input_type=str)]
SelectorValue = Annotated[TrafficSelector, _parsed(TrafficSelector.parse)]
IkeProposal = Annotated[IkeSuite, _parsed(proposals.parse_ike)]
EspProposal = Annotated[EspSuite, _parsed(proposals.parse_esp)]
LifetimeValue = Annotated[int, PlainValidator(_lifetime, json_schema_input_type=str | int)]
PskValue = Annotated[secrets.Source, PlainValidator(secrets.parse, json_schema_input_type=str | dict[str, str])]


class Section(BaseModel):
    """A mapping of the file: no key but those named here."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ChildSection(Section):
    """Networks to connect. Several on either side: one IPsec SA for each pair."""

    local: OneOrMore[SelectorValue] = Field(description="the networks on this side, for example 10.1.0.0/24")
    remote: OneOrMore[SelectorValue] = Field(description="the networks on the peer's side, for example 10.2.0.0/24")
    esp_proposals: OneOrMore[EspProposal] = tuple(map(proposals.parse_esp, DEFAULT_ESP_PROPOSALS))
    lifetime: LifetimeValue = DEFAULT_LIFETIME
    lifetime_kilobytes: Annotated[int | None, _number(MIN_KILOBYTES, 2**32 - 1)] = None
    start: Annotated[str | None, _one_of("auto", "manual")] = Field(
        default=None, description="auto, or manual; by default auto, and manual where the remote is `any`"
    )
    replay_window: Annotated[int, _number(32, 4096, multiple=32)] = 128


class RetransmitSection(Section):
    """How often a message that gets no answer is sent."""

    interval: Annotated[float, PlainValidator(_interval, json_schema_input_type=str | int)] = 1.0
    factor: Annotated[float, PlainValidator(_factor, json_schema_input_type=float)] = 1.8
    sends: Annotated[int, _number(1, 20)] = 6


class ConnectionSection(Section):
    """One peer."""

    local: AddressOrNone = None
    remote: RemoteValue = Field(description="the peer's address, or `any`")
    local_id: IdentityOrNone = None
    remote_id: IdentityOrNone = None
    psk: PskValue = Field(description=f"the pre-shared key: {secrets.WANTED}")
    ike_proposals: OneOrMore[IkeProposal] = tuple(map(proposals.parse_ike, DEFAULT_IKE_PROPOSALS))
    ike_lifetime: LifetimeValue = DEFAULT_IKE_LIFETIME
    retransmit: RetransmitSection = RetransmitSection()
    children: Annotated[dict[str, ChildSection], AfterValidator(_not_empty)] = Field(
        description="at least one, with local and remote networks"
    )


class ListenSection(Section):
    """The UDP sockets."""

    addresses: Annotated[
        tuple[AddressValue, ...], BeforeValidator(lambda value: () if value == [] else _listed(value))
    ] = ()
    port: Annotated[int, _number(1, 65535)] = 500
    nat_port: Annotated[int, _number(1, 65535)] = 4500


class ControlSection(Section):
    """The socket of `ikevd status` and the other commands."""

    socket: Annotated[Path, PlainValidator(_socket, json_schema_input_type=str)] = Path("/run/ikevd/control.sock")
    owner: Annotated[str | None, PlainValidator(_owner, json_schema_input_type=str)] = None
    mode: Annotated[int, PlainValidator(_mode, json_schema_input_type=str)] = 0o600


class LimitsSection(Section):
    """Bounds that protect this machine from strangers."""

    half_open: Annotated[int, _number(1, 1_000_000)] = 500
    half_open_per_address: Annotated[int, _number(1, 1_000_000)] = 5
    reserved_for_static: Annotated[int, _number(0, 1_000_000)] = 100


class LogSection(Section):
    """What is written to standard error."""

    format: Annotated[str, _one_of("console", "json")] = "console"
    level: Annotated[str, _one_of("debug", "info", "warning", "error")] = "info"


class FileSection(Section):
    """The whole file."""

    connections: dict[str, ConnectionSection] = Field(description="a mapping of names to peers")
    listen: ListenSection = ListenSection()
    control: ControlSection = ControlSection()
    limits: LimitsSection = LimitsSection()
    log: LogSection = LogSection()
    runtime_directory: Annotated[Path, PlainValidator(_absolute, json_schema_input_type=str)] = Path("/run/ikevd")


def section_at(path: tuple[str | int, ...]) -> type[Section] | None:
    """The section that stands at a path of the file, or None where none does."""
    match path:
        case ():
            return FileSection
        case ("listen",):
            return ListenSection
        case ("control",):
            return ControlSection
        case ("limits",):
            return LimitsSection
        case ("log",):
            return LogSection
        case ("connections", _):
            return ConnectionSection
        case ("connections", _, "retransmit"):
            return RetransmitSection
        case ("connections", _, "children", _):
            return ChildSection
        case _:
            return None
