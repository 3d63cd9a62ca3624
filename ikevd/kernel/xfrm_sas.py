"""The bodies of XFRM netlink messages about SAs, built and read; pure."""

from __future__ import annotations

from dataclasses import dataclass

from ikevd.addresses import Address
from ikevd.host.interface import (
    Counters,
    FoundSa,
    KernelSa,
    SaExpired,
    SaId,
    UdpPorts,
)
from ikevd.kernel.algorithms import kernel_algorithms
from ikevd.kernel.netlink import attribute, attributes
from ikevd.kernel.refusals import MAX_REPLAY_WINDOW, window_refused
from ikevd.kernel.xfrm_layout import (
    ALGO,
    ALGO_AEAD,
    ALGO_AUTH,
    ENCAP_TMPL,
    INFINITE,
    IPPROTO_ESP,
    LIFETIME_CFG,
    LIFETIME_CUR,
    MODE_TUNNEL,
    REPLAY_ESN,
    SELECTOR,
    STATE_AF_UNSPEC,
    STATS,
    UDP_ENCAP_ESPINUDP,
    UNLIMITED,
    USER_EXPIRE,
    USERSA_ID,
    USERSA_INFO,
    USERSPI_RANGE,
    XFRM_ID,
    Attr,
    family_of,
    pack_address,
    unpack_address,
)
from ikevd.policy.model import Lifetime
from ikevd.sa.model import EspKeys, Spi

PLAIN_REPLAY_WINDOW = 32
"""Up to here the window fits into the fixed part of the message; beyond, XFRMA_REPLAY_ESN_VAL holds it."""


def build_sa(sa: KernelSa, keys: EspKeys) -> bytes:
    """The body of NEWSA and UPDSA. Raises `KernelRefused` for a suite or window that no kernel knows."""
    if not 1 <= sa.replay_window <= MAX_REPLAY_WINDOW:
        raise window_refused(sa)
    large = sa.replay_window > PLAIN_REPLAY_WINDOW
    body = _usersa_info(sa.source, sa.id, sa.reqid, _lifetime(sa.lifetime), 0 if large else sa.replay_window)
    body += _build_algorithms(sa, keys)
    if sa.encap:
        body += attribute(Attr.ENCAP, _pack_encap(sa.encap))
    if large:
        words = (sa.replay_window + 31) // 32
        window = REPLAY_ESN.pack(words, 0, 0, 0, 0, sa.replay_window) + bytes(4 * words)
        body += attribute(Attr.REPLAY_ESN_VAL, window)
    return body


def _build_algorithms(sa: KernelSa, keys: EspKeys) -> bytes:
    algorithms = kernel_algorithms(sa.suite)
    encryption, integrity = keys.encryption.reveal(), keys.integrity.reveal()
    cipher, icv_bits = algorithms.cipher.encode(), sa.icv_bits or algorithms.icv_bits
    if algorithms.aead:
        return attribute(Attr.ALG_AEAD, ALGO_AEAD.pack(cipher, len(encryption) * 8, icv_bits) + encryption)
    mac = ALGO_AUTH.pack(algorithms.mac.encode(), len(integrity) * 8, icv_bits) + integrity
    crypt = ALGO.pack(cipher, len(encryption) * 8) + encryption
    return attribute(Attr.ALG_AUTH_TRUNC, mac) + attribute(Attr.ALG_CRYPT, crypt)


def build_spi_request(source: Address, destination: Address, reqid: int, first: int, last: int) -> bytes:
    """The body of ALLOCSPI: any SPI of `first` to `last`, both included."""
    body = _usersa_info(source, SaId(destination, Spi(0)), reqid, UNLIMITED, 0)
    return body + USERSPI_RANGE.pack(first, last)


def build_sa_id(sa: SaId) -> bytes:
    """The body of GETSA and DELSA."""
    return USERSA_ID.pack(pack_address(sa.destination), sa.spi.octets, family_of(sa.destination), IPPROTO_ESP)


def read_sa(body: bytes) -> FoundSa | None:
    """The body of an answered NEWSA; None where it is not ESP, or an acquire that has no SPI yet.

    The state of an SA is not in the message: a larval one is known by its missing algorithm.
    """
    sa, protocol, reqid, counters = _read_usersa_info(body)
    if protocol != IPPROTO_ESP or not sa.spi:
        return None
    present = dict(attributes(body[USERSA_INFO.size :]))
    larval = not present.keys() & {Attr.ALG_CRYPT, Attr.ALG_AEAD, Attr.ALG_AUTH, Attr.ALG_AUTH_TRUNC}
    encap = _unpack_encap(present[Attr.ENCAP]) if Attr.ENCAP in present else None
    return FoundSa(sa, reqid, larval, counters, encap)


@dataclass(frozen=True, slots=True)
class Expiry:
    """What EXPIRE tells; `larval`: a reserved SPI was forgotten, and no SA of ours ended."""

    expired: SaExpired
    larval: bool


def read_expire(body: bytes) -> Expiry | None:
    """The body of EXPIRE; None where it is not ESP.

    The state is not in this message either, and an SA that was installed meanwhile may bear the same SPI. But a
    larval SA has no flags, and an SA of ours always has one.
    """
    info, hard = USER_EXPIRE.unpack_from(body)
    sa, protocol, reqid, _ = _read_usersa_info(info)
    if protocol != IPPROTO_ESP:
        return None
    flags = USERSA_INFO.unpack(info)[-1]
    return Expiry(SaExpired(sa, reqid, bool(hard)), larval=not flags & STATE_AF_UNSPEC)


def _pack_encap(ports: UdpPorts) -> bytes:
    source, destination = (port.to_bytes(2, "big") for port in ports)
    return ENCAP_TMPL.pack(UDP_ENCAP_ESPINUDP, source, destination, bytes(16))


def _unpack_encap(octets: bytes) -> UdpPorts:
    _, source, destination, _ = ENCAP_TMPL.unpack_from(octets)
    return UdpPorts(int.from_bytes(source, "big"), int.from_bytes(destination, "big"))


def _usersa_info(source: Address, sa: SaId, reqid: int, lifetime: bytes, window: int) -> bytes:
    return USERSA_INFO.pack(
        bytes(SELECTOR.size),  # any inner packet: the policies select
        XFRM_ID.pack(pack_address(sa.destination), sa.spi.octets, IPPROTO_ESP),
        pack_address(source),
        lifetime,
        bytes(LIFETIME_CUR.size),
        bytes(12),
        0,
        reqid,
        family_of(sa.destination),
        MODE_TUNNEL,
        window,
        STATE_AF_UNSPEC,
    )


def _read_usersa_info(body: bytes) -> tuple[SaId, int, int, Counters]:
    """Name, IP protocol, reqid, counters."""
    _, xfrm_id, _, _, current, stats, _, reqid, family, _, _, _ = USERSA_INFO.unpack_from(body)
    destination, spi, protocol = XFRM_ID.unpack(xfrm_id)
    octets, packets, _, _ = LIFETIME_CUR.unpack(current)
    sa = SaId(unpack_address(destination, family), Spi.from_bytes(spi, "big"))
    late, repeated, forged = STATS.unpack(stats)
    return sa, protocol, reqid, Counters(octets, packets, late + repeated, forged)


def _lifetime(lifetime: Lifetime) -> bytes:
    """Hard limits only: when to rekey is the session's decision. A kilobyte is 1024 octets."""
    octets = INFINITE if lifetime.kilobytes is None else min(lifetime.kilobytes * 1024, INFINITE)
    return LIFETIME_CFG.pack(INFINITE, octets, INFINITE, INFINITE, 0, lifetime.seconds, 0, 0)
