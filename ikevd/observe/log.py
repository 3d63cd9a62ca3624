"""The log: one line per fact. The only user of structlog.

Levels: a message sent, heard or repeated is `debug`, results, hints and notes are `info`, failures and dropped messages
`warning`. What strangers and peers can cause without limit has a limit here: what goes beyond it becomes `debug`, and
one line tells how many those were.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Hashable, Mapping, MutableMapping
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path, PurePath
from typing import Any, TextIO

import structlog

from ikevd.addresses import Address
from ikevd.crypto.secret import Secret
from ikevd.facts import Dropped, Established, Fact, Failed, Hint, Note, Sent
from ikevd.frozen import frozen
from ikevd.hook_findings import HookFailed
from ikevd.observe.history import Entry, Record
from ikevd.observe.rate import Limits
from ikevd.observe.views import fact_fields
from ikevd.policy.settings import LogFormat
from ikevd.text import printable

DEBUG, INFO = 10, 20
LEVELS = {"debug": DEBUG, "info": INFO, "warning": 30, "error": 40}
FIRST_COPY = 2
"""Of a message that had no answer: news."""
UNLOGGED = ("wire", "path", "finding")
_log = structlog.get_logger()
_threshold = DEBUG
"""Facts below it are not even put into words."""


def configure(style: LogFormat, level: str, stream: TextIO | None = None) -> None:
    """Lines go to standard error; journald or the terminal collects them."""
    global _limits, _threshold
    _limits = Limits(_tell_held_back)
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


@frozen
class Filter:
    """Which negotiations are logged; None: all."""

    spi: str | None = None
    names: frozenset[str] | None = None
    """Of connections, of children, or `connection/child`."""
    peer: str | None = None


Kind = tuple[object, ...]
"""Of a line. It holds nothing of the peer's own words."""
LINES_OF_A_PEER = 60
"""A minute, of one that is authenticated."""


class FactLog:
    """A listener of the history. Each line names connection, peer and the pair of cookies (`spi`)."""

    def __init__(self, only: Filter) -> None:
        self._only = only
        self._strangers: Limits[tuple[str | None, bool]] = Limits(lambda owner, count: _tell_held_back(owner[0], count))
        """A flood hides nothing of other connections, nor of what is certain to be the same one's."""
        self._peers: Limits[tuple[str | None, Address]] = Limits(
            lambda owner, count: _tell_held_back(owner[0], count),
            same=LINES_OF_A_PEER,
            each=LINES_OF_A_PEER,
            total=LINES_OF_A_PEER,
        )

    def __len__(self) -> int:
        """Of how many owners of lines something is remembered."""
        return len(self._strangers) + len(self._peers)

    def __call__(self, record: Record, entry: Entry) -> None:
        """Log one fact."""
        if _HIGHEST.get(type(entry.fact), DEBUG) < _threshold:
            return
        level = _level(record, entry.fact)
        if level < _threshold or not record.matches(self._only.spi, self._only.names, self._only.peer):
            return
        self._strangers.turn(entry.at)
        self._peers.turn(entry.at)
        if level > DEBUG and not self._passes(record, entry):
            level = DEBUG
            if level < _threshold:
                return
        bound: dict[str, object] = {"connection": record.connection, "child": record.child}
        bound |= {"peer": str(record.peer), "spi": str(record.cookies)}
        if record.message_id:
            bound["message_id"] = f"{record.message_id:08x}"
        fields = {key: value for key, value in fact_fields(entry.fact).items() if key not in UNLOGGED}
        shown = {key: value for key, value in {**bound, **fields}.items() if value is not None}
        _log.log(level, type(entry.fact).__name__.lower(), **shown)

    def _passes(self, record: Record, entry: Entry) -> bool:
        address, sure = record.peer.address, record.authenticated
        match entry.fact:
            case Failed() if sure and record.initiator:
                return True  # an attempt of ours, at our own pace
            case Established() | Note() | Sent() if sure:
                return self._peers.passes((record.connection, address), (), address, entry.at)
        return self._strangers.passes((record.connection, sure), _kind(entry.fact), address, entry.at)


def _level(record: Record, fact: Fact) -> int:
    """Quiet in peace: messages are for debugging, results are news, failures are warnings."""
    if type(fact) is Note and isinstance(fact.finding, HookFailed):
        return LEVELS["warning"]
    if type(fact) is Sent:
        new = fact.copy == FIRST_COPY and (fact.label != "INFO" or not record.authenticated)
        return INFO if new else DEBUG
    return INFO if type(fact) is Note else _HIGHEST.get(type(fact), DEBUG)


_HIGHEST: dict[type[Fact], int] = {
    Failed: LEVELS["warning"],
    Dropped: LEVELS["warning"],
    Note: LEVELS["warning"],
    Sent: INFO,
    Hint: INFO,
    Established: INFO,
}
"""The level of each kind of fact, where it has several the highest; of others DEBUG."""


def _kind(fact: Fact) -> Kind:
    match fact:
        case Failed(error=error):
            return "failed", error
        case Dropped(label=label, error=error):
            return "dropped", label, error
        case Hint(notify=notify):
            return "hint", int(notify)
        case Sent(label=label):
            return "sent", label
        case _:
            return (type(fact),)


def _tell_held_back(connection: str | None, count: int) -> None:
    whose = {} if connection is None else {"connection": connection}
    _log.warning("lines held back", **whose, count=count, text="as many like those before were logged as debug only")


_limits: Limits[None] = Limits(_tell_held_back)
"""Of the daemon's own lines that strangers can cause."""


# -- the daemon's own lines ---------------------------------------------------------------------------------------


def started(version: str, endpoints: tuple[str, ...], connections: int) -> None:
    """Ready to negotiate."""
    _log.info("started", version=version, listening=", ".join(endpoints), connections=connections)


def stopping() -> None:
    """The end has begun."""
    _log.info("stopping")


def reloaded(*, unchanged: int, changed: list[str], removed: list[str], added: list[str], settings: list[str]) -> None:
    """The file was read again: how many connections are what they were, and the names of what is not."""
    _log.info("reloaded", unchanged=unchanged, changed=changed, removed=removed, added=added, settings=settings)


def not_reloaded(problem: str) -> None:
    """The file was read again and cannot be used, or not be carried out; one line for each problem."""
    _log.error("not reloaded", text=f"nothing has changed: {problem}")


def reload_remark(text: str) -> None:
    """What somebody should know of a reload."""
    _log.warning("warning", text=text)


def warning(text: str) -> None:
    """One plain sentence that belongs to no negotiation; it begins with who caused it."""
    source, _, kind = text.partition(" ")
    _log.log(_limited("warning", kind, source), "warning", text=text)


def config_warning(text: str) -> None:
    """Something in the configuration that somebody should look at."""
    _log.warning("warning", text=text)


def commanded(request: str, pid: int, uid: int) -> None:
    """Somebody changes something through the control socket."""
    _log.info("commanded", request=request, pid=pid, uid=uid)


def restored(peers: int) -> None:
    """What an earlier process left goes on."""
    _log.info("took over the peers of the process before", peers=peers)


def handed_over(*, sockets_stay: bool) -> None:
    """The process ends, its tunnels do not. `sockets_stay`: are the UDP sockets held after a full stop?"""
    without = "" if sockets_stay else " (ESP in UDP only if ikevd is restarted at once: nobody holds the UDP sockets)"
    _log.info(
        f"the tunnels stay in the kernel for the next ikevd, each until its lifetime ends{without}; "
        "`ikevd down --all` before the stop, or on_stop: down, takes them down"
    )


def key_log(path: Path) -> None:
    """Keys are written to a file, because the operator asked for it."""
    _log.warning("keys are being written to a file, as asked", path=str(path))


def internal_error(message: str, error: BaseException | None) -> None:
    """A bug: with its traceback, which holds no local values. The same bug is an error once a minute."""
    level = _limited("error", "bug", _place(error) or message)
    _log.log(level, "internal error", text=message, exc_info=error)


def _limited(level: str, kind: Hashable, source: Hashable) -> int:
    """`level`, or that of debugging beyond the limit; at levels that write nothing nothing is counted."""
    now = time.monotonic()
    _limits.turn(now)
    shown = LEVELS[level] < _threshold or _limits.passes(None, kind, source, now)
    return LEVELS[level if shown else "debug"]


def _place(error: BaseException | None) -> tuple[type[BaseException], str, int] | None:
    """What it is and where it was raised."""
    trace = error.__traceback__ if error else None
    while trace and trace.tb_next:
        trace = trace.tb_next
    return (type(error), trace.tb_frame.f_code.co_filename, trace.tb_lineno) if error and trace else None
