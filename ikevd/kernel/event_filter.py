"""A filter of the event socket, run by the kernel (classic BPF, socket(7)): what we changed ourselves is not told, and
no key ever reaches this process."""

from __future__ import annotations

import ctypes
import socket
import sys
from collections.abc import Iterable
from struct import Struct

SO_ATTACH_FILTER = 26
KIND_OFFSET, PORT_OFFSET = 4, 12
"""Of nlmsg_type and nlmsg_pid in a message. An event bears the pid of the request that caused it."""
ALL_OCTETS = 0xFFFF

_LOAD_WORD, _LOAD_HALF, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x28, 0x15, 0x06
_INSTRUCTION = Struct("=HBBI")  # code, jump if true, jump if false, constant
_PROGRAM = Struct("@HP")  # number of instructions, where they are


def hear_others_only(events: socket.socket, own_port: int, octets: int, whole: Iterable[int] = ()) -> None:
    """Drop the events that requests from `own_port` caused, and cut all others to `octets`, but for those of the types
    `whole`. Raises OSError."""
    program = ctypes.create_string_buffer(_program(own_port, octets, whole))
    count = len(program.raw) // _INSTRUCTION.size
    events.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, _PROGRAM.pack(count, ctypes.addressof(program)))


def _program(port: int, octets: int, whole: Iterable[int]) -> bytes:
    steps = [
        _INSTRUCTION.pack(_LOAD_WORD, 0, 0, PORT_OFFSET),
        *_returns_if(_as_loaded(port, 4), 0),
        _INSTRUCTION.pack(_LOAD_HALF, 0, 0, KIND_OFFSET),
    ]
    for kind in whole:
        steps += _returns_if(_as_loaded(kind, 2), ALL_OCTETS)
    return b"".join([*steps, _INSTRUCTION.pack(_RETURN, 0, 0, octets)])


def _returns_if(loaded: int, octets: int) -> tuple[bytes, bytes]:
    """So many octets of the message, where that was loaded; else the next step."""
    return _INSTRUCTION.pack(_JUMP_IF_EQUAL, 0, 1, loaded), _INSTRUCTION.pack(_RETURN, 0, 0, octets)


def _as_loaded(number: int, octets: int) -> int:
    """The kernel loads in network order what netlink has in host order."""
    return int.from_bytes(number.to_bytes(octets, sys.byteorder), "big")
