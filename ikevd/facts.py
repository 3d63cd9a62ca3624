"""What happened in a negotiation, as typed facts: the one language of evidence, log, status and trace. What was found
out stands in a fact as fields (`ikevd.findings`), never as a sentence.

A fact holds no key: wire octets are what an eavesdropper sees, and errors carry no key material.
"""

from __future__ import annotations

from dataclasses import field

from ikevd.addresses import Path
from ikevd.errors import Finding
from ikevd.frozen import frozen
from ikevd.wire.registry import NotifyType


@frozen
class Sent:
    """A message left. `copy` is 1 for the first time, then counts the repetitions."""

    label: str
    """MM1 to MM6, QM1 to QM3, INFO."""
    payloads: tuple[str, ...]
    octets: bytes = field(repr=False)
    path: Path
    copy: int = 1
    chain: bytes = field(default=b"", repr=False)
    """The payloads before encryption, with their generic headers; empty where the message is in the clear.

    It holds HASH: only `dissect.decode` reads it, which never shows a HASH, and nothing else gives it out.
    """


@frozen
class Heard:
    """A message arrived and was accepted."""

    label: str
    payloads: tuple[str, ...]
    octets: bytes = field(repr=False)
    path: Path
    chain: bytes = field(default=b"", repr=False)
    """The payloads after decryption, as in `Sent`."""


@frozen
class Repeated:
    """The peer repeated a message; `answered` tells whether our answer was sent again."""

    label: str
    answered: bool


@frozen
class Dropped:
    """A message was dropped, and why. It changed nothing."""

    label: str
    """The message that was awaited."""
    finding: Finding
    """Why."""
    error: str
    """Name of the error class, for counters."""
    size: int


@frozen
class Hint:
    """A notification in the clear: forgeable, so it is evidence and never an order."""

    notify: NotifyType


@frozen
class Note:
    """Something worth keeping."""

    finding: Finding


@frozen
class Established:
    """The exchange ended well, with this result."""

    finding: Finding


@frozen
class Failed:
    """The exchange ended without result, and why."""

    finding: Finding
    error: str
    """Name of the error class."""


Fact = Sent | Heard | Repeated | Dropped | Hint | Note | Established | Failed
