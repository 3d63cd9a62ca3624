"""The log: one line per fact. The only user of structlog."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import structlog

from ikevd.crypto.secret import Secret
from ikevd.facts import Dropped, Established, Failed, Hint, Note, Sent
from ikevd.observe.history import Entry, Record
from ikevd.observe.views import fact_fields
from ikevd.policy.model import LogFormat

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
UNLOGGED = ("wire", "path")
MAX_KINDS = 1000
"""Reasons of drops that were warned of already; one warning for each peer and reason."""
_log = structlog.get_logger()


def configure(style: LogFormat, level: str, stream: TextIO | None = None) -> None:
    """Lines go to standard error; journald or the terminal collects them."""
    out = stream or sys.stderr
    renderer: Any = structlog.processors.JSONRenderer()
    if style is LogFormat.CONSOLE:
        renderer = structlog.dev.ConsoleRenderer(colors=out.isatty(), pad_event_to=0, sort_keys=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )


def _redact(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """No octets reach a line: neither secrets nor whatever might hold one."""
    for key, value in event.items():
        if isinstance(value, Secret | bytes | bytearray | memoryview):
            event[key] = "<redacted>"
    return event


@dataclass(frozen=True, slots=True)
class Filter:
    """Which negotiations are logged; None: all."""

    spi: str | None = None
    connection: str | None = None
    peer: str | None = None


class FactLog:
    """A listener of the history. Each line names connection, peer and the pair of cookies (`spi`)."""

    def __init__(self, only: Filter) -> None:
        self._only = only
        self._warned: set[tuple[str, str]] = set()

    def __call__(self, record: Record, entry: Entry) -> None:
        """Log one fact."""
        if not record.matches(self._only.spi, self._only.connection, self._only.peer):
            return
        bound: dict[str, object] = {"connection": record.connection, "child": record.child}
        bound |= {"peer": str(record.peer), "spi": str(record.cookies)}
        if record.message_id:
            bound["message_id"] = f"{record.message_id:08x}"
        fields = {key: value for key, value in fact_fields(entry.fact).items() if key not in UNLOGGED}
        shown = {key: value for key, value in {**bound, **fields}.items() if value is not None}
        _log.log(self._level(record, entry), type(entry.fact).__name__.lower(), **shown)

    def _level(self, record: Record, entry: Entry) -> int:
        """Quiet in peace: messages are for debugging, results are news, failures are warnings."""
        match entry.fact:
            case Established():
                return LEVELS["info"]
            case Failed():
                return LEVELS["warning"]
            case Hint() | Note():
                return LEVELS["info"]
            case Dropped(reason=reason):
                return LEVELS["warning"] if self._first(str(record.peer.address), reason) else LEVELS["debug"]
            case Sent(label=label, copy=2) if label != "INFO":
                return LEVELS["info"]
            case _:
                return LEVELS["debug"]

    def _first(self, peer: str, reason: str) -> bool:
        if (peer, reason) in self._warned or len(self._warned) >= MAX_KINDS:
            return False
        self._warned.add((peer, reason))
        return True


# -- the daemon's own lines ---------------------------------------------------------------------------------------


def started(version: str, endpoints: tuple[str, ...], connections: int) -> None:
    """Ready to negotiate."""
    _log.info("started", version=version, listening=", ".join(endpoints), connections=connections)


def stopping() -> None:
    """The end has begun."""
    _log.info("stopping")


def warning(text: str) -> None:
    """One plain sentence that belongs to no negotiation."""
    _log.warning("warning", text=text)


def orphans(sas: int, policies: int) -> None:
    """What an earlier ikevd left in the kernel was removed."""
    _log.warning("removed what an earlier ikevd left in the kernel", sas=sas, policies=policies)


def key_log(path: Path) -> None:
    """Keys are written to a file, because the operator asked for it."""
    _log.warning("keys are being written to a file, as asked", path=str(path))


def internal_error(message: str, error: BaseException | None) -> None:
    """A bug: with its traceback, which holds no local values."""
    _log.error("internal error", text=message, exc_info=error)
