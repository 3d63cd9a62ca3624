"""How many octets a tunnel takes of each packet, and so the longest packet that fits into it.

As Linux reckons it (`xfrm_state_mtu` in net/xfrm/xfrm_state.c), so that what is set by it never meets a packet that is
still too long. ESP:

    outer IP header | UDP header, behind a NAT | SPI, sequence number | IV | inner packet, padding, 2 octets | ICV
"""

from __future__ import annotations

from ikevd.policy.algorithms import ESP_CIPHERS, INTEGRITIES
from ikevd.policy.suites import IpsecSuite
from ikevd.wire.registry import EspTransform, Protocol

IP_HEADER = {4: 20, 6: 40}
TCP_HEADERS = {4: 40, 6: 60}
"""With that of IP, without options: what the MSS leaves out (RFC 6691)."""
UDP_HEADER, ESP_HEADER, ESP_TRAILER, AH_HEADER = 8, 8, 2, 12
ALIGNMENT, AH_ALIGNMENT = 4, {4: 4, 6: 8}
"""RFC 4303 section 2.4, RFC 4302 section 3.3.3.2.1 (Linux: XFRM_STATE_ALIGN4)."""
COUNTER_IV = 8
"""Of the modes that count: CTR, CCM, GCM, GMAC (RFC 3686, 4309, 4106, 4543)."""
LONG_BLOCKS = (EspTransform.AES_CBC, EspTransform.CAMELLIA)
LONG_BLOCK, SHORT_BLOCK = 16, 8
MIN_MTU_6 = 1280
"""RFC 8200 section 5: no link has less."""


def inner_mtu(
    suite: IpsecSuite, path_mtu: int, outer_version: int, *, udp: bool = False, icv_bits: int | None = None
) -> int:
    """The longest packet that goes through a tunnel of this suite without being too long for the path between its
    ends. `udp`: ESP travels in UDP; `icv_bits`: of an ICV that is not as long as usual."""
    icv = (icv_bits or _icv_bits(suite)) // 8
    header = IP_HEADER[outer_version]
    if suite.protocol is Protocol.AH:
        fits = path_mtu - header - _aligned(AH_HEADER + icv, AH_ALIGNMENT[outer_version])
    else:
        iv, block = _iv_and_block(suite.transform)
        room = path_mtu - header - UDP_HEADER * udp - ESP_HEADER - iv - icv
        fits = room - room % max(block, ALIGNMENT) - ESP_TRAILER
    return max(fits, MIN_MTU_6) if outer_version == 6 else fits


def _icv_bits(suite: IpsecSuite) -> int:
    return ESP_CIPHERS[suite.transform].icv_bits or INTEGRITIES[suite.integrity].icv_bits


def _iv_and_block(transform: EspTransform) -> tuple[int, int]:
    """In octets. CBC has an IV of one block."""
    kernel = ESP_CIPHERS[transform].kernel
    if kernel.startswith("cbc("):
        block = LONG_BLOCK if transform in LONG_BLOCKS else SHORT_BLOCK
        return block, block
    return (0, 1) if transform == EspTransform.NULL else (COUNTER_IV, 1)


def _aligned(length: int, to: int) -> int:
    return -(-length // to) * to
