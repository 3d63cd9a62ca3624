"""What is found out about the traffic selectors that a peer asks for or answers, as fields (see `findings`)."""

from __future__ import annotations

from ikevd.errors import Finding
from ikevd.findings import Part, Traffic
from ikevd.frozen import frozen


@frozen
class OtherSelectors(Finding):
    """The peer's answer names other traffic selectors than we asked for."""

    asked: Traffic
    answered: Traffic
    accepted: bool = False
    """Is what it answered installed, since `selection` is narrow?"""


@frozen
class ChildTraffic(Part):
    """A child with its traffic selectors."""

    name: str
    traffic: Traffic


@frozen
class Held(Finding):
    """The peer asks for traffic selectors that another peer has."""

    asked: Traffic
    holder: str
    """Its address and port."""
    seconds: int
    """Within so many it was heard of."""
    transport: bool = False
    """In transport mode: both may be hosts behind one NAT."""


@frozen
class OnePart(Finding):
    """The peer asks for a part of a template though it has another one."""

    asked: Traffic
    child: str
    has: str


@frozen
class NoSuchChild(Finding):
    """The peer asks for traffic selectors that no child has."""

    asked: Traffic
    children: tuple[ChildTraffic, ...]
    swapped: bool
    """Has the peer local and remote the wrong way round?"""
    near: bool = False
    """Has a child something in common with them?"""


@frozen
class Narrowed(Finding):
    """The peer asks for traffic selectors that no child has, and gets what children have of them."""

    asked: Traffic
    installed: tuple[ChildTraffic, ...]
    """That of each child which is installed."""
    into_nothing: bool
    """Does the peer take more for protected than is?"""
    partly: tuple[str, ...] = ()
    """Children of which the peer asks for a part only."""
    left: tuple[str, ...] = ()
    """Children that have something of it but are negotiated otherwise."""
    beyond: int = 0
    """How many children are too many for one pair."""
