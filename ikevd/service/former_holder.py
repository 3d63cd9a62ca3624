"""The holder that an earlier ikevd of the same runtime folder left: it is asked for its sockets."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from ikevd.frozen import frozen
from ikevd.service.holder_process import MAX_HELD, MAX_PACKET, NAME, VERSION
from ikevd.service.holding import Held

ANSWER_SECONDS = 2.0
_CREDENTIALS = struct.Struct("3i")


@frozen
class FormerHolder:
    """One that lives and has handed over its sockets, which it keeps too."""

    connection: socket.socket
    pid: int
    version: int
    held: tuple[Held, ...]

    @property
    def understands(self) -> bool:
        """Does it speak as we do, or did another version of ikevd start it?"""
        return self.version == VERSION

    def end(self) -> None:
        """Its sockets stay with us alone."""
        with self.connection:
            try:
                self.connection.send(b"end")
            except OSError:
                pass  # it ended by itself


def find_holder(folder: Path, on_trouble: Callable[[str], None]) -> FormerHolder | None:
    """The holder that lives in this folder. Call it only with the lock of the folder: it would leave another ikevd."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(ANSWER_SECONDS)
    try:
        _connect(connection, folder)
        pid, uid, _ = _CREDENTIALS.unpack(
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        if uid != os.geteuid():
            raise PermissionError(f"it runs as uid {uid}, ikevd as {os.geteuid()}")
        return _asked(connection, pid)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
    except (OSError, ValueError) as error:
        connection.close()
        on_trouble(f"the holder of the UDP sockets at {folder / NAME} cannot be asked: {error}")
    return None


def _connect(connection: socket.socket, folder: Path) -> None:
    """By the folder's descriptor: the address of a unix socket has 107 octets."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{descriptor}/{NAME}")
    finally:
        os.close(descriptor)


def _asked(connection: socket.socket, pid: int) -> FormerHolder:
    """Raises `OSError`, and `ValueError` for what is no answer."""
    match connection.recv(MAX_PACKET).split():
        case [b"hello", version, count] if version.isdigit() and count.isdigit() and int(count) <= MAX_HELD:
            pass
        case _:
            raise ValueError("it answers in another language")
    with ExitStack() as undo:
        held = list[Held]()
        for _ in range(int(count)):
            packet, descriptors, _, _ = socket.recv_fds(connection, MAX_PACKET, 1)
            if not packet:
                raise ConnectionResetError("it ended")
            name = packet.decode("ascii").removeprefix("held ")
            held += [Held(name, undo.enter_context(socket.socket(fileno=number))) for number in descriptors]
        undo.pop_all()
    return FormerHolder(connection, pid, int(version), tuple(held))
