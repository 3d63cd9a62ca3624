"""The numbers and structs of linux/xfrm.h. Host byte order, except addresses, SPIs and ports."""

from __future__ import annotations

import socket
from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from struct import Struct

from ikevd.addresses import Address
from ikevd.host.policies import Direction, PolicyId
from ikevd.policy.selectors import Network
from ikevd.wire.registry import Protocol

ESP = Protocol.ESP
IPPROTO_ESP, IPPROTO_AH, IPPROTO_COMP = 50, 51, 108
PROTOCOLS = {IPPROTO_ESP: Protocol.ESP, IPPROTO_AH: Protocol.AH, IPPROTO_COMP: Protocol.IPCOMP}
NUMBERS = {protocol: number for number, protocol in PROTOCOLS.items()}
IPPROTO_ANY = 255
"""In a flush: AH, ESP and IPComp."""
MODE_TRANSPORT, MODE_TUNNEL = 0, 1
STATE_NOECN = 1
"""SA flag: no ECN (RFC 6040) from the inner header to the outer one, nor back."""
STATE_DECAP_DSCP = 2
"""SA flag: the DSCP of the outer header goes to the inner one."""
STATE_NOPMTUDISC = 4
"""SA flag: the outer header has no DF bit, whatever the inner one has."""
STATE_AF_UNSPEC = 32
"""SA flag: the inner packets of a tunnel may be IPv4 or IPv6."""
STATE_ALIGN4 = 64
"""SA flag: the length of AH's header is a multiple of 32 bits, as RFC 4302 section 2.2 has it for IPv4. Without it
Linux pads to 64, as for IPv6, which others refuse; it shows where the integrity check has 128 bits."""
STATE_ESN = 128
"""SA flag: sequence numbers of 64 bits."""
EXTRA_DONT_ENCAP_DSCP = 1
"""Extra flag of an SA: the DSCP of the outer header is 0."""
INFINITE = 2**64 - 1
ANY_ALGORITHM = 2**32 - 1
ACTION_ALLOW = 0
ACTION_BLOCK = 1
UDP_ENCAP_ESPINUDP = 2
"""linux/udp.h: ESP in UDP as RFC 3948 has it."""


class Msg(IntEnum):
    """XFRM_MSG_*"""

    NEWSA = 0x10
    DELSA = 0x11
    GETSA = 0x12
    NEWPOLICY = 0x13
    DELPOLICY = 0x14
    GETPOLICY = 0x15
    ALLOCSPI = 0x16
    ACQUIRE = 0x17
    EXPIRE = 0x18
    UPDPOLICY = 0x19
    UPDSA = 0x1A
    POLEXPIRE = 0x1B
    FLUSHSA = 0x1C
    FLUSHPOLICY = 0x1D
    MAPPING = 0x26


class Attr(IntEnum):
    """XFRMA_*"""

    ALG_AUTH = 1
    ALG_CRYPT = 2
    ALG_COMP = 3
    ENCAP = 4
    TMPL = 5
    SA = 6
    POLICY = 7
    LTIME_VAL = 9
    REPLAY_VAL = 10
    ALG_AEAD = 18
    ALG_AUTH_TRUNC = 20
    MARK = 21
    TFCPAD = 22
    REPLAY_ESN_VAL = 23
    SA_EXTRA_FLAGS = 24
    OFFLOAD_DEV = 28
    SET_MARK = 29
    SET_MARK_MASK = 30
    IF_ID = 31
    MTIMER_THRESH = 32


class Group(IntEnum):
    """XFRMNLGRP_*"""

    ACQUIRE = 1
    EXPIRE = 2
    SA = 3
    POLICY = 4
    MAPPING = 8


DIRECTIONS = {Direction.IN: 0, Direction.OUT: 1, Direction.FWD: 2}
DIRECTION_OF = {number: direction for direction, number in DIRECTIONS.items()}

# Each struct on its own; the larger ones hold the smaller ones as octets ("56s").
SELECTOR = Struct("=16s16s2s2s2s2sHBBB3xiI")  # daddr saddr dport,mask sport,mask family plen_d,s proto if user
LIFETIME_CFG = Struct("=8Q")  # soft and hard each: bytes, packets; then seconds since added, since used
LIFETIME_CUR = Struct("=4Q")  # bytes packets add_time use_time
STATS = Struct("=3I")  # packets outside the replay window, repeated, with a wrong ICV
XFRM_ID = Struct("=16s4sB3x")  # daddr spi proto
# sel id saddr lft cur stats seq reqid family mode window flags
USERSA_INFO = Struct("=56s24s16s64s32s12sIIHBBB7x")
USERSA_ID = Struct("=16s4sHBx")  # daddr spi family proto
USERSPI_RANGE = Struct("=II")  # follows a usersa_info: min max
USERPOLICY_INFO = Struct("=56s64s32sIIBBBB4x")  # sel lft cur priority index dir action flags share
USERPOLICY_ID = Struct("=56sIB3x")  # sel index dir
USER_TMPL = Struct("=24sH2x16sIBBBxIII")  # id family saddr reqid mode share optional aalgos ealgos calgos
ALGO = Struct("=64sI")  # name key_bits, then the key
ALGO_AEAD = Struct("=64sII")  # name key_bits icv_bits, then the key with its salt
ALGO_AUTH = Struct("=64sII")  # name key_bits icv_bits, then the key
ENCAP_TMPL = Struct("=H2s2s2x16s")  # type sport dport original_address
REPLAY_ESN = Struct("=6I")  # words oseq seq oseq_hi seq_hi window, then the bitmap
USER_ACQUIRE = Struct("=24s16s56s168s16x")  # id saddr sel policy, then the attributes
REPLAY = Struct("=3I")  # oseq seq bitmap
USER_EXPIRE = Struct("=224sB7x")  # usersa_info hard
USER_MAPPING = Struct("=24sI16s16s2s2s")  # usersa_id reqid old_saddr new_saddr old_sport new_sport
MARK = Struct("=II")  # value mask
NUMBER = Struct("=I")  # what an attribute holds that is one number
USER_OFFLOAD = Struct("=iB3x")  # ifindex flags
USER_POLEXPIRE = Struct("=168sB7x")  # userpolicy_info hard

UNLIMITED = LIFETIME_CFG.pack(INFINITE, INFINITE, INFINITE, INFINITE, 0, 0, 0, 0)


def number_of(protocol: Protocol) -> int:
    """Of ESP, AH or IPComp as an IP protocol."""
    return IPPROTO_ESP if protocol == ESP else NUMBERS[protocol]


def family_of(address: Address) -> int:
    """AF_INET or AF_INET6."""
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def pack_address(address: Address) -> bytes:
    """An xfrm_address_t, without padding (struct pads "16s" with zeros)."""
    return address.packed


@lru_cache(maxsize=256)
def unpack_address(octets: bytes, family: int) -> Address:
    """An xfrm_address_t of the family. What a dump shows of one peer stands side by side in it, with its addresses."""
    return IPv4Address(octets[:4]) if family == socket.AF_INET else IPv6Address(octets)


def pack_selector(policy: PolicyId) -> bytes:
    """A selector; port 0 is any port."""
    return SELECTOR.pack(
        pack_address(policy.destination.network_address),
        pack_address(policy.source.network_address),
        *_pack_port(policy.destination_port),
        *_pack_port(policy.source_port),
        family_of(policy.source.network_address),
        policy.destination.prefixlen,
        policy.source.prefixlen,
        policy.protocol,
        0,
        0,
    )


def unpack_selector(octets: bytes, direction: Direction) -> PolicyId | None:
    """A selector; None for one that a `PolicyId` does not name: of an interface, a user, or a range of ports."""
    destination, source, dport, dmask, sport, smask, family, plen_d, plen_s, protocol, interface, user = (
        SELECTOR.unpack(octets)
    )
    if interface or user or (dport, dmask) != _masked(dport) or (sport, smask) != _masked(sport):
        return None
    ends = _unpack_network(source, plen_s, family), _unpack_network(destination, plen_d, family)
    return PolicyId(*ends, protocol, int.from_bytes(sport, "big"), int.from_bytes(dport, "big"), direction)


def _pack_port(port: int) -> tuple[bytes, bytes]:
    return _masked(port.to_bytes(2, "big"))


def _masked(port: bytes) -> tuple[bytes, bytes]:
    """A port with its mask: exactly this one, or any."""
    return port, b"\xff\xff" if any(port) else b"\0\0"


@lru_cache(maxsize=256)
def _unpack_network(octets: bytes, prefix: int, family: int) -> Network:
    if family == socket.AF_INET:
        return IPv4Network((octets[:4], prefix), strict=False)
    return IPv6Network((octets, prefix), strict=False)
