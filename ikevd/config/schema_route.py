"""The routes that follow policy-based children: their keys, the defaults, and a line on each for editors."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from ikevd.addresses import Address
from ikevd.config.schema_interface import MAX_MTU, MAX_NUMBER, MIN_MTU
from ikevd.config.schema_text import text_of
from ikevd.config.schema_values import listed, number
from ikevd.config.section import Section
from ikevd.policy.interface import MAIN_TABLE
from ikevd.wording import shown

AUTO = "auto"
RESERVED_TABLES = {253: "default", 255: "local"}


def _sources(value: object) -> tuple[Address, ...]:
    """Empty for `auto`."""
    items = listed(value)
    assert isinstance(items, tuple)
    return () if items == (AUTO,) else tuple(map(_source, items))


def _source(value: object) -> Address:
    text = text_of(value)
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(
            f"is {shown(text)}; wanted auto, or an address of this machine in the local network, for example 10.1.0.1"
        ) from None
    if address.is_unspecified or address.is_multicast or address.is_loopback or "%" in text:
        raise ValueError(f"{address} is no address that a tunnel carries")
    return address


def _table(table: int) -> int:
    if table in RESERVED_TABLES:
        raise ValueError(
            f"is {table}, the kernel's own ({RESERVED_TABLES[table]}); wanted 254 (main), or another one, as 220"
        )
    return table


class RouteSection(Section):
    """Routes to what the policy-based children protect on the other side: they give packets of this machine itself a
    source address that the tunnel carries (docs/routes.md). `route: auto` or addresses alone may stand in place of the
    section."""

    source: Annotated[tuple[Address, ...], PlainValidator(_sources, json_schema_input_type=str | list[str])] = Field(
        default=(),
        description="the address that packets of this machine itself get where they have chosen none: of several each "
        "child has the first in its local network; auto: one that this machine has there",
    )
    table: Annotated[int, number(1, MAX_NUMBER), AfterValidator(_table)] = Field(
        default=MAIN_TABLE,
        description="the routing table: 254 (main), or one of its own, as 220, for which ikevd sets a rule of priority "
        "220; a child for 0.0.0.0/0 needs one",
    )
    metric: Annotated[int, number(0, 2**31 - 1)] = Field(
        default=0, description="of these routes; 0: the kernel's own (IPv6: 1024)"
    )
    mtu: Annotated[int | None, number(MIN_MTU, MAX_MTU)] = Field(
        default=None,
        description="the longest packet that goes there whole, forwarded ones too: for a way on which nobody tells of "
        "packets that are too long; left out: the kernel finds out",
    )


def _section(value: object) -> object:
    """The addresses alone may stand."""
    return {"source": value} if isinstance(value, str | int | list) and not isinstance(value, bool) else value


RouteOrNone = Annotated[
    RouteSection | None, BeforeValidator(_section, json_schema_input_type=RouteSection | str | list[str])
]
