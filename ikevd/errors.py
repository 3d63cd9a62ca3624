"""What can go wrong, whose fault it is, and which Notify answers it.

An exception holds what was found out as fields (`Finding`), or one plain sentence that names the field, what came and
what was wanted. No exception ever carries key material.
"""

from __future__ import annotations

from errno import EEXIST, ENOKEY

from ikevd.frozen import frozen
from ikevd.wire.registry import NotifyType, Protocol


@frozen
class Finding:
    """What was found out, as fields that JSON can hold: `ikevd.findings` and `ikevd.refusals` have the kinds,
    `ikevd.observe.words` says them in a sentence."""


@frozen
class Said(Finding):
    """A sentence that was made where the fault was met: by a decoder, the kernel or the operating system."""

    text: str

    def __str__(self) -> str:
        return self.text


class IkeError(Exception):
    """Root of everything that this program raises on purpose."""

    def __init__(self, finding: Finding | str) -> None:
        super().__init__(finding)
        self.finding = Said(finding) if isinstance(finding, str) else finding

    notify: NotifyType | None = None
    """The Notify type (RFC 2408 section 3.14.1) that tells the peer, or None where nothing is said."""

    spi: bytes = b""
    """The peer's SPI that the Notify names, so that the peer can end the right negotiation."""

    protocol: Protocol = Protocol.ESP
    """Of that SPI."""


class Malformed(IkeError):
    """The peer's bytes do not follow RFC 2408: too short, too long, reserved bits set."""

    notify = NotifyType.PAYLOAD_MALFORMED


class Refused(IkeError):
    """Well-formed, but not acceptable to us."""


class UnexpectedMessage(Refused):
    """A message of another exchange, role or stage than the one that is awaited."""


class InvalidHash(Refused):
    """A HASH payload does not match: the message was forged, altered, or made with another key."""

    notify = NotifyType.INVALID_HASH_INFORMATION


class InvalidKey(Refused):
    """A Diffie-Hellman public value has the wrong length or is a weak one."""

    notify = NotifyType.INVALID_KEY_INFORMATION


class NoProposalChosen(Refused):
    """Nothing in the peer's offer is acceptable, or the peer chose what was not offered."""

    notify = NotifyType.NO_PROPOSAL_CHOSEN


class InvalidId(Refused):
    """The peer's identity, or its pair of traffic selectors, matches nothing that is configured."""

    notify = NotifyType.INVALID_ID_INFORMATION


class AuthenticationFailed(Refused):
    """The peer could not prove its identity."""

    notify = NotifyType.AUTHENTICATION_FAILED


class ProbablePskMismatch(AuthenticationFailed):
    """A message that was encrypted with another key than ours, where the pre-shared key enters."""


class PeerRefused(IkeError):
    """The peer told us, authenticated, that it refuses."""

    def __init__(self, finding: Finding | str, received: NotifyType) -> None:
        super().__init__(finding)
        self.received = received


class PeerDeleted(IkeError):
    """The peer deleted the SA while it was being negotiated."""


class NoAnswer(IkeError):
    """The peer stayed silent until the deadline."""


class Abandoned(IkeError):
    """This side ended the negotiation: a command, a shutdown, a newer attempt."""


class LimitReached(IkeError):
    """A bound that protects this machine was reached."""


class InternalError(IkeError):
    """A bug: it ends the negotiation that met it, is logged with its cause, and harms nobody else."""


class KernelRefused(IkeError):
    """The kernel refused a request; the message holds its errno and extended acknowledgement.

    ISAKMP has no notification for it; strongSwan says it in this way, and ends a Quick Mode that it hears it of.
    """

    notify = NotifyType.NO_PROPOSAL_CHOSEN

    def __init__(self, message: str, errno: int) -> None:
        super().__init__(message)
        self.errno = errno


class PolicyTaken(KernelRefused):
    """Another owner's policy has the selector; the message names its reqid and the command that removes it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, errno=EEXIST)


class NotMoved(KernelRefused):
    """An SA could not follow its peer: it is of no use any more, or gone."""


class KeysWithheld(KernelRefused):
    """The kernel is locked down: it shows no keys, so that an SA can be neither changed nor moved."""

    def __init__(self, message: str) -> None:
        super().__init__(message, errno=ENOKEY)


class MissingPrivilege(IkeError):
    """The process lacks a capability or a port that it needs."""


class PortInUse(IkeError):
    """A UDP port cannot be bound: another process holds it, or the address is not this machine's."""


class CannotStart(IkeError):
    """Something of this machine, not of the configuration, is in the way: the service manager tries again."""


class ConfigError(IkeError):
    """The configuration cannot be used: each problem with file, line, column and what would be right."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
