"""What is found out in a negotiation, as fields: why something was refused or failed, and what is worth keeping.

Suites stand in the notation of the configuration, identities and selectors as they are shown: plain values, which JSON
can hold and a later start can read. `ikevd.refusals` has those about one message that is not accepted, and
`ikevd.observe.words` the sentence of each.
"""

from __future__ import annotations

from enum import Enum

from ikevd.errors import Finding
from ikevd.frozen import frozen

# -- parts ----------------------------------------------------------------------------------------------------------


@frozen
class Part:
    """Fields that belong together, within a finding."""


@frozen
class Named(Part):
    """An identity with its type, since a difference in type alone is a common fault."""

    value: str
    type: str


@frozen
class Traffic(Part):
    """A pair of traffic selectors as this side sees them."""

    local: str
    remote: str


@frozen
class Difference(Part):
    """In what two suites differ, and the two values."""

    field: str
    theirs: str
    ours: str


# -- proposals ------------------------------------------------------------------------------------------------------


@frozen
class NearestMiss(Finding):
    """No offer of the peer is acceptable; these two suites differ least."""

    phase: int
    theirs: str
    ours: str
    differences: tuple[Difference, ...]


@frozen
class NothingComparable(Finding):
    """The peer offers nothing that could be held against our suites."""

    phase: int
    offered: tuple[str, ...]
    """Each different thing that it offers: `AH`, `ESP with IPCOMP`, `a transform without HASH`."""
    together: bool = False
    """Does it want several protocols under one number, as ESP with IPCOMP?"""
    wanted: str = "ESP"
    """What we would take: ESP or AH."""


@frozen
class NotOffered(Finding):
    """The peer chose a suite that we did not offer; `ours` is the nearest one that we did."""

    chosen: str
    ours: str
    differences: tuple[Difference, ...]


@frozen
class NoSuite(Finding):
    """The peer's choice is no suite at all."""

    chosen: str


@frozen
class ManyChosen(Finding):
    """The peer's answer must hold one proposal with one transform (RFC 2408 section 4.2)."""

    proposals: int
    transforms: int


@frozen
class OtherProtocol(Finding):
    """The peer chose a protocol that we did not offer."""

    chosen: str
    offered: str


# -- identities and keys --------------------------------------------------------------------------------------------


class Sign(Enum):
    """What tells that the peer holds another pre-shared key."""

    MESSAGE_5 = "message 5 does not decrypt"
    ANSWER_TO_5 = "the answer to message 5 does not decrypt"
    HASH_R = "HASH_R of message 2 does not match"
    MESSAGE_3 = "message 3 does not decrypt, or its HASH_I does not match"


@frozen
class OtherKey(Finding):
    """Probably the pre-shared keys differ. `sources` tell where those that were tried are defined."""

    sign: Sign
    sources: tuple[str, ...]


@frozen
class OtherIdentity(Finding):
    """The peer calls itself otherwise than it must."""

    claimed: Named
    wanted: tuple[Named, ...]
    configured: bool
    """Is what is wanted configured as remote_id? Else it is the peer's address."""


@frozen
class IdentityRefused(Finding):
    """The peer has our key, and refuses our identity or what came with it: it said so under that key."""

    notify: str
    identity: Named
    """What we call ourselves."""


@frozen
class AnsweredOtherwise(Finding):
    """An encrypted message came that opens under none of our keys. Forgeable, so it is a hint."""


# -- Quick Mode -----------------------------------------------------------------------------------------------------


@frozen
class Asked(Finding):
    """What we asked for in message 1 of a Quick Mode."""

    traffic: Traffic
    suites: tuple[str, ...]
    shared: bool = False
    """In transport mode behind a NAT: another host there may ask for the same."""
    ipcomp: bool = False
    """Each with IPComp, and without."""


@frozen
class PeerRefuses(Finding):
    """The peer told us, authenticated, that it refuses."""

    notify: str
    asked: Asked


# -- strangers ------------------------------------------------------------------------------------------------------


@frozen
class NoConnection(Finding):
    """The peer's address is that of no connection."""


@frozen
class AggressiveNotAllowed(Finding):
    """The peer asks for Aggressive Mode, which the connection of its address does not allow."""

    connection: str


# -- silence --------------------------------------------------------------------------------------------------------


@frozen
class Unreachable(Finding):
    """An ICMP error says that a datagram did not arrive. Forgeable, so it is evidence only."""

    reason: str
    """As RFC 792 and RFC 4443 name it: `port unreachable`."""
    reporter: str | None
    """Address of who says so, or `this machine`; None where the kernel does not tell."""
    remote: str
    """Endpoint to which the datagram went."""


@frozen
class Undelivered(Finding):
    """A datagram could not leave this machine."""

    reason: str
    """In words, with both endpoints."""


@frozen
class Silence(Finding):
    """Nothing acceptable came until the deadline."""

    awaited: str
    """The label of the message that should have come, as `MM2`."""
    sent: str | None
    """That of ours which should have brought it; None where we only waited."""
    sends: int
    seconds: int
    port: int
    """UDP port of the peer to which it went."""
    first_port: int
    """That of message 1, or where the peer answered before."""
    refused: Finding | None
    """Why the last message that came meanwhile was dropped."""
    hints: tuple[str, ...]
    """Notify types that came in the clear."""
    unreachable: tuple[Unreachable | Undelivered, ...]
    otherwise: bool = False
    """Did an encrypted answer come that opens under none of our keys?"""


@frozen
class SilentIdentity(Finding):
    """Silence after our message 5, the first encrypted one."""

    silence: Silence
    source: str
    """Where our pre-shared key is defined."""
    identity: Named
    """What we call ourselves."""


@frozen
class NoAnswerYet(Finding):
    """Our message was sent a second time."""

    awaited: str
    sent: str
    port: int
    first_port: int


@frozen
class RecordedLate(Finding):
    """Message 1 came among so many that it was not recorded then."""

    seconds: float
    """How long ago."""


# -- NAT traversal --------------------------------------------------------------------------------------------------


@frozen
class EspInUdp(Finding):
    """ESP will travel in UDP, and why."""

    method: str
    local: bool
    """Is a NAT in front of this side?"""
    remote: bool
    """Is one in front of the peer?"""
    forced: bool
    """Does `encap: force` ask for it?"""
    tried: bool = False
    """Is it tried, or kept, since ESP alone seems to be blocked?"""


@frozen
class NatDMissing(Finding):
    """The peer agreed on NAT traversal, but sends no NAT-D payload."""

    method: str
    number: int
    """Its payload type."""


@frozen
class EncapInVain(Finding):
    """`encap: force` has no effect, since the peer does not speak NAT traversal."""


@frozen
class StaysOnPort(Finding):
    """The peer does not go to the port that ESP in UDP needs."""

    port: int


# -- what else is worth keeping -------------------------------------------------------------------------------------


@frozen
class Announced(Finding):
    """Names of the vendor IDs that the peer sent; `more` others are not named."""

    names: tuple[str, ...]
    more: int = 0


@frozen
class CommitBit(Finding):
    """The peer sets the commit bit (RFC 2408 section 3.1)."""


@frozen
class NeverConnected(Finding):
    """It did not say CONNECTED within so many seconds."""

    seconds: float


@frozen
class SecretsNotTried(Finding):
    """So many secrets of the peer's candidates are left out by `limits.secrets`."""

    count: int


@frozen
class Mentioned(Finding):
    """Authenticated words of the peer."""

    names: tuple[str, ...]
    has_consequence: bool = False


@frozen
class OddPorts(Finding):
    """Protocol and port of the peer's phase 1 ID payload, where they are not the usual ones."""

    protocol: int
    port: int


@frozen
class IsakmpDeleted(Finding):
    """The peer deleted the ISAKMP SA."""


# -- results --------------------------------------------------------------------------------------------------------


@frozen
class IsakmpSaStands(Finding):
    """A phase 1 ended well. `peer` is its endpoint, `seconds` the lifetime."""

    remote_id: str
    peer: str
    suite: str
    seconds: int


@frozen
class IpsecSaStands(Finding):
    """A Quick Mode ended well."""

    traffic: Traffic
    suite: str
    spi_in: str
    spi_out: str
    cpi_in: str | None = None
    """None: nothing is compressed."""
    cpi_out: str | None = None
