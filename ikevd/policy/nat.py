"""NAT traversal, as the file has it: how it is spoken, and when ESP travels in UDP."""

from __future__ import annotations

from enum import Enum


class NatMethod(Enum):
    """How NAT traversal is spoken: RFC 3947, or one of the drafts before it."""

    __hash__ = object.__hash__  # there is one of each, and that of `Enum` takes longer

    RFC_3947 = "RFC 3947"
    DRAFT_07 = "draft-07"
    """Also drafts 04 to 06 and 08."""
    DRAFT_03 = "draft-03"
    DRAFT_02 = "draft-02"


class Encap(Enum):
    """When ESP travels in UDP (RFC 3948)."""

    AUTO = "auto"
    """Where a NAT is found between the peers, or ESP alone proves to be blocked."""
    FORCE = "force"
    """Always."""
    TRIED = "tried"
    """Of one phase 1: the file says AUTO, and ESP seems to be blocked."""
