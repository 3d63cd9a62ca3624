"""A client for charon's control socket, vici."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import TypeAlias

ViciValue: TypeAlias = "str | list[str] | Section"
Section: TypeAlias = dict[str, "ViciValue"]


class ViciError(AssertionError):
    """charon refused, or did not answer in time."""


class Vici:
    """A client for charon's control socket (src/libcharon/plugins/vici/README.md of strongSwan)."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def call(self, command: str, message: Section | None = None, *, timeout: float = 15) -> Section:
        """Run a command; its answer. Raises ViciError when charon reports a failure."""
        self._send(0, command, message or {}, timeout)
        return self._answer(command)

    def collect(self, command: str, event: str, message: Section | None = None) -> list[Section]:
        """Run a command whose answer comes as events."""
        self._send(3, event, None, 15)
        if self._receive()[0] != 5:
            raise ViciError(f"no event {event}")
        self._send(0, command, message or {}, 15)
        events: list[Section] = []
        self._answer(command, events)
        self._send(4, event, None, 15)
        self._receive()
        return events

    def _answer(self, command: str, events: list[Section] | None = None) -> Section:
        while True:
            kind, data = self._receive()
            if kind == 7 and events is not None:
                events.append(_decode(data[1 + data[0] :]))
            elif kind == 1:
                break
            else:
                raise ViciError(f"{command}: answered by a packet of type {kind}")
        answer = _decode(data)
        if answer.get("success", "yes") != "yes":
            raise ViciError(f"{command}: {answer.get('errmsg')}")
        return answer

    def _send(self, kind: int, name: str, message: Section | None, timeout: float) -> None:
        self._socket.settimeout(timeout)
        body = bytes([kind, len(name)]) + name.encode() + (_encode(message) if message is not None else b"")
        self._socket.sendall(struct.pack("!I", len(body)) + body)

    def _receive(self) -> tuple[int, bytes]:
        try:
            (size,) = struct.unpack("!I", self._exactly(4))
            body = self._exactly(size)
        except TimeoutError:
            raise ViciError("vici: no answer in time") from None
        return body[0], body[1:]

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            chunk = self._socket.recv(size - len(data))
            if not chunk:
                raise ViciError("vici: charon closed the connection")
            data += chunk
        return data


def _encode(section: Section) -> bytes:
    out = b""
    for name, value in section.items():
        key = bytes([len(name)]) + name.encode()
        if isinstance(value, dict):
            out += b"\1" + key + _encode(value) + b"\2"
        elif isinstance(value, list):
            items = b"".join(b"\5" + struct.pack("!H", len(item.encode())) + item.encode() for item in value)
            out += b"\4" + key + items + b"\6"
        else:
            out += b"\3" + key + struct.pack("!H", len(value.encode())) + value.encode()
    return out


def _decode(data: bytes) -> Section:
    root: Section = {}
    stack = [root]
    items: list[str] = []
    at = 0

    def take(width: int) -> str:
        nonlocal at
        size = int.from_bytes(data[at : at + width], "big")
        text = data[at + width : at + width + size].decode(errors="replace")
        at += width + size
        return text

    while at < len(data):
        kind, at = data[at], at + 1
        if kind == 1:
            inner: Section = {}
            stack[-1][take(1)] = inner
            stack.append(inner)
        elif kind == 2:
            stack.pop()
        elif kind == 3:
            key = take(1)
            stack[-1][key] = take(2)
        elif kind == 4:
            items = []
            stack[-1][take(1)] = items
        elif kind == 5:
            items.append(take(2))
    return root
