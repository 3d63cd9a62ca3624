"""The log: one line for each fact, and the daemon's own lines. The only user of structlog.

Levels: a message sent, heard or repeated is `debug`; hints, notes and results are `info`, failures `warning`. A dropped
message, or the failure of a stranger, is a warning once a minute per address and kind of error, else `debug`. Every
line of a negotiation carries connection, child, peer, the pair of cookies (`spi`) and the message id (`mid`).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePath
from typing import Any, TextIO

import structlog

from ikevd.facts import Dropped, Established, Failed, Heard, Hint, Note, Repeated, Sent
from ikevd.observe.history import Entry, Record
from ikevd.observe.rate import RateLimit
from ikevd.observe.text import printable
from ikevd.policy.model import LogFormat

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

_troubles = RateLimit()


def configure(form: LogFormat, level: str, stream: TextIO | None = None) -> None:
    """From here on lines of `level` and above go to `stream` (default: standard error)."""
    stream = sys.stderr if stream is None else stream
    colors = form is LogFormat.CONSOLE and stream.isatty() and not os.environ.get("NO_COLOR")
    renderer: Any = structlog.processors.JSONRenderer()
    if form is LogFormat.CONSOLE:
        renderer = structlog.dev.ConsoleRenderer(
            colors=colors, pad_event_to=0, sort_keys=False, exception_formatter=structlog.dev.plain_traceback
        )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: _Lines(stream),
        cache_logger_on_first_use=False,
    )


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """The one place that decides what a line may hold: words and numbers; octets and secrets never."""
    return {key: value if key == "exception" else _shown(value) for key, value in event.items()}


def _shown(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return printable(value)
        case IPv4Address() | IPv6Address() | PurePath():
            return printable(str(value))
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} octets>"
        case list() | tuple():
            return [_shown(item) for item in value]
        case _:
            return f"<{type(value).__name__}>"


class _Lines:
    """Writes lines. A log that cannot be written (full disk, closed pipe) must not end tunnels."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass

    debug = info = warning = error = critical = msg


@dataclass(frozen=True, slots=True)
class Filter:
    """Which negotiations are shown; None lets all pass."""

    spi: str | None = None
    connection: str | None = None
    peer: str | None = None

    def passes(self, record: Record) -> bool:
        """Does the negotiation fit?"""
        return record.matches(self.spi, self.connection, self.peer)


class FactLog:
    """A listener of `History`: one line for each fact of the negotiations that pass the filter."""

    def __init__(self, which: Filter) -> None:
        self._which = which
        self._peers = RateLimit()
        self._strangers = RateLimit()

    def __call__(self, record: Record, entry: Entry) -> None:
        if self._which.passes(record):
            self._write(record, entry)

    def _write(self, record: Record, entry: Entry) -> None:
        line = structlog.get_logger().bind(**_names(record))
        match entry.fact:
            case Sent(label, payloads, octets, _, copy):
                again = {"copy": copy} if copy > 1 else {}
                line.debug(f"sent {label}", payloads=" ".join(payloads), octets=len(octets), **again)
            case Heard(label, payloads, octets):
                line.debug(f"heard {label}", payloads=" ".join(payloads), octets=len(octets))
            case Repeated(label, answered):
                line.debug(f"the peer repeated {label}", answered=answered)
            case Dropped(label, reason, error, size):
                limit = self._peers if record.connection else self._strangers
                held_back = limit.held_back((record.peer.address, "dropped", error), entry.at)
                _warn(line, held_back, f"dropped, awaiting {label}: {reason}", error=error, octets=size)
            case Failed(reason, error):
                kind = record.peer.address, "failed", error
                held_back = 0 if record.connection else self._strangers.held_back(kind, entry.at)
                _warn(line, held_back, f"failed: {reason}", error=error)
            case Hint(notify):
                line.info(f"the peer says, unauthenticated: {notify}")
            case Note(text):
                line.info(text)
            case Established(text):
                line.info(f"established: {text}")


def _warn(line: Any, held_back: int | None, text: str, **keys: object) -> None:
    """A warning that tells how many were held back before it; None makes it a debug line (see `RateLimit`)."""
    if held_back is None:
        line.debug(text, **keys)
        return
    more = {"held_back": held_back} if held_back else {}
    line.warning(text, **keys, **more)


def _names(record: Record) -> dict[str, str]:
    """What tells one negotiation from another."""
    names = {"connection": record.connection, "child": record.child, "peer": str(record.peer)}
    names["spi"] = str(record.cookies)
    names["mid"] = f"{record.message_id:08x}" if record.message_id else None
    return {key: value for key, value in names.items() if value is not None}


# -- the daemon's own lines ---------------------------------------------------------------------------------------


def started(version: str) -> None:
    """Sockets are open and tunnels may come."""
    structlog.get_logger().info(f"ikevd {version} is ready", pid=os.getpid())


def stopping() -> None:
    """The end has begun."""
    structlog.get_logger().info("ikevd is stopping: taking tunnels down")


def stopped() -> None:
    """Nothing stands any more."""
    structlog.get_logger().info("ikevd has stopped")


def cannot_start(cause: str) -> None:
    """The daemon gives up before it was ready."""
    structlog.get_logger().error(f"ikevd cannot start: {cause}")


def config_warning(text: str) -> None:
    """Something in the configuration that somebody should look at."""
    structlog.get_logger().warning(text)


def orphans(sas: int, policies: int) -> None:
    """What a killed daemon left in the kernel was removed."""
    structlog.get_logger().warning("removed what a killed ikevd left in the kernel", sas=sas, policies=policies)


def key_log(path: PurePath) -> None:
    """Keys are written to a file: somebody should know."""
    structlog.get_logger().warning("session keys are written to a file, as --key-log asks", path=path)


def trouble(text: str) -> None:
    """Something that belongs to no negotiation. The same text is a warning once a minute."""
    _warn(structlog.get_logger(), _troubles.held_back(text, time.monotonic()), text)


def control(request: str, pid: int, uid: int, *, changes: bool) -> None:
    """Somebody used the control socket."""
    line = structlog.get_logger()
    (line.info if changes else line.debug)(f"control: {request}", pid=pid, uid=uid)


def bug(where: str, error: BaseException) -> None:
    """An error that nobody foresaw: with its traceback, without values of variables."""
    structlog.get_logger().error(f"internal error {where}", exc_info=error)


def loop_exception(_loop: object, context: Mapping[str, Any]) -> None:
    """For `loop.set_exception_handler`: what nobody awaited."""
    error, message = context.get("exception"), context.get("message", "in the event loop")
    if isinstance(error, BaseException):
        bug(f"({message})", error)
    else:
        structlog.get_logger().error(f"event loop: {message}")
