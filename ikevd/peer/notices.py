"""What a verified Informational message says, sorted: collected first, acted on afterwards (CVE-2023-38712)."""

from __future__ import annotations

from collections.abc import Sequence

from ikevd.exchanges import contact
from ikevd.exchanges.contact import DOIS
from ikevd.exchanges.lifetimes import claims, claims_of_pair
from ikevd.frozen import frozen
from ikevd.sa.model import Cookies, Spi
from ikevd.wire.payloads import DeletePayload, NotifyPayload, Payload
from ikevd.wire.registry import NotifyType, Protocol

DPD = frozenset({NotifyType.R_U_THERE, NotifyType.R_U_THERE_ACK})
MAX_READ = 512
"""Of one message, of each sort: far more than any peer has SAs with us."""


@frozen
class Refusal:
    """An error notification, with the SPI that it names, if any."""

    notify: NotifyType
    spi: bytes
    protocol: Protocol = Protocol.ESP
    """Of that SPI, says the peer."""


@frozen
class Notices:
    """One message's worth."""

    refusals: tuple[Refusal, ...]
    deleted_isakmp: tuple[Cookies, ...]
    deleted_ipsec: tuple[Spi, ...]
    lives: tuple[NotifyPayload, ...]
    """Claims of a life, for the ISAKMP SA or for a pair."""
    dpd: tuple[NotifyPayload, ...]
    """The first R-U-THERE or R-U-THERE-ACK."""
    contacted: bool
    """INITIAL-CONTACT is among them."""
    others: tuple[str, ...]
    """Names of what was read and has no consequence."""


def read(payloads: Sequence[Payload]) -> Notices:
    """Sort the payloads behind a verified HASH(1)."""
    refusals: list[Refusal] = []
    isakmp: list[Cookies] = []
    ipsec: list[Spi] = []
    lives: list[NotifyPayload] = []
    dpd: list[NotifyPayload] = []
    others: list[str] = []
    contacted = False
    for payload in payloads:
        match payload:
            case NotifyPayload(doi=doi) | DeletePayload(doi=doi) if int(doi) not in DOIS:
                others.append(f"{payload.TYPE} of DOI {int(doi)}")  # its numbers mean something else
            case NotifyPayload(type=kind, spi=spi, protocol=protocol) if kind.is_error:
                refusals.append(Refusal(kind, spi, protocol))
            case NotifyPayload() if contact.says(payload):
                contacted = True
            case NotifyPayload() if claims(payload) or claims_of_pair(payload):
                lives.append(payload)
            case NotifyPayload() if is_dpd(payload):
                dpd.append(payload)
            case DeletePayload(protocol=Protocol.ISAKMP, spis=spis):
                isakmp.extend(Cookies(spi[:8], spi[8:]) for spi in spis[:MAX_READ])
            case DeletePayload(protocol=Protocol.ESP | Protocol.AH as protocol, spis=spis):
                ipsec.extend(Spi.of(protocol, spi) for spi in spis[: MAX_READ - len(ipsec)])
            case NotifyPayload(type=kind):
                others.append(str(kind))
            case _:
                others.append(str(payload.TYPE))
    names = tuple(dict.fromkeys(others))
    deleted = tuple(isakmp[:MAX_READ]), tuple(ipsec[:MAX_READ])
    told = tuple(refusals[:MAX_READ]), *deleted, tuple(lives[:MAX_READ]), tuple(dpd[:1])
    return Notices(*told, contacted, names[:MAX_READ])


def is_dpd(payload: Payload) -> bool:
    """Is it R-U-THERE or R-U-THERE-ACK (RFC 3706 section 5)?"""
    return isinstance(payload, NotifyPayload) and payload.type in DPD and int(payload.doi) in DOIS


def r_u_there(cookies: Cookies, number: int) -> NotifyPayload:
    """Do you live?"""
    return NotifyPayload(Protocol.ISAKMP, NotifyType.R_U_THERE, cookies.octets, number.to_bytes(4, "big"))


def r_u_there_ack(cookies: Cookies, data: bytes) -> NotifyPayload:
    """We do. `data`: the number, as it came."""
    return NotifyPayload(Protocol.ISAKMP, NotifyType.R_U_THERE_ACK, cookies.octets, data)


def delete_ipsec(*spis: Spi) -> DeletePayload:
    """We no longer receive on these SPIs, at least one, all of one protocol."""
    return DeletePayload(spis[0].protocol, tuple(spi.octets for spi in spis))


def delete_isakmp(cookies: Cookies) -> DeletePayload:
    """The ISAKMP SA with this pair of cookies is gone."""
    return DeletePayload(Protocol.ISAKMP, (cookies.octets,))


def invalid_spi(spi: Spi) -> NotifyPayload:
    """We receive nothing on this SPI, to which the peer sends."""
    return NotifyPayload(spi.protocol, NotifyType.INVALID_SPI, spi.octets)
