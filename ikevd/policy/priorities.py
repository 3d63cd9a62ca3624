"""Priorities of our policies in the kernel: which one wins where several match a packet. The smallest number does.

One formula, whose numbers nobody else uses: strongSwan's end at 800,000, libreswan's at 3,145,728, and `ip xfrm` gives
0. So our policies are known by them, and where another daemon's policy matches the same packet, that one wins.

    bit 16:     0 for a bypass, 1 for what tunnels or blocks
    bits 5-13:  256 less the bits of both prefixes: narrow before wide
    bit 4:      0 for one IP protocol, 1 for any
    bits 2-3:   2 less the number of ports that are given
    bit 1:      0 for an instance, or what is configured in full; 1 for a template
    bit 0:      0 for packets with a mark, 1 for all

A drop has less than a tunnel of its selector, one for marked packets too: of two that are equally wide it wins.
"""

from __future__ import annotations

from ikevd.policy.selectors import Network

PRIORITY_FIRST = 0x696A0000
PRIORITY_LAST = 0x696BFFFF
_PREFIX_BITS = 256


def priority(
    source: Network,
    destination: Network,
    protocol: int = 0,
    source_port: int = 0,
    destination_port: int = 0,
    *,
    bypass: bool = False,
    template: bool = False,
    drop: bool = False,
    marked: bool = False,
) -> int:
    """Of a policy with this selector, in which 0 is any protocol or port. `template`: its selector is what clients may
    ask for a part of. `drop`: it blocks for ever. `marked`: it is for packets with a mark alone."""
    wide = _PREFIX_BITS - source.prefixlen - destination.prefixlen
    ports = bool(source_port) + bool(destination_port)
    selector = wide << 5 | (not protocol) << 4 | (2 - ports) << 2
    return (PRIORITY_FIRST | (not bypass) << 16 | selector | template << 1 | (not marked)) - 2 * drop


def is_ours(number: int) -> bool:
    """Is that a priority which only we give?"""
    return PRIORITY_FIRST <= number <= PRIORITY_LAST
