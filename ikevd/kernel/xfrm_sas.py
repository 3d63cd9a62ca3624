"""The bodies of XFRM netlink messages about SAs, built and read; pure."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from struct import Struct

from ikevd.addresses import Address
from ikevd.errors import KernelRefused, KeysWithheld
from ikevd.frozen import frozen
from ikevd.host.sas import Counters, FoundSa, KernelSa, SaId, UdpPorts
from ikevd.kernel.algorithms import kernel_algorithms
from ikevd.kernel.limits import soft_before
from ikevd.kernel.netlink import attribute, attributes
from ikevd.kernel.refusals import window_fits, window_refused
from ikevd.kernel.xfrm_layout import (
    ALGO,
    ALGO_AEAD,
    ALGO_AUTH,
    ENCAP_TMPL,
    EXTRA_DONT_ENCAP_DSCP,
    INFINITE,
    LIFETIME_CFG,
    LIFETIME_CUR,
    MODE_TRANSPORT,
    MODE_TUNNEL,
    NUMBER,
    PROTOCOLS,
    REPLAY,
    REPLAY_ESN,
    SELECTOR,
    STATE_AF_UNSPEC,
    STATE_ALIGN4,
    STATE_DECAP_DSCP,
    STATE_ESN,
    STATE_NOECN,
    STATE_NOPMTUDISC,
    STATS,
    UDP_ENCAP_ESPINUDP,
    UNLIMITED,
    USERSA_ID,
    USERSA_INFO,
    USERSPI_RANGE,
    XFRM_ID,
    Attr,
    family_of,
    number_of,
    pack_address,
    unpack_address,
)
from ikevd.policy.packing import Packing
from ikevd.sa.model import EspKeys, Spi
from ikevd.wire.registry import Protocol

ADDRESS_OCTETS = 16
ADVANCE = 4096
"""Sequence numbers that are left out where an SA goes on elsewhere: more than a packet or two that was on its way."""
MAX_SENT = 2**32 - 2 * ADVANCE
LIFETIME_OFFSET = SELECTOR.size + XFRM_ID.size + 16
"""Of the limits in the fixed part."""
KEYED: dict[int, Struct] = {
    Attr.ALG_CRYPT: ALGO,
    Attr.ALG_AEAD: ALGO_AEAD,
    Attr.ALG_AUTH: ALGO,
    Attr.ALG_AUTH_TRUNC: ALGO_AUTH,
    Attr.ALG_COMP: ALGO,
}
"""Attributes that hold a key, which of IPComp is empty, with the struct in front of it. A larval SA has none."""
SENT_AGAIN = {
    Attr.ALG_CRYPT,
    Attr.ALG_AEAD,
    Attr.ALG_AUTH_TRUNC,
    Attr.ALG_COMP,
    Attr.ENCAP,
    Attr.MARK,
    Attr.TFCPAD,
    Attr.SA_EXTRA_FLAGS,
    Attr.SET_MARK,
    Attr.SET_MARK_MASK,
    Attr.IF_ID,
}
MAPPING_PAUSE = 1
"""Seconds between two events about packets that come by an SA from the same other port (Linux 5.17; older kernels pass
over the attribute)."""
ANY_PACKET: dict[int, bytes] = {
    family: SELECTOR.pack(b"", b"", b"", b"", b"", b"", family, 0, 0, 0, 0, 0)
    for family in (socket.AF_INET, socket.AF_INET6)
}
"""Selectors of one IP version: an SA in transport mode wants one, and with it has STATE_AF_UNSPEC all the same."""
PLAIN_REPLAY_WINDOW = 32
"""Up to here the window fits into the fixed part of the message; beyond, XFRMA_REPLAY_ESN_VAL holds it."""


def build_sa(sa: KernelSa, keys: EspKeys) -> bytes:
    """The body of NEWSA and UPDSA. Raises `KernelRefused` for a suite or window that no kernel knows."""
    if not window_fits(sa):
        raise window_refused(sa)
    wanted = sa.replay_window if sa.spi.protocol != Protocol.IPCOMP else 0  # which has no numbers
    large = sa.suite.esn or wanted > PLAIN_REPLAY_WINDOW
    window = 0 if large else wanted
    flags = _packing_flags(sa.packing) | (STATE_ESN if sa.suite.esn else 0)
    body = _usersa_info(sa.source, sa.id, sa.reqid, _lifetime(sa), window, transport=sa.suite.transport, flags=flags)
    body += _build_algorithms(sa, keys)
    if sa.encap:
        body += attribute(Attr.ENCAP, _pack_encap(sa.encap))
        body += attribute(Attr.MTIMER_THRESH, MAPPING_PAUSE.to_bytes(4, sys.byteorder))
    if large:
        words = (sa.replay_window + 31) // 32
        body += attribute(Attr.REPLAY_ESN_VAL, REPLAY_ESN.pack(words, 0, 0, 0, 0, sa.replay_window) + bytes(4 * words))
    return body + b"".join(attribute(kind, NUMBER.pack(number)) for kind, number in _numbers(sa))


def _packing_flags(packing: Packing) -> int:
    flags = (
        (STATE_NOPMTUDISC, not packing.copy_df),
        (STATE_NOECN, not packing.copy_ecn),
        (STATE_DECAP_DSCP, packing.copy_dscp.inwards),
    )
    return sum(flag for flag, wanted in flags if wanted)


def _numbers(sa: KernelSa) -> Iterator[tuple[Attr, int]]:
    """Attributes that hold one number each."""
    if sa.packing.tfc_padding:
        yield Attr.TFCPAD, sa.packing.tfc_padding
    if not sa.packing.copy_dscp.outwards:
        yield Attr.SA_EXTRA_FLAGS, EXTRA_DONT_ENCAP_DSCP
    if sa.set_mark is not None:
        yield Attr.SET_MARK, sa.set_mark.value
        yield Attr.SET_MARK_MASK, sa.set_mark.mask
    if sa.if_id:
        yield Attr.IF_ID, sa.if_id


def _build_algorithms(sa: KernelSa, keys: EspKeys) -> bytes:
    algorithms = kernel_algorithms(sa.suite)
    encryption, integrity = keys.encryption.reveal(), keys.integrity.reveal()
    cipher, icv_bits = algorithms.cipher.encode(), sa.icv_bits or algorithms.icv_bits
    if sa.suite.protocol == Protocol.IPCOMP:
        return attribute(Attr.ALG_COMP, ALGO.pack(cipher, 0))
    if algorithms.aead:
        return attribute(Attr.ALG_AEAD, ALGO_AEAD.pack(cipher, len(encryption) * 8, icv_bits) + encryption)
    mac = ALGO_AUTH.pack(algorithms.mac.encode(), len(integrity) * 8, icv_bits) + integrity
    authenticated = attribute(Attr.ALG_AUTH_TRUNC, mac)
    if not cipher:
        return authenticated
    return authenticated + attribute(Attr.ALG_CRYPT, ALGO.pack(cipher, len(encryption) * 8) + encryption)


def build_spi_request(
    source: Address, destination: Address, reqid: int, spis: tuple[int, int], protocol: Protocol
) -> bytes:
    """The body of ALLOCSPI: any SPI of the first to the second of `spis`, both included."""
    body = _usersa_info(source, SaId(destination, Spi.of(protocol, bytes(4))), reqid, UNLIMITED, 0)
    return body + USERSPI_RANGE.pack(*spis)


def build_sa_id(sa: SaId) -> bytes:
    """The body of GETSA and DELSA."""
    return USERSA_ID.pack(
        pack_address(sa.destination), sa.spi.octets, family_of(sa.destination), number_of(sa.spi.protocol)
    )


@frozen
class SaInfo:
    """The fixed part of what the kernel tells of an SA."""

    id: SaId
    known: bool
    """Is it of ESP, AH or IPComp, as ours are?"""
    source: Address
    reqid: int
    counters: Counters
    flags: int
    hard_seconds: int
    """Since it was added; 0: no limit."""
    added: int
    """Unix seconds."""


def read_sa(body: bytes, now: float) -> FoundSa | None:
    """The body of an answered NEWSA; None where it is of none of our protocols. `now`: Unix seconds.

    The state of an SA is not in the message: a larval one is known by its missing algorithm.
    """
    info = read_info(body)
    if not info.known:
        return None
    present = dict(attributes(body[USERSA_INFO.size :]))
    larval = not present.keys() & KEYED.keys()
    encap = _unpack_encap(present[Attr.ENCAP]) if Attr.ENCAP in present else None
    ends_in = info.added + info.hard_seconds - now if info.hard_seconds and not larval else None
    return FoundSa(info.id, info.source, info.reqid, larval, info.counters, encap, ends_in)


def build_limit(body: bytes, seconds: int, now: float) -> bytes:
    """The body of UPDSA that gives a live SA another time limit, from that of its answered NEWSA: `seconds` from `now`.
    Raises `KeysWithheld`."""
    soft_octets, octets, *_ = LIFETIME_CFG.unpack_from(body, LIFETIME_OFFSET)
    limits = _limits(soft_octets, octets, int(now) - read_info(body).added, seconds)
    fixed = body[:LIFETIME_OFFSET] + limits + body[LIFETIME_OFFSET + LIFETIME_CFG.size : USERSA_INFO.size]
    return fixed + _same_attributes(body) + _same_window(body)


def build_ports(body: bytes, ports: UdpPorts) -> bytes:
    """The body of UPDSA that gives a live SA of ESP in UDP other ports, from that of its answered NEWSA, whose limits
    it repeats. Raises `KeysWithheld`."""
    return body[: USERSA_INFO.size] + _same_attributes(body, ports) + _same_window(body)


def _same_window(body: bytes) -> bytes:
    """UPDSA of an SA with numbers of 64 bits wants the window again, and leaves that of the live SA as it is."""
    present = dict(attributes(body[USERSA_INFO.size :]))
    esn = read_info(body).flags & STATE_ESN
    return attribute(Attr.REPLAY_ESN_VAL, present[Attr.REPLAY_ESN_VAL]) if esn else b""


def build_moved(body: bytes, to: KernelSa) -> bytes:
    """The body of NEWSA that installs an SA at the ends of `to` which goes on where another one was, from the answered
    NEWSA of that. Raises `KernelRefused` where its sequence numbers are used up, and `KeysWithheld`."""
    fixed = body[: SELECTOR.size] + XFRM_ID.pack(
        pack_address(to.destination), to.spi.octets, number_of(to.spi.protocol)
    )
    fixed += pack_address(to.source).ljust(ADDRESS_OCTETS, b"\0") + body[LIFETIME_OFFSET : USERSA_INFO.size]
    present = dict(attributes(body[USERSA_INFO.size :]))
    kept = b"".join(attribute(kind, present[kind]) for kind in (Attr.MTIMER_THRESH,) if kind in present)
    current = LIFETIME_OFFSET + LIFETIME_CFG.size
    life = attribute(Attr.LTIME_VAL, body[current : current + LIFETIME_CUR.size])
    esn = bool(read_info(body).flags & STATE_ESN)
    return fixed + _same_attributes(body, to.encap) + kept + life + _replay_further_on(present, esn=esn)


def _replay_further_on(present: dict[int, bytes], *, esn: bool) -> bytes:
    """The packets of these moments may have taken some numbers."""
    if Attr.REPLAY_ESN_VAL in present:
        words, low, seq, high, *rest = REPLAY_ESN.unpack_from(present[Attr.REPLAY_ESN_VAL])
        high, low = divmod((high << 32 | low) + ADVANCE, 2**32) if esn else (high, _further(low))
        window = REPLAY_ESN.pack(words, low, seq, high, *rest) + present[Attr.REPLAY_ESN_VAL][REPLAY_ESN.size :]
        return attribute(Attr.REPLAY_ESN_VAL, window)
    sent, *others = REPLAY.unpack_from(present[Attr.REPLAY_VAL])
    return attribute(Attr.REPLAY_VAL, REPLAY.pack(_further(sent), *others))


def _further(sent: int) -> int:
    if sent > MAX_SENT:
        raise KernelRefused("its sequence numbers are nearly used up", errno.EOVERFLOW)
    return sent + ADVANCE


def _same_attributes(body: bytes, ports: UdpPorts | None = None) -> bytes:
    """UPDSA takes over nothing but limits and the ports of ESP in UDP, yet checks a whole SA: its algorithms are sent
    again. Raises `KeysWithheld` where a locked-down kernel showed zeros in place of the keys."""
    present = dict(attributes(body[USERSA_INFO.size :]))
    keys = b"".join(value[KEYED[kind].size :] for kind, value in present.items() if kind in KEYED)
    if keys and not any(keys):
        raise KeysWithheld("this kernel does not show the keys of its SAs (it is locked down): they cannot be changed")
    if ports is not None:
        present[Attr.ENCAP] = _pack_encap(ports)
    return b"".join(attribute(kind, value) for kind, value in present.items() if kind in SENT_AGAIN)


def _pack_encap(ports: UdpPorts) -> bytes:
    source, destination = (port.to_bytes(2, "big") for port in ports)
    return ENCAP_TMPL.pack(UDP_ENCAP_ESPINUDP, source, destination, bytes(16))


def _unpack_encap(octets: bytes) -> UdpPorts:
    _, source, destination, _ = ENCAP_TMPL.unpack_from(octets)
    return UdpPorts(int.from_bytes(source, "big"), int.from_bytes(destination, "big"))


def _alignment(sa: SaId) -> int:
    return STATE_ALIGN4 if sa.spi.protocol == Protocol.AH and sa.destination.version == 4 else 0


def _usersa_info(
    source: Address,
    sa: SaId,
    reqid: int,
    lifetime: bytes,
    window: int,
    *,
    transport: bool = False,
    flags: int = 0,
) -> bytes:
    return USERSA_INFO.pack(
        ANY_PACKET[family_of(source)] if transport else bytes(SELECTOR.size),  # the policies select
        XFRM_ID.pack(pack_address(sa.destination), sa.spi.octets, number_of(sa.spi.protocol)),
        pack_address(source),
        lifetime,
        bytes(LIFETIME_CUR.size),
        bytes(12),
        0,
        reqid,
        family_of(sa.destination),
        MODE_TRANSPORT if transport else MODE_TUNNEL,
        window,
        STATE_AF_UNSPEC | flags | _alignment(sa),
    )


def read_info(body: bytes) -> SaInfo:
    """The fixed part of a message that begins with it."""
    _, xfrm_id, source, limits, current, stats, _, reqid, family, _, _, flags = USERSA_INFO.unpack_from(body)
    destination, spi, protocol = XFRM_ID.unpack(xfrm_id)
    octets, packets, added, _ = LIFETIME_CUR.unpack(current)
    late, repeated, forged = STATS.unpack(stats)
    return SaInfo(
        SaId(unpack_address(destination, family), Spi.of(PROTOCOLS.get(protocol, Protocol.ESP), spi)),
        protocol in PROTOCOLS,
        unpack_address(source, family),
        reqid,
        Counters(octets, packets, late + repeated, forged),
        flags,
        LIFETIME_CFG.unpack(limits)[5],
        added,
    )


def _lifetime(sa: KernelSa) -> bytes:
    """Of a new SA."""
    return _limits(_octets(sa.soft_kilobytes), _octets(sa.lifetime.kilobytes), 0, sa.lifetime.seconds)


def _octets(kilobytes: int | None) -> int:
    """A kilobyte is 1024 octets."""
    return INFINITE if kilobytes is None else min(kilobytes * 1024, INFINITE)


def _limits(soft_octets: int, octets: int, age: int, seconds: int) -> bytes:
    """`seconds` are left. The kernel counts from the SA's birth, in 64 bits without a sign."""
    hard = (age + seconds) % 2**64 or 1
    soft = (age + seconds - soft_before(seconds)) % 2**64 or 1
    return LIFETIME_CFG.pack(soft_octets, octets, INFINITE, INFINITE, soft, hard, 0, 0)
