"""What is found out about the traffic selectors that a peer asks for or answers, as fields (see `findings`)."""

from __future__ import annotations

from dataclasses import dataclass

from ikevd.errors import Finding
from ikevd.findings import Part, Traffic


@dataclass(frozen=True, slots=True)
class OtherSelectors(Finding):
    """The peer's answer names other traffic selectors than we asked for."""

    asked: Traffic
    answered: Traffic


@dataclass(frozen=True, slots=True)
class ChildTraffic(Part):
    """A child with its traffic selectors."""

    name: str
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class Held(Finding):
    """The peer asks for traffic selectors that another peer has."""

    asked: Traffic
    holder: str
    """Its address and port."""
    seconds: int
    """Within so many it was heard of."""


@dataclass(frozen=True, slots=True)
class OnePart(Finding):
    """The peer asks for a part of a template though it has another one."""

    asked: Traffic
    child: str
    has: str


@dataclass(frozen=True, slots=True)
class NoSuchChild(Finding):
    """The peer asks for traffic selectors that no child has."""

    asked: Traffic
    children: tuple[ChildTraffic, ...]
    swapped: bool
    """Has the peer local and remote the wrong way round?"""
