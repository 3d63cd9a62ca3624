"""The interface of a route-based connection: its keys, the defaults, and a line on each for editors."""

from __future__ import annotations

import re
from ipaddress import IPv4Interface, IPv6Interface, ip_interface, ip_network
from typing import Annotated

from pydantic import BeforeValidator, Field

from ikevd.config.schema_text import parsed
from ikevd.config.schema_values import OneOrMore, number, one_of
from ikevd.config.section import Section
from ikevd.policy.interface import MAIN_TABLE
from ikevd.policy.selectors import Network
from ikevd.wording import shown

MAX_NUMBER = 2**32 - 1
MAX_MTU = 65_535
MIN_MTU = 576
NAME = re.compile(r"[A-Za-z0-9_.-]{1,15}")
NAMESPACE = re.compile(r"[A-Za-z0-9_.:@-]{1,255}")
TAKEN = ("lo", "all", "default", ".", "..")
"""What no interface of ours can be called."""


def interface_name(text: str) -> str:
    """Of one that could be made. Raises ValueError."""
    if not NAME.fullmatch(text) or text in TAKEN:
        raise ValueError(
            f"is {shown(text)}; wanted the name of an interface: 1 to 15 letters, digits, '_', '.' or '-', for example "
            "berlin0"
        )
    return text


def _namespace(text: str) -> str:
    if not NAMESPACE.fullmatch(text) or text in (".", ".."):
        raise ValueError(
            f"is {shown(text)}; wanted the name of a network namespace, as `ip netns` lists them, for example red"
        )
    return text


def _address(text: str) -> IPv4Interface | IPv6Interface:
    try:
        address = ip_interface(text)
    except ValueError:
        raise ValueError(f"is {shown(text)}; wanted an address with its network, for example 169.254.1.1/30") from None
    if address.ip.is_unspecified or address.ip.is_multicast or "%" in text:
        raise ValueError(f"{address.ip} is not the address of one host")
    return address


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        why = "has bits behind its prefix" if "host bits" in str(error) else f"is {shown(text)}"
        raise ValueError(f"{why}; wanted a network, for example 10.2.0.0/16") from None


class InterfaceSection(Section):
    """The interface of a route-based connection: what is routed to it goes through the tunnel, and nothing else. The
    name alone may stand in place of the section: `interface: berlin0`."""

    name: Annotated[str, parsed(interface_name)] = Field(
        description="what it is called, for example berlin0; ikevd makes it, or uses one that somebody else made with "
        "that name, kind and if_id"
    )
    kind: Annotated[str, one_of("auto", "xfrm", "vti")] = Field(
        default="auto",
        description="xfrm (an XFRM interface, Linux 4.19), vti (a virtual tunnel interface, with marks) or auto (the "
        "first of these that the kernel has)",
    )
    if_id: Annotated[int | None, number(1, MAX_NUMBER)] = Field(
        default=None,
        description="its number: if_id of an XFRM interface, key and mark of a VTI; left out: one that no other "
        "connection of the file has",
    )
    addresses: OneOrMore[Annotated[IPv4Interface | IPv6Interface, parsed(_address)]] = Field(
        default=(), description="its addresses, each with its network, for example 169.254.1.1/30"
    )
    routes: OneOrMore[Annotated[Network, parsed(_network)]] = Field(
        default=(),
        description="networks that are routed through it while a tunnel stands, for example 10.2.0.0/16; else they are "
        "unreachable, but with fail_open: true",
    )
    unreachable: OneOrMore[Annotated[Network, parsed(_network)]] = Field(
        default=(),
        description="networks to which nothing leaves but by a route that another program sets, as a routing daemon "
        "(docs/route-based.md), for example 10.0.0.0/8; not with fail_open: true",
    )
    table: Annotated[int, number(1, MAX_NUMBER)] = Field(
        default=MAIN_TABLE, description="the routing table of these routes; 254 is main"
    )
    metric: Annotated[int, number(0, 2**31 - 1)] = Field(
        default=0, description="of these routes; 0: the kernel's own (IPv6: 1024)"
    )
    namespace: Annotated[str | None, parsed(_namespace)] = Field(
        default=None,
        description="the network namespace in which it stands with its addresses and routes, as `ip netns` names it, "
        "for example red (docs/namespaces.md); left out: that of ikevd",
    )
    mtu: Annotated[int | None, number(MIN_MTU, MAX_MTU)] = Field(
        default=None, description="the longest packet that it takes; left out: what fits into the tunnel whole"
    )


def _section(value: object) -> object:
    """The name alone may stand."""
    return {"name": value} if isinstance(value, str | int) else value


InterfaceOrNone = Annotated[
    InterfaceSection | None, BeforeValidator(_section, json_schema_input_type=InterfaceSection | str)
]
