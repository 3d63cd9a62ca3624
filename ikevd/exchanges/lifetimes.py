"""RESPONDER-LIFETIME for the ISAKMP SA: the responder ends it sooner than was agreed (RFC 2407 section 4.6.3.1)."""

from __future__ import annotations

from collections.abc import Sequence

from ikevd.exchanges.link import Link
from ikevd.frozen import replace
from ikevd.lifetime_findings import ClaimedLife, UnprovenLife
from ikevd.policy.choose import SPI_OCTETS, Phase2Choice
from ikevd.policy.lives import shorter
from ikevd.policy.transforms import read_responder_lifetime, responder_lifetime
from ikevd.sa.model import COOKIE_OCTETS, IsakmpSa, Spi
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import ExchangeType, NotifyType, Protocol


def claim(sa: IsakmpSa) -> NotifyPayload:
    """We end the ISAKMP SA sooner than the initiator has proposed."""
    data = responder_lifetime(sa.lifetime, Protocol.ISAKMP)
    return NotifyPayload(Protocol.ISAKMP, NotifyType.RESPONDER_LIFETIME, sa.cookies.octets, data)


def reads_apart(sa: IsakmpSa) -> bool:
    """Is the claim for an Informational message of its own? After Aggressive Mode, in which none of our messages could
    prove it, and for IOS, which says and reads it there after Main Mode."""
    return sa.exchange is ExchangeType.AGGRESSIVE or any("Cisco" in name for name in sa.peer_vendors)


def claim_for_pair(choice: Phase2Choice, spi: Spi) -> tuple[NotifyPayload, ...]:
    """For message 2 of a Quick Mode: we end the pair sooner than the initiator has proposed, if so. `spi`: ours."""
    if not choice.claims:
        return ()
    data = responder_lifetime(choice.lifetime, spi.protocol)
    return (NotifyPayload(spi.protocol, NotifyType.RESPONDER_LIFETIME, spi.octets, data),)


def claims(notify: NotifyPayload) -> bool:
    """Is it about the life of an ISAKMP SA?"""
    return notify.type == NotifyType.RESPONDER_LIFETIME and notify.protocol == Protocol.ISAKMP


def claims_of_pair(notify: NotifyPayload) -> bool:
    """Is it about the life of an IPsec SA?"""
    return (
        notify.type == NotifyType.RESPONDER_LIFETIME
        and notify.protocol in (Protocol.ESP, Protocol.AH)
        and len(notify.spi) == SPI_OCTETS
    )


def claimed(sa: IsakmpSa, notifies: Sequence[NotifyPayload]) -> IsakmpSa:
    """`sa` with the shortest life of the claims that are for it, but no less than `policy.choose` ever accepts."""
    lifetime = sa.lifetime
    for notify in notifies:
        others = len(notify.spi) == 2 * COOKIE_OCTETS and notify.spi != sa.cookies.octets
        if claims(notify) and not others:
            lifetime = shorter(lifetime, read_responder_lifetime(notify.data, lifetime, Protocol.ISAKMP))
    return sa if lifetime == sa.lifetime else replace(sa, lifetime=lifetime)


async def heed(link: Link, sa: IsakmpSa, notifies: Sequence[NotifyPayload]) -> IsakmpSa:
    """`sa` as the authentic message with these notifications leaves it."""
    heeded = claimed(sa, notifies)
    if heeded.lifetime != sa.lifetime:
        await link.note(ClaimedLife(sa.lifetime.seconds, heeded.lifetime.seconds))
    return heeded


async def pass_over(link: Link, notifies: Sequence[NotifyPayload]) -> None:
    """Message 2 of Aggressive Mode must hold none, as nothing proves it there (RFC 2407 section 4.6.3)."""
    if any(map(claims, notifies)):
        await link.note(UnprovenLife())
