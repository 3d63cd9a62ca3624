"""IPComp in an SA payload: a proposal of IPCOMP under the number of one of ESP means both together, with a CPI in the
place of its SPI (RFC 3173 section 4.1, RFC 2407 sections 4.4.1.3 and 4.4.5)."""

from __future__ import annotations

from collections.abc import Sequence

from ikevd.frozen import replace
from ikevd.policy.lives import Lifetime
from ikevd.wire.attributes import Attribute
from ikevd.wire.registry import Encapsulation, IpcompTransform, IpsecAttribute, LifeType, Protocol
from ikevd.wire.sa import Proposal, SaPayload, Transform

CPI_OCTETS = 2
PADDED_OCTETS = 4
"""Some send the 16 bits in so many."""
FIRST_CPI, LAST_CPI = 256, 2**16 - 1
"""Those below stand for algorithms by themselves, or are reserved (RFC 3173 section 3.3)."""
IPCOMP, DEFLATE, MODE = Protocol.IPCOMP, IpcompTransform.DEFLATE, IpsecAttribute.ENCAPSULATION


def with_ipcomp(offer: SaPayload, mode: Encapsulation, lifetime: Lifetime, cpi: bytes) -> SaPayload:
    """The offer of one proposal of ESP together with IPComp; and, for a peer without that, as it is. `mode`: of ESP."""
    (esp,) = offer.proposals
    attributes = (
        Attribute.number(IpsecAttribute.LIFE_TYPE, LifeType.SECONDS),
        Attribute.number(IpsecAttribute.LIFE_DURATION, lifetime.seconds),
        Attribute.number(MODE, mode),
    )
    ipcomp = Proposal(esp.number, IPCOMP, cpi, (Transform(1, DEFLATE, attributes),))
    return SaPayload.of((esp, ipcomp, replace(esp, number=esp.number + 1)))


def parted(together: Sequence[Proposal]) -> tuple[Proposal, Proposal | None]:
    """The proposals of one number, of which there is at least one: the first, and that of IPCOMP where just that stands
    beside it."""
    if len(together) == 2 and together[0].number == together[1].number:
        for one, other in (together, together[::-1]):
            if other.protocol == IPCOMP != one.protocol:
                return one, other
    return together[0], None


def without_ipcomp(answer: SaPayload) -> tuple[SaPayload, Proposal | None]:
    """A responder's answer without its proposal of IPCOMP, and that.

    # Deviates: strongSwan answers as it offers, with ESP alone under the next number besides.
    """
    first = answer.proposals[0].number
    esp, ipcomp = parted([proposal for proposal in answer.proposals if proposal.number == first])
    if ipcomp is None:
        return answer, None
    others = [proposal for proposal in answer.proposals if proposal.number != first]
    others = [proposal for proposal in others if replace(proposal, number=first) != esp]
    return SaPayload((esp, *others)), ipcomp


def chosen(ipcomp: Proposal, mode: Encapsulation) -> Proposal | None:
    """The peer's proposal with the transform of deflate in that mode, which may not be named, as it is that of ESP;
    None: it has none, or a CPI that is not for that."""
    if cpi_of(ipcomp) is None:
        return None
    for transform in ipcomp.transforms:
        if transform.id == DEFLATE and _modes(transform) <= {mode}:
            return replace(ipcomp, transforms=(transform,))
    return None


def cpi_of(ipcomp: Proposal) -> bytes | None:
    """Two octets; None where the peer's are none that can be negotiated."""
    cpi = int.from_bytes(ipcomp.spi, "big")
    if len(ipcomp.spi) not in (CPI_OCTETS, PADDED_OCTETS) or not FIRST_CPI <= cpi <= LAST_CPI:
        return None
    return cpi.to_bytes(CPI_OCTETS, "big")


def _modes(transform: Transform) -> set[int | None]:
    """None stands for what is no number."""
    modes = (attribute for attribute in transform.attributes if attribute.type == MODE)
    return {attribute.as_number() if attribute.has_number else None for attribute in modes}
