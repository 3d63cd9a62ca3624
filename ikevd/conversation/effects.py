"""What a conversation wants done by its owner."""

from __future__ import annotations

from dataclasses import field
from typing import Generic, final

from ikevd.addresses import Path
from ikevd.conversation.inputs import Input
from ikevd.errors import IkeError
from ikevd.exchanges.link import HostCall, T_co
from ikevd.facts import Fact
from ikevd.frozen import frozen


@final
@frozen
class Transmit:
    """Send these octets."""

    octets: bytes
    path: Path


@final
@frozen
class AskHost:
    """Do this and `resume` (or `refuse`) the conversation with the outcome."""

    call: HostCall


@final
@frozen
class Heeded:
    """The peer has said INITIAL-CONTACT in a verified message of the exchange."""


@final
@frozen
class CameTwice:
    """What came from another address has come from the known one, too: somebody sends copies."""


@final
@frozen
class Remember:
    """Keep this, before anything else of what it led to is done: with all that was kept before, it leads there again.
    It stands first, and only where the exchange has not failed."""

    given: Input
    said: bytes = field(repr=False)
    """Digest of all that the exchange has said, what follows included."""


@final
@frozen
class Returned(Generic[T_co]):
    """The exchange ended well."""

    result: T_co


@final
@frozen
class Raised:
    """The exchange ended without result."""

    error: IkeError


Spoken = Fact | Transmit | CameTwice
"""What was heard or said, and what is to be said."""
Effect = Fact | Transmit | AskHost | Heeded | CameTwice | Remember | Returned[T_co] | Raised
"""A fact is evidence to be kept."""
