"""Who and where: the notations of addresses, names, networks and identities in the configuration file."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, ip_address
from typing import Annotated

from pydantic import PlainValidator

from ikevd.addresses import Address
from ikevd.config.schema_text import parsed, text_of
from ikevd.frozen import frozen
from ikevd.policy.connection import AddressRange
from ikevd.policy.identity import ANYONE, WANTED, Identity
from ikevd.policy.selectors import Dynamic, TrafficSelector
from ikevd.wire.registry import IdType
from ikevd.wording import shown

MAX_IDENTITY = 255
MAX_DISTINGUISHED_NAME = 1024
"""In octets, as every identity."""
NAME = re.compile(r"(?=.*\.)([A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*\.?")
MAX_NAME = 253
ANYWHERE = ("any", "%any", "%any4", "%any6", "*", "anywhere", "0.0.0.0", "::")  # noqa: S104
"""Other programs' words for a peer that may come from anywhere, and ours in capitals."""


def _address(value: object) -> Address:
    text = text_of(value)
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is no IP address; {_no_address(text)}") from None
    if "%" in text:
        raise ValueError(
            f"{shown(text)} names an interface, as only a link-local address needs, and no ESP can be sent to one; "
            "wanted a global address"
        )
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
    text = text_of(value).strip()
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
    found = tuple([_name(text_of(item).strip()) or _address(item) for item in items])
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
    text = text_of(value)
    if text in ("null", "~"):
        raise ValueError(
            f"is {text}, which is no value; wanted an identity, or no such line (a host of this name: @{text})"
        )
    identity = Identity.parse(text)
    limit = MAX_DISTINGUISHED_NAME if identity.type in (IdType.DER_ASN1_DN, IdType.DER_ASN1_GN) else MAX_IDENTITY
    if len(identity.data) > limit:
        raise ValueError(f"is longer than {limit} octets; {WANTED}")
    return identity


@frozen
class Within(TrafficSelector):
    """Any part of it that a peer asks for."""

    @property
    def whole(self) -> TrafficSelector:
        """All of it."""
        return TrafficSelector(self.first, self.last, self.protocol, self.port)

    def __str__(self) -> str:
        return f"within {self.whole}"


ANY_END = IPv4Address(0)
"""Stands for an end of the SA until the connection tells of which IP version it is."""
DYNAMIC = "dynamic"
"""strongSwan's word for the end itself."""


def _selector(text: str) -> TrafficSelector:
    """One that is meant for an end itself may name a protocol and a port."""
    if text.strip() == DYNAMIC or text.strip().startswith(f"{DYNAMIC}["):
        packets = TrafficSelector.parse(f"{ANY_END}{text.strip().removeprefix(DYNAMIC)}")
        return Dynamic.of_end(ANY_END, packets.protocol, packets.port)
    return TrafficSelector.parse(text)


def _remote_selector(text: str) -> TrafficSelector:
    word, _, rest = text.strip().partition(" ")
    return Within.parse(rest) if word == "within" else _selector(text)


def _remote_identity(value: object) -> Identity:
    return ANYONE if text_of(value).strip() == "any" else _identity(value)


AddressValue = Annotated[Address, PlainValidator(_address, json_schema_input_type=str)]
AddressOrNone = Annotated[Address | None, PlainValidator(_local, json_schema_input_type=str)]
RemoteValue = Annotated[
    Address | AddressRange | Places | None, PlainValidator(_remote, json_schema_input_type=str | list[str])
]
IdentityOrNone = Annotated[Identity | None, PlainValidator(_identity, json_schema_input_type=str | int)]
RemoteIdentity = Annotated[Identity | None, PlainValidator(_remote_identity, json_schema_input_type=str | int)]
SelectorValue = Annotated[TrafficSelector, parsed(TrafficSelector.parse)]
LocalSelectorValue = Annotated[TrafficSelector, parsed(_selector)]
RemoteSelectorValue = Annotated[TrafficSelector, parsed(_remote_selector)]
