"""How much was encrypted under an ISAKMP SA whose lifetime has a volume (RFC 2409 appendix A, life type kilobytes)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ikevd.addresses import Path
from ikevd.frozen import replace
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.work import Happening
from ikevd.peer import message_facts
from ikevd.peer.volume_facts import Spent
from ikevd.sa.model import Cookies

KILOBYTE = 1024
SOFT = 0.9
"""That share of the volume asks for a renewal."""


class Volume:
    """Counts the datagrams of both directions. What an earlier process counted is not known."""

    __slots__ = ("_limit", "_octets", "_told")

    def __init__(self, kilobytes: int) -> None:
        self._limit = kilobytes * KILOBYTE
        self._octets = 0
        self._told = 0

    def metered(self, ports: Ports) -> Ports:
        """These ports; what leaves by them counts."""

        def transmit(octets: bytes, path: Path) -> str | None:
            self._octets += len(octets)
            return ports.transmit(octets, path)

        return replace(ports, transmit=transmit)

    def heard(self, octets: bytes, happenings: Iterable[Happening]) -> None:
        """A datagram led to these: it counts where it was the peer's."""
        if any(isinstance(happening, message_facts.Heard) for happening in happenings):
            self._octets += len(octets)

    def news(self, under: Cookies) -> Iterator[Happening]:
        """That the volume is nearly used up, and that it is, each once."""
        if self._told < 1 and self._octets >= SOFT * self._limit:
            self._told = 1
            yield Spent(under)
        if self._told < 2 and self._octets >= self._limit:
            self._told = 2
            yield message_facts.Worn(under, "the volume of the ISAKMP SA is used up")
