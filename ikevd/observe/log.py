"""The log: one line per fact. The only user of structlog.

Levels: a message sent, heard or repeated is `debug`, results, hints and notes are `info`, failures and dropped messages
`warning`. What strangers can cause without limit has a limit here: what goes beyond it becomes `debug`, and one line
tells how many those were.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path, PurePath
from typing import Any, TextIO

import structlog

from ikevd.crypto.secret import Secret
from ikevd.facts import Dropped, Established, Fact, Failed, Heard, Hint, Note, Sent
from ikevd.observe.history import Entry, Record
from ikevd.observe.rate import RateLimit
from ikevd.observe.text import printable
from ikevd.observe.views import fact_fields
from ikevd.policy.model import LogFormat

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
FIRST_COPY = 2
"""Of a message that had no answer: news."""
UNLOGGED = ("wire", "path", "finding")
_log = structlog.get_logger()
_limit = RateLimit()
"""Of the daemon's own lines that strangers can cause."""
_threshold = LEVELS["debug"]
"""Facts below it are not even put into words."""


def configure(style: LogFormat, level: str, stream: TextIO | None = None) -> None:
    """Lines go to standard error; journald or the terminal collects them."""
    global _limit, _threshold
    _limit = RateLimit()
    _threshold = LEVELS[level]
    out = stream or sys.stderr
    renderer: Any = structlog.processors.JSONRenderer()
    if style is LogFormat.CONSOLE:
        renderer = structlog.dev.ConsoleRenderer(
            colors=out.isatty(),
            pad_event_to=0,
            sort_keys=False,
            exception_formatter=structlog.dev.plain_traceback,  # the default one shows local values
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
        logger_factory=lambda *_: _Lines(out),
        cache_logger_on_first_use=False,
    )


def redact(_logger: object, _name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """The one place that decides what a line may hold: words and numbers. Octets, secrets and objects never."""
    return {key: _lines(value) if key == "exception" else _shown(value) for key, value in event.items()}


def _shown(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return printable(value)
        case IPv4Address() | IPv6Address() | PurePath():
            return printable(str(value))
        case Secret() | bytes() | bytearray() | memoryview():
            return "<redacted>"
        case list() | tuple():
            return [_shown(item) for item in value]
        case dict():
            return {str(_shown(key)): _shown(item) for key, item in value.items()}
        case _:
            return f"<{type(value).__name__}>"


def _lines(text: object) -> str:
    """A traceback keeps its line breaks."""
    return "\n".join(printable(line) for line in str(text).splitlines())


class _Lines:
    """Writes lines. A log that cannot be written (full disk, closed pipe) must hurt no negotiation."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: closed, or not to be encoded
            pass

    debug = info = warning = error = critical = msg


@dataclass(frozen=True, slots=True)
class Filter:
    """Which negotiations are logged; None: all."""

    spi: str | None = None
    connection: str | None = None
    peer: str | None = None


Owner = tuple[str | None, bool]
"""Connection, and whether that is certain."""
STRANGERS: Owner = (None, False)


def _owner(record: Record) -> Owner:
    return record.connection, record.authenticated


class FactLog:
    """A listener of the history. Each line names connection, peer and the pair of cookies (`spi`)."""

    def __init__(self, only: Filter) -> None:
        self._only = only
        self._limits: dict[Owner, RateLimit] = {}
        """A flood hides nothing of other connections, nor of what is certain to be the same one's."""

    def __call__(self, record: Record, entry: Entry) -> None:
        """Log one fact."""
        if _threshold > LEVELS["debug"] and _is_plain_message(entry.fact):
            return
        if not record.matches(self._only.spi, self._only.connection, self._only.peer):
            return
        for owner in dict.fromkeys((_owner(record), STRANGERS)):
            if limit := self._limits.get(owner):
                _tell_held_back(limit.turn(entry.at))
        level = self._level(record, entry)
        if level < _threshold:
            return
        bound: dict[str, object] = {"connection": record.connection, "child": record.child}
        bound |= {"peer": str(record.peer), "spi": str(record.cookies)}
        if record.message_id:
            bound["message_id"] = f"{record.message_id:08x}"
        fields = {key: value for key, value in fact_fields(entry.fact).items() if key not in UNLOGGED}
        shown = {key: value for key, value in {**bound, **fields}.items() if value is not None}
        _log.log(level, type(entry.fact).__name__.lower(), **shown)

    def _limit_of(self, owner: Owner, at: float) -> RateLimit:
        limit = self._limits.get(owner)
        if limit is None:
            limit = self._limits[owner] = RateLimit()
            limit.turn(at)
        return limit

    def _level(self, record: Record, entry: Entry) -> int:
        """Quiet in peace: messages are for debugging, results are news, failures are warnings."""
        match entry.fact:
            case Failed() if record.authenticated and record.initiator:
                return LEVELS["warning"]
            case Failed(error=error):
                return self._limited(record, entry, ("failed", error), "warning")
            case Dropped(label=label, error=error):
                return self._limited(record, entry, ("dropped", label, error), "warning")
            case Hint(notify=notify):
                return self._limited(record, entry, ("hint", int(notify)), "info")
            case Note() if not record.authenticated:
                return self._limited(record, entry, ("note",), "info")
            case Sent(label=label, copy=copy) if copy == FIRST_COPY and not record.authenticated:
                return self._limited(record, entry, ("sent", label), "info")
            case Established() | Note():
                return LEVELS["info"]
            case Sent(label=label, copy=copy) if copy == FIRST_COPY and label != "INFO":
                return LEVELS["info"]
            case _:
                return LEVELS["debug"]

    def _limited(self, record: Record, entry: Entry, kind: tuple[object, ...], level: str) -> int:
        """`kind` holds nothing of the peer's own words."""
        passes = self._limit_of(_owner(record), entry.at).passes(kind, record.peer.address)
        return LEVELS[level if passes else "debug"]


def _is_plain_message(fact: Fact) -> bool:
    """Most facts are, and are only for debugging."""
    return isinstance(fact, Heard) or (isinstance(fact, Sent) and fact.copy != FIRST_COPY)


def _tell_held_back(count: int) -> None:
    if count:
        _log.warning("lines held back", count=count, text="as many like those before were logged as debug only")


# -- the daemon's own lines ---------------------------------------------------------------------------------------


def started(version: str, endpoints: tuple[str, ...], connections: int) -> None:
    """Ready to negotiate."""
    _log.info("started", version=version, listening=", ".join(endpoints), connections=connections)


def stopping() -> None:
    """The end has begun."""
    _log.info("stopping")


def no_reload() -> None:
    """SIGHUP came."""
    _log.warning("warning", text="SIGHUP does nothing: there is no reload yet; a restart reads the configuration anew")


def warning(text: str) -> None:
    """One plain sentence that belongs to no negotiation; it begins with who caused it."""
    now = time.monotonic()
    _tell_held_back(_limit.turn(now))
    source, _, kind = text.partition(" ")
    level = "warning" if _limit.passes(kind, source) else "debug"
    _log.log(LEVELS[level], "warning", text=text)


def config_warning(text: str) -> None:
    """Something in the configuration that somebody should look at."""
    _log.warning("warning", text=text)


def commanded(request: str, pid: int, uid: int) -> None:
    """Somebody changes something through the control socket."""
    _log.info("commanded", request=request, pid=pid, uid=uid)


def orphans(sas: int, policies: int) -> None:
    """What an earlier ikevd left in the kernel was removed."""
    _log.warning("removed what an earlier ikevd left in the kernel", sas=sas, policies=policies)


def key_log(path: Path) -> None:
    """Keys are written to a file, because the operator asked for it."""
    _log.warning("keys are being written to a file, as asked", path=str(path))


def internal_error(message: str, error: BaseException | None) -> None:
    """A bug: with its traceback, which holds no local values. The same bug is an error once a minute."""
    _tell_held_back(_limit.turn(time.monotonic()))
    level = "error" if _limit.passes("bug", _place(error) or message) else "debug"
    _log.log(LEVELS[level], "internal error", text=message, exc_info=error)


def _place(error: BaseException | None) -> tuple[type[BaseException], str, int] | None:
    """What it is and where it was raised."""
    trace = error.__traceback__ if error else None
    while trace and trace.tb_next:
        trace = trace.tb_next
    return (type(error), trace.tb_frame.f_code.co_filename, trace.tb_lineno) if error and trace else None
