"""Netlink sockets in the event loop: requests with their answers, and multicast events.

Plain sockets that `Readable` watches: a buffer that overflowed (ENOBUFS) silences none of them.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from struct import Struct
from typing import TypeVar

from ikevd.frozen import frozen
from ikevd.readable import Readable

T = TypeVar("T")

NETLINK_ROUTE = 0
NETLINK_XFRM = 6
SOL_NETLINK = 270
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11

NLMSG_ERROR = 2
NLMSG_DONE = 3
NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP = 0x300
NLM_F_ACK_TLVS = 0x200
NLMSGERR_ATTR_MSG = 1

HEADER = Struct("=IHHII")  # length type flags sequence port
ATTRIBUTE = Struct("=HH")  # length type
ERRNO = Struct("=i")  # negative, or 0
ERROR_SIZE = ERRNO.size + HEADER.size  # the errno, and the header of the request

RECEIVE_OCTETS = 65536
"""The kernel packs at most 32 KiB of a dump into one datagram."""
DATAGRAMS_PER_WAKE = 64
MESSAGES_PER_WAKE = 128
"""Then the loop sees to others; it wakes us again at once. A large dump takes many such steps."""
DEADLINE = 5.0
"""Seconds for an answer. The kernel answers while we send, so that only a fault of it ever waits."""
DUMP_PATIENCE = 10
"""A dump may take so many times as long: the loop sees to others between its steps."""


class NetlinkError(Exception):
    """The kernel refused a request: an errno, and its extended acknowledgement (may be empty)."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


@frozen
class Message:
    """One netlink message, without its header's length."""

    kind: int
    flags: int
    sequence: int
    body: bytes


def pack(kind: int, flags: int, sequence: int, port: int, body: bytes) -> bytes:
    """A netlink message. The events that it causes bear its port: who asked."""
    return HEADER.pack(HEADER.size + len(body), kind, flags, sequence, port) + body


def split(datagram: bytes) -> Iterator[Message]:
    """The messages of one datagram."""
    offset = 0
    while offset + HEADER.size <= len(datagram):
        length, kind, flags, sequence, _ = HEADER.unpack_from(datagram, offset)
        if length < HEADER.size:
            return
        yield Message(kind, flags, sequence, datagram[offset + HEADER.size : offset + length])
        offset += _aligned(length)


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four octets."""
    length = ATTRIBUTE.size + len(value)
    return ATTRIBUTE.pack(length, kind) + value + bytes(_aligned(length) - length)


def attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes that follow the fixed part of a message."""
    offset = 0
    while offset + ATTRIBUTE.size <= len(octets):
        length, kind = ATTRIBUTE.unpack_from(octets, offset)
        if length < ATTRIBUTE.size:
            return
        yield kind, octets[offset + ATTRIBUTE.size : offset + length]
        offset += _aligned(length)


def read_error(message: Message) -> NetlinkError | None:
    """What NLMSG_ERROR and NLMSG_DONE say; None is success."""
    code = -ERRNO.unpack_from(message.body)[0] if len(message.body) >= ERRNO.size else 0
    if not code:
        return None
    detail = ""
    if message.kind == NLMSG_ERROR and message.flags & NLM_F_ACK_TLVS:
        for kind, value in attributes(message.body[ERROR_SIZE:]):
            if kind == NLMSGERR_ATTR_MSG:
                detail = value.rstrip(b"\0").decode(errors="replace")
    return NetlinkError(code, detail)


class RequestSocket:
    """Requests to one netlink family of the network namespace in which it is made.

    Make it inside the running loop; `close()` ends the requests that wait. Raises OSError.
    """

    def __init__(self, family: int, deadline: float = DEADLINE) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadline = deadline
        self._sequence = count(1)
        self._waiting: dict[int, _Waiting] = {}
        self._dumping = asyncio.Lock()
        self._socket = open_netlink(family)
        self.port: int = self._socket.getsockname()[0]
        """What all its requests bear. The kernel gave it: no other socket of the namespace has it."""
        self._socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self._socket.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        self._readable = Readable()
        self._readable.watch(self._socket, self._drain)

    async def ask(self, kind: int, body: bytes) -> list[bytes]:
        """Send a request; the bodies of its answers, none for a mere yes. Raises `NetlinkError`.

        As a rule done when the first `await` would be reached: a cancelled caller never leaves it half done.
        """
        answers: list[bytes] = []
        await self._request(kind, NLM_F_REQUEST | NLM_F_ACK, body, answers.append, self._deadline)
        return answers

    async def dump(self, kind: int, read: Callable[[bytes], T], body: bytes = b"") -> list[T]:
        """What `read` makes of the body of each message of a dump, as they come. Raises `NetlinkError`.

        One dump at a time, since the kernel holds one per socket. XFRM never marks a dump as interrupted.
        """
        found: list[T] = []
        patience = self._deadline * DUMP_PATIENCE
        async with self._dumping:
            await self._request(kind, NLM_F_REQUEST | NLM_F_DUMP, body, lambda each: found.append(read(each)), patience)
        return found

    def close(self) -> None:
        """Close the socket. Idempotent."""
        self._readable.close()
        self._socket.close()
        self._fail_all(errno.ECANCELED)

    async def _request(
        self, kind: int, flags: int, body: bytes, answered: Callable[[bytes], None], seconds: float
    ) -> None:
        sequence = next(self._sequence) & 0xFFFFFFFF
        waiting = self._waiting[sequence] = _Waiting(self._loop.create_future(), answered)
        try:
            self._socket.send(pack(kind, flags, sequence, self.port, body))
            # The kernel has answered by now. Reading at once keeps the socket's buffer empty, however many
            # requests are made in one turn of the loop.
            self._drain()
            if not waiting.future.done():
                async with asyncio.timeout(seconds):
                    await waiting.future
            waiting.future.result()
        except TimeoutError:
            raise NetlinkError(errno.ETIMEDOUT, f"no answer in {seconds:g} s") from None
        except OSError as error:
            raise NetlinkError(error.errno or errno.EIO) from error
        finally:
            self._waiting.pop(sequence, None)

    def _drain(self) -> None:
        taken = 0
        for datagram in _received(self._socket, self._lost):
            for message in split(datagram):
                self._take(message)
                taken += 1
            if taken >= MESSAGES_PER_WAKE:
                return

    def _take(self, message: Message) -> None:
        waiting = self._waiting.get(message.sequence)
        if waiting is None or waiting.future.done():
            return
        if message.kind not in (NLMSG_ERROR, NLMSG_DONE):
            waiting.answered(message.body)
        elif error := read_error(message):
            waiting.future.set_exception(error)
        else:
            waiting.future.set_result(None)

    def _lost(self) -> None:
        self._fail_all(errno.ENOBUFS)

    def _fail_all(self, code: int) -> None:
        for waiting in self._waiting.values():
            if not waiting.future.done():
                waiting.future.set_exception(NetlinkError(code))


@dataclass(slots=True)
class _Waiting:
    """A request without its last answer."""

    future: asyncio.Future[None]
    answered: Callable[[bytes], None]


class EventSocket:
    """The multicast messages of some groups go to `heard`; `lost` is called when some did not fit the buffer.

    `prepare` is given the socket before it joins the groups. Make it inside the running loop. Raises OSError.
    """

    def __init__(
        self,
        family: int,
        groups: Iterable[int],
        heard: Callable[[Message], None],
        lost: Callable[[], None],
        prepare: Callable[[socket.socket], None],
    ) -> None:
        self._heard = heard
        self._lost = lost
        self._socket = open_netlink(family, groups, prepare)
        self._readable = Readable()
        self._readable.watch(self._socket, self._drain)

    def close(self) -> None:
        """Close the socket. Idempotent."""
        self._readable.close()
        self._socket.close()

    def _drain(self) -> None:
        for datagram in _received(self._socket, self._lost):
            for message in split(datagram):
                self._heard(message)


def open_netlink(
    family: int, groups: Iterable[int] = (), prepare: Callable[[socket.socket], None] | None = None
) -> socket.socket:
    """One that does not block. `prepare` is given it before it joins the multicast groups. Raises OSError."""
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
    try:
        opened.setblocking(False)
        if prepare:
            prepare(opened)
        opened.bind((0, sum(1 << (group - 1) for group in groups)))
    except OSError:
        opened.close()
        raise
    return opened


def _received(source: socket.socket, lost: Callable[[], None]) -> Iterator[bytes]:
    """The kernel's datagrams that wait, a bounded number of them, without blocking."""
    for _ in range(DATAGRAMS_PER_WAKE):
        if source.fileno() < 0:  # closed by whoever got the datagram before
            return
        try:
            datagram, (port, _) = source.recvfrom(RECEIVE_OCTETS)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            lost()
            continue
        if port == 0:  # anybody may send us netlink messages; only the kernel has port 0
            yield datagram


def _aligned(length: int) -> int:
    return (length + 3) & ~3
