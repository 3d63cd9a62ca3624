"""What moved an exchange, in order: plain data, from which another process can tell the exchange again (`replay`).

An exchange is a function of its beginning (with the seed of its entropy), of what it heard and of what the host
answered. The octets of these records lead to its keys: they are as secret as those.
"""

from __future__ import annotations

import struct
from enum import Enum
from hashlib import blake2b

from ikevd.addresses import Path
from ikevd.crypto.secret import Secret
from ikevd.frozen import frozen
from ikevd.sa.model import NO_COOKIE, Cookies, Spi
from ikevd.wire.registry import ExchangeType

MAX_OCTETS = 16 * 1024
"""Of all datagrams that are kept of one exchange. The longest Main Mode that was seen took 3,000."""
DIGEST_OCTETS = 16


class InputKind(Enum):
    """What was given to the exchange."""

    STARTED = "started"
    HEARD = "heard"
    """A datagram that was accepted, or a copy of the last one that forked the IV chain."""
    SERVED = "served"
    """The host did what was asked."""
    SILENT = "silent"
    """A wait has ended, and it went on without the message."""
    FORKED = "forked"
    """The peer may hold another last block of phase 1."""
    CONFIRMED = "confirmed"
    """The peer has our last message."""


@frozen
class Input:
    """One thing that moved the exchange. What moved nothing, as a forgery, is none."""

    kind: InputKind
    at: float = 0.0
    """STARTED, HEARD, SERVED, SILENT: when, in seconds of the machine's monotonic clock."""
    octets: bytes = b""
    """HEARD: the datagram. FORKED: that block."""
    path: Path | None = None
    """HEARD: its own."""
    spi: Spi | None = None
    """SERVED: what was asked for, if anything."""
    yes: bool = False
    """SERVED: the answer to a question."""

    @property
    def answer(self) -> Spi | bool | None:
        """SERVED: what the host answered."""
        return self.spi if self.spi is not None else (self.yes or None)

    def encoded(self) -> bytes:
        """All of it, for the digest."""
        spi, path = self.spi.octets if self.spi is not None else b"", _encoded(self.path) if self.path else b""
        yes = b"yes" if self.yes else b""
        return b"".join((self.kind.name.encode(), struct.pack(">d", self.at), spi, path, self.octets, yes))


@frozen
class Beginning:
    """What an exchange begins with, beside the policy."""

    seed: Secret
    """32 octets, for this exchange alone."""
    kind: ExchangeType
    initiator: bool
    cookies: Cookies
    """As known at the beginning."""
    message_id: int
    """0 in phase 1."""
    path: Path
    """The endpoints of the message that begins it."""
    minted: bytes = NO_COOKIE
    """The responder cookie that a responder of phase 1 gives out."""
    origins: tuple[bytes, ...] = ()
    """Last blocks of phase 1, from which its IV chain may begin: as `Situation.chains`."""
    forks: tuple[bytes, ...] = ()
    """Others from which what is said goes out as well: as `Situation.forks`."""
    nat_port: int = 4500
    answered_at: int | None = None

    @property
    def name(self) -> Cookies:
        """The cookies under which the exchange is kept: of a phase 1 of the peer's with the one that is given out."""
        return self.cookies if self.minted == NO_COOKIE else Cookies(self.cookies.initiator, self.minted)

    @property
    def digest(self) -> bytes:
        """Of all of it."""
        flags = f"{self.kind} {self.initiator} {self.message_id} {self.nat_port} {self.answered_at} {len(self.origins)}"
        blocks = (*self.origins, *self.forks)
        octets = b"|".join((flags.encode(), self.cookies.octets, _encoded(self.path), self.minted, *blocks))
        return blake2b(octets, key=self.seed.reveal(), digest_size=DIGEST_OCTETS).digest()


@frozen
class Inputs:
    """An exchange up to its last input."""

    beginning: Beginning
    given: tuple[Input, ...] = ()
    said: bytes = b""
    """Digest of all that the exchange said."""
    seal: bytes = b""
    """Digest of the beginning and of what was given."""

    def adding(self, given: Input, said: bytes) -> Inputs | None:
        """With one more; None where that is more than is kept: such an exchange cannot be told again."""
        if self.octets + len(given.octets) > MAX_OCTETS:
            return None
        seal = digest(self.seal or self.beginning.digest, given.encoded())
        return Inputs(self.beginning, (*self.given, given), said, seal)

    @property
    def octets(self) -> int:
        """Of all datagrams."""
        return sum(len(each.octets) for each in self.given)

    @property
    def heard(self) -> bool:
        """Was any message of the peer accepted?"""
        return any(given.kind is InputKind.HEARD for given in self.given)

    @property
    def sound(self) -> bool:
        """Is it as it was made, whole and in order? Raises ValueError, OverflowError or struct.error for values that
        cannot be."""
        seal = self.beginning.digest
        for given in self.given:
            seal = digest(seal, given.encoded())
        return bool(self.given) and seal == self.seal


def digest(before: bytes, *octets: bytes) -> bytes:
    """Of `octets` behind all that `before` is the digest of."""
    return blake2b(b"".join((before, *octets)), digest_size=DIGEST_OCTETS).digest()


def _encoded(path: Path) -> bytes:
    ends = path.local, path.remote
    return b"".join(part for end in ends for part in (end.address.packed, end.port.to_bytes(2, "big")))
