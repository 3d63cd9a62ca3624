"""What XFRM says unasked: SAs and policies that ended, or that another program changed; pure.

Events of SAs hold their keys behind the fields that are read here: they are cut off before they reach us.
"""

from __future__ import annotations

from ikevd.addresses import Endpoint
from ikevd.host.events import (
    KernelEvent,
    PoliciesFlushed,
    PolicyChanged,
    PolicyRemoved,
    SaAsked,
    SaExpired,
    SaMapped,
    SaRemoved,
    SasFlushed,
)
from ikevd.host.sas import SaId
from ikevd.kernel.netlink import HEADER, Message, attributes
from ikevd.kernel.xfrm_layout import (
    IPPROTO_ANY,
    PROTOCOLS,
    STATE_AF_UNSPEC,
    USER_EXPIRE,
    USER_MAPPING,
    USER_POLEXPIRE,
    USERPOLICY_ID,
    USERPOLICY_INFO,
    USERSA_ID,
    USERSA_INFO,
    Attr,
    Msg,
    unpack_address,
)
from ikevd.kernel.xfrm_policies import read_acquire, read_name
from ikevd.kernel.xfrm_sas import SaInfo, read_info
from ikevd.policy.reqids import is_ours
from ikevd.sa.model import Spi

OCTETS = HEADER.size + USERSA_ID.size + 4 + USERSA_INFO.size
"""The longest event that may bear keys, DELSA, up to where these begin."""
WHOLE = (Msg.ACQUIRE, Msg.NEWPOLICY, Msg.UPDPOLICY, Msg.DELPOLICY, Msg.POLEXPIRE)
"""Events that are longer and bear none."""


def read_event(message: Message) -> KernelEvent | None:
    """What a message of the groups ACQUIRE, EXPIRE, SA, POLICY and MAPPING tells; None where it is nothing of ours."""
    body = message.body
    match message.kind:
        case Msg.EXPIRE:
            return _expired(body)
        case Msg.ACQUIRE:
            return _asked(body)
        case Msg.DELSA:
            return _removed(body)
        case Msg.MAPPING:
            return _mapped(body)
        case Msg.FLUSHSA:
            return SasFlushed() if body[0] in (0, *PROTOCOLS, IPPROTO_ANY) else None
        case Msg.NEWPOLICY | Msg.UPDPOLICY:
            return _policy_changed(body)
        case Msg.DELPOLICY:
            return _policy_removed(body)
        case Msg.POLEXPIRE:
            return _policy_expired(body)
        case Msg.FLUSHPOLICY:
            return PoliciesFlushed()
    return None


def _expired(body: bytes) -> SaExpired | None:
    info, hard = USER_EXPIRE.unpack_from(body)
    sa = _full_and_ours(info)
    return SaExpired(sa.id, sa.reqid, bool(hard)) if sa else None


def _asked(body: bytes) -> SaAsked | None:
    """Whoever waits for acquires hears those of all policies."""
    reqid, packet = read_acquire(body)
    return SaAsked(reqid, packet) if is_ours(reqid) else None


def _removed(body: bytes) -> SaRemoved | None:
    for kind, value in attributes(body[USERSA_ID.size :]):
        if kind == Attr.SA and (sa := _full_and_ours(value)):
            return SaRemoved(sa.id, sa.reqid)
    return None


def _mapped(body: bytes) -> SaMapped | None:
    name, reqid, _, source, _, port = USER_MAPPING.unpack_from(body)
    destination, spi, family, _ = USERSA_ID.unpack(name)
    if not is_ours(reqid):
        return None
    sa = SaId(unpack_address(destination, family), Spi.from_bytes(spi, "big"))
    return SaMapped(sa, reqid, Endpoint(unpack_address(source, family), int.from_bytes(port, "big")))


def _full_and_ours(octets: bytes) -> SaInfo | None:
    """An SA of ours that is not larval. The state is not in these messages, and an SA that was installed meanwhile may
    bear the SPI of a larval one. But a larval SA has no flags, and an SA of ours always has one."""
    info = read_info(octets)
    return info if info.known and is_ours(info.reqid) and info.flags & STATE_AF_UNSPEC else None


def _policy_changed(body: bytes) -> PolicyChanged | None:
    selector, *_, direction, _, _, _ = USERPOLICY_INFO.unpack_from(body)
    name = read_name(selector, direction, dict(attributes(body[USERPOLICY_INFO.size :])))
    return PolicyChanged(name) if name else None


def _policy_removed(body: bytes) -> PolicyRemoved | None:
    selector, _, direction = USERPOLICY_ID.unpack_from(body)
    name = read_name(selector, direction, dict(attributes(body[USERPOLICY_ID.size :])))
    return PolicyRemoved(name) if name else None


def _policy_expired(body: bytes) -> PolicyRemoved | None:
    """Ours have no time limit: somebody gave it one."""
    info, hard = USER_POLEXPIRE.unpack_from(body)
    changed = _policy_changed(info + body[USER_POLEXPIRE.size :])
    return PolicyRemoved(changed.id) if changed and hard else None
