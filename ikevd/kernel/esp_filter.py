"""Which packets of a packet socket are ESP to this machine under an SPI that is not known: a classic BPF program
(socket(7)), run by the kernel on each packet, from its IP header on."""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Collection, Iterator
from struct import Struct

SO_ATTACH_FILTER = 26
MAX_KNOWN = 250
"""SPIs that one program knows: net.core.optmem_max, 20,480 octets by default, bounds its size. Where there are more,
the packets of one class are looked at, by the SPI's last bits."""
HEAD_OCTETS = 60 + 8 + 4
"""Of a packet, as far as it is read: the longest IPv4 header, UDP, SPI."""
ESP, UDP, NAT_PORT = 50, 17, 4500

_INSTRUCTION = Struct("=HBBI")  # code, jump if true, jump if false, constant
_PROGRAM = Struct("@HP")  # number of instructions, where they are
_WORD, _HALF, _OCTET, _HALF_AT_X, _WORD_AT_X, _HEADER_TO_X = 0x20, 0x28, 0x30, 0x48, 0x40, 0xB1
_GO, _EQUAL, _ANY_BIT, _AND, _SHIFT, _KEEP, _BACK, _RETURN = 0x05, 0x15, 0x45, 0x54, 0x74, 0x07, 0x87, 0x06
_PACKET_TYPE, _TO_US = 0xFFFFF000 + 4, 0
"""SKF_AD_OFF + SKF_AD_PKTTYPE, and PACKET_HOST."""

Step = tuple[int, int, str, str]
"""Code, constant, where to go if true and if false; empty: on."""
PARSE: tuple[Step | str, ...] = (
    (_WORD, _PACKET_TYPE, "", ""),
    (_EQUAL, _TO_US, "", "drop"),
    (_OCTET, 0, "", ""),
    (_SHIFT, 4, "", ""),
    (_EQUAL, 4, "IPv4", ""),
    (_EQUAL, 6, "IPv6", "drop"),
    "IPv4",
    (_HALF, 6, "", ""),
    (_ANY_BIT, 0x1FFF, "drop", ""),  # no first fragment
    (_HEADER_TO_X, 0, "", ""),
    (_OCTET, 9, "", ""),
    (_EQUAL, ESP, "ESP over IPv4", ""),
    (_EQUAL, UDP, "", "drop"),
    (_HALF_AT_X, 2, "", ""),
    (_EQUAL, NAT_PORT, "", "drop"),
    (_WORD_AT_X, 8, "", ""),
    (_GO, 0, "SPI", ""),
    "ESP over IPv4",
    (_WORD_AT_X, 0, "", ""),
    (_GO, 0, "SPI", ""),
    "IPv6",
    (_OCTET, 6, "", ""),
    (_EQUAL, ESP, "ESP over IPv6", ""),
    (_EQUAL, UDP, "", "drop"),
    (_HALF, 42, "", ""),
    (_EQUAL, NAT_PORT, "", "drop"),
    (_WORD, 48, "", ""),
    (_GO, 0, "SPI", ""),
    "ESP over IPv6",
    (_WORD, 40, "", ""),
    (_GO, 0, "SPI", ""),
    "drop",
    (_RETURN, 0, "", ""),
    "SPI",
)


def attach(packets: socket.socket, known: Collection[int], salt: int) -> None:
    """Only such packets from here on, cut to their heads. Raises OSError."""
    octets = compiled(known, salt)
    program = ctypes.create_string_buffer(octets, len(octets))
    count = len(octets) // _INSTRUCTION.size
    packets.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, _PROGRAM.pack(count, ctypes.addressof(program)))


def compiled(known: Collection[int], salt: int = 0) -> bytes:
    """The program that passes every SPI but the `known` ones and the non-ESP marker of IKE. `salt` chooses the class
    where they are too many."""
    mask = class_mask(len(known))
    wanted = salt & mask
    steps: list[Step | str] = [
        *PARSE,
        (_EQUAL, 0, "", "ESP"),
        (_RETURN, 0, "", ""),
        "ESP",
        (_KEEP, 0, "", ""),
        (_AND, mask, "", ""),
        (_EQUAL, wanted, "in the class", ""),
        (_RETURN, 0, "", ""),
        "in the class",
        (_BACK, 0, "", ""),
    ]
    for spi in known:
        if spi & mask == wanted:
            steps += [(_EQUAL, spi, "", str(spi)), (_RETURN, 0, "", ""), str(spi)]
    return b"".join(_assembled([*steps, (_RETURN, HEAD_OCTETS, "", "")]))


def class_mask(known: int) -> int:
    """Of the last bits of an SPI, so that one class has no more than `MAX_KNOWN`, where they are spread evenly."""
    return (1 << (max(0, known - 1) // MAX_KNOWN).bit_length()) - 1


def _assembled(steps: list[Step | str]) -> Iterator[bytes]:
    """Jumps by name become jumps by distance; they lead forward only."""
    places, count = dict[str, int](), 0
    for step in steps:
        if isinstance(step, str):
            places[step] = count
        else:
            count += 1
    here = 0
    for step in steps:
        if isinstance(step, str):
            continue
        code, constant, true, false = step
        here += 1
        there = [places[name] - here if name else 0 for name in (true, false)]
        yield _INSTRUCTION.pack(code, 0, 0, there[0]) if code == _GO else _INSTRUCTION.pack(code, *there, constant)
