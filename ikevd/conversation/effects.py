"""What a conversation wants done by its owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ikevd.addresses import Path
from ikevd.errors import IkeError
from ikevd.exchanges.link import HostCall
from ikevd.facts import Fact


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send these octets."""

    octets: bytes
    path: Path


@dataclass(frozen=True, slots=True)
class AskHost:
    """Do this and `resume` (or `refuse`) the conversation with the outcome."""

    call: HostCall


@dataclass(frozen=True, slots=True)
class Record:
    """Keep this as evidence."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class Returned:
    """The exchange ended well."""

    result: Any


@dataclass(frozen=True, slots=True)
class Raised:
    """The exchange ended without result."""

    error: IkeError


Effect = Transmit | AskHost | Record | Returned | Raised
