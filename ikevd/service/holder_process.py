"""The process that holds the IKE sockets while no ikevd runs, where no service manager does.

Run as a script, by a Python without site-packages, so that it needs little memory. `holder_process.py FOLDER` listens
in that folder; standard input is its first connection to ikevd. Packets (SOCK_SEQPACKET):

    holder -> ikevd   hello VERSION COUNT, then COUNT times: held NAME (with the descriptor)
    ikevd -> holder   keep NAME (with the descriptor), drop NAME, outlast SECONDS, end, and sync, answered by: done

It ends when it is told to, `outlast` seconds after its last ikevd was gone, and where no other can find it any more.
"""

import os
import select
import socket
import struct
import sys
import time

VERSION = 1
NAME = "holder.sock"
MAX_HELD = 1024
MAX_PACKET = 512
HELLO_SECONDS = 2.0
LOOK_SECONDS = 2.0
"""Between two looks at its own place while it is alone."""
CREDENTIALS = struct.Struct("3i")


class Holder:
    """One connection at a time: a later ikevd takes the place of an earlier one, which is dead or dying."""

    def __init__(self, listening: socket.socket, client: socket.socket) -> None:
        self._listening = listening
        self._place = os.stat(NAME)
        self._client: socket.socket | None = client
        self._held: dict[str, socket.socket] = {}
        self._outlast = 0.0
        self._alone_since = 0.0
        self._ended = False

    def serve(self) -> None:
        """Until there is nothing left to do."""
        self._greet()
        while not self._ended and (wait := self._patience()) != 0:
            watched = [self._listening, *([self._client] if self._client else [])]
            readable, _, _ = select.select(watched, [], [], wait)
            if self._client in readable:
                self._hear()  # all that a dead one has said comes before its successor
            elif readable:
                self._accept()

    def _patience(self) -> float | None:
        """Seconds; None while an ikevd is there."""
        if self._client is not None:
            return None
        if not self._held or not self.can_be_found():
            return 0.0
        return min(LOOK_SECONDS, max(0.0, self._alone_since + self._outlast - _now()))

    def can_be_found(self) -> bool:
        """Not where its folder was removed, or another stands in its place."""
        try:
            return os.path.samestat(os.stat(NAME), self._place)
        except OSError:
            return False

    def _accept(self) -> None:
        client, _ = self._listening.accept()
        _, uid, _ = CREDENTIALS.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
        if uid != os.geteuid():
            client.close()
            return
        self._leave()
        self._client = client
        self._greet()

    def _greet(self) -> None:
        """Who is not able to listen at once is taken for dead."""
        assert self._client is not None
        self._client.settimeout(HELLO_SECONDS)
        try:
            self._client.send(b"hello %d %d" % (VERSION, len(self._held)))
            for name, held in self._held.items():
                socket.send_fds(self._client, [b"held " + name.encode()], [held.fileno()])
        except OSError:
            self._leave()

    def _hear(self) -> None:
        assert self._client is not None
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._client, MAX_PACKET, 1)
        except OSError:
            packet, descriptors = b"", []
        sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        word, _, rest = packet.decode("ascii", "replace").partition(" ")
        if not packet:
            self._leave()
        elif word == "keep" and sockets and len(self._held) < MAX_HELD:
            self._drop(rest)
            self._held[rest] = sockets.pop()
        elif word == "drop":
            self._drop(rest)
        elif word == "outlast":
            self._outlast = float(rest)
        elif word == "sync":
            self._client.send(b"done")
        elif word == "end":
            self._ended = True
        for refused in sockets:
            refused.close()

    def _drop(self, name: str) -> None:
        if name in self._held:
            self._held.pop(name).close()

    def _leave(self) -> None:
        """The ikevd of before is gone."""
        if self._client is not None:
            self._client.close()
        self._client, self._alone_since = None, _now()


def _now() -> float:
    """Goes on while the machine sleeps, as the lifetimes of SAs do."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def main(folder: str) -> None:
    """Hold sockets; the socket in `folder` is for its owner only, and goes with this process."""
    with open("/proc/self/comm", "w", encoding="ascii") as name:
        name.write("ikevd-holder")
    os.setsid()  # Ctrl-C and the end of a terminal are for ikevd
    os.umask(0o177)
    os.chdir(folder)  # the address of a unix socket has 107 octets: too few for some folders
    fresh = f"{NAME}.{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(fresh)
        listening.listen(8)
        os.rename(fresh, NAME)  # in the place of one that was killed
        holder = Holder(listening, socket.socket(fileno=0))
        try:
            holder.serve()
        finally:
            if holder.can_be_found():
                os.unlink(NAME)


if __name__ == "__main__":
    main(sys.argv[1])
