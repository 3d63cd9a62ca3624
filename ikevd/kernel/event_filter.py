"""A filter of the event socket, run by the kernel (classic BPF, socket(7)): what we changed ourselves is not told, and
no key ever reaches this process."""

from __future__ import annotations

import ctypes
import socket
import sys
from struct import Struct

SO_ATTACH_FILTER = 26
PORT_OFFSET = 12
"""Of nlmsg_pid in a message. An event bears that of the request that caused it."""

_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_INSTRUCTION = Struct("=HBBI")  # code, jump if true, jump if false, constant
_PROGRAM = Struct("@HP")  # number of instructions, where they are


def hear_others_only(events: socket.socket, own_port: int, octets: int) -> None:
    """Drop the events that requests from `own_port` caused, and cut all others to `octets`. Raises OSError.

    The kernel reads a word in network order; nlmsg_pid is in host order.
    """
    program = ctypes.create_string_buffer(_program(int.from_bytes(own_port.to_bytes(4, sys.byteorder), "big"), octets))
    count = len(program.raw) // _INSTRUCTION.size
    events.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, _PROGRAM.pack(count, ctypes.addressof(program)))


def _program(port: int, octets: int) -> bytes:
    return b"".join(
        (
            _INSTRUCTION.pack(_LOAD_WORD, 0, 0, PORT_OFFSET),
            _INSTRUCTION.pack(_JUMP_IF_EQUAL, 0, 1, port),
            _INSTRUCTION.pack(_RETURN, 0, 0, 0),
            _INSTRUCTION.pack(_RETURN, 0, 0, octets),
        )
    )
