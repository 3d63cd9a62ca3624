"""Why one message of the peer is not accepted, as fields: it does not belong here, or does not prove or hold what it
must. `ikevd.observe.words` has the sentence of each."""

from __future__ import annotations

from ikevd.errors import Finding
from ikevd.frozen import frozen

# -- where it belongs -----------------------------------------------------------------------------------------------


@frozen
class OtherHeader(Finding):
    """A field of the ISAKMP header has another value than this exchange has at this stage."""

    field: str
    came: str
    wanted: str


@frozen
class OtherAddresses(Finding):
    """The message came between other addresses than those that negotiate."""

    remote: str
    """Endpoint that sent it."""
    local: str
    """Endpoint of ours that it came to."""
    known: str
    """The path of the exchange."""


@frozen
class WrongPort(Finding):
    """A message came by ports that no NAT explains (RFC 3947 section 4)."""

    came: int
    wanted: tuple[int, ...]
    ours: bool
    """Is it our port, to which it came, or the peer's?"""
    nat: bool
    """Was a NAT found that has to do with it?"""


# -- what it must prove ---------------------------------------------------------------------------------------------


@frozen
class HashNotFirst(Finding):
    """The first payload is no HASH payload. `name` is that of the HASH, as `HASH(1)`."""

    name: str


@frozen
class OtherHash(Finding):
    """The HASH payload has another value than we compute."""

    name: str


# -- what it must hold, in Quick Mode -------------------------------------------------------------------------------


@frozen
class IdentityCount(Finding):
    """So many ID payloads; two or none are wanted."""

    came: int


@frozen
class KeMissing(Finding):
    """PFS was agreed, and there is no KE payload."""

    group: str


@frozen
class KeUnasked(Finding):
    """There is a KE payload, and the chosen transform names no group."""


@frozen
class ReservedSpi(Finding):
    """The peer's ESP SPI is a reserved one (RFC 2406 section 2.1). `first`: the lowest that is not."""

    spi: str
    first: str


@frozen
class WeakKey(Finding):
    """KEYMAT begins with a weak key of the cipher."""

    spi: str
    transform: str
