"""One run of a program: begun in a thread of its own, watched by the event loop, ended in time.

It has no shell, no standard output, no descriptor and no variable of the daemon's, and a process group of its own. Of
its standard error the last lines are kept.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ikevd import owners
from ikevd.errors import Finding
from ikevd.frozen import frozen
from ikevd.hook_findings import HookExited, HookKilled, HookNotRun, HookTimedOut
from ikevd.hooks.capabilities import confine
from ikevd.policy.updown import Updown
from ikevd.text import printable

GRACE = 2.0
"""Seconds from SIGTERM to SIGKILL."""
MAX_STDERR = 2048
"""Octets of standard error that are kept, the last ones."""
MAX_LINES = 5


@frozen
class Command:
    """What is run, and how."""

    program: str
    """An absolute path."""
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    timeout: float
    """Seconds after which it is told to end."""
    capabilities: tuple[str, ...] = ()
    given: bytes | None = None
    """What it reads from its standard input; None: nothing."""


@frozen
class Ended:
    """How it ended."""

    in_time: bool
    code: int
    """Negative: the signal that ended it."""
    stderr: tuple[str, ...]
    """The last lines that it wrote there."""


async def run(updown: Updown, environment: Mapping[str, str], child: str, *, up: bool) -> Finding | None:
    """An updown program, until it has ended; why it failed, or None. Where this is cancelled the program is ended."""
    told = (updown.program, child, up)
    try:
        ended = await end_of(
            Command(updown.program, updown.arguments, environment, updown.timeout, updown.capabilities)
        )
    except OSError as error:
        return HookNotRun(*told, reason=printable(error.strerror or str(error)))
    if not ended.in_time:
        return HookTimedOut(*told, ended.stderr, seconds=updown.timeout)
    if ended.code < 0:
        return HookKilled(*told, ended.stderr, signal=_name(-ended.code))
    return HookExited(*told, ended.stderr, code=ended.code) if ended.code else None


async def end_of(command: Command) -> Ended:
    """Runs it, until it has ended. Raises OSError, with the reason in words, where it cannot be run."""
    running = _watched(await _begin(command))
    try:
        in_time = await running.ended(command.timeout)
        if not in_time:
            await running.end()
    except asyncio.CancelledError:
        running.abandon()
        raise
    running.close()
    return Ended(in_time, running.code(), _lines(running.stderr))


async def _begin(command: Command) -> subprocess.Popen[bytes]:
    """Raises OSError, with the reason in words."""
    loop = asyncio.get_running_loop()
    begun: asyncio.Future[subprocess.Popen[bytes]] = loop.create_future()

    def begin() -> None:
        try:
            if found := owners.program_flaw(Path(command.program), owners.Account.current()):
                raise OSError(0, found)
            confine(command.capabilities)
            process = _popen(command)
        except Exception as error:
            loop.call_soon_threadsafe(begun.set_exception, error)
        else:
            loop.call_soon_threadsafe(begun.set_result, process)

    threading.Thread(target=begin, name="program", daemon=True).start()
    try:
        return await asyncio.shield(begun)
    except asyncio.CancelledError:
        begun.add_done_callback(_never_mind)
        raise


def _never_mind(begun: asyncio.Future[subprocess.Popen[bytes]]) -> None:
    """Nobody waits for what was begun."""
    if begun.exception() is None:
        with suppress(OSError):  # then it has been ended, too
            _watched(begun.result()).abandon()


def _popen(command: Command) -> subprocess.Popen[bytes]:
    with _readable(command.given) as given:
        return subprocess.Popen(
            [command.program, *command.arguments],
            env={name: value.encode("utf-8", "replace") for name, value in command.environment.items()},
            cwd="/",
            stdin=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


@contextmanager
def _readable(octets: bytes | None) -> Iterator[int]:
    """A descriptor from which just these are read, by whoever gets it: a file in memory, which blocks nobody."""
    if octets is None:
        yield subprocess.DEVNULL
        return
    with open(os.memfd_create("given"), "w+b") as file:
        file.write(octets)
        file.flush()
        file.seek(0)
        yield file.fileno()


def _watched(process: subprocess.Popen[bytes]) -> _Running:
    """Raises OSError where the daemon has no descriptor left to watch it by; then it has been ended."""
    running = _Running(process)
    try:
        running.watch()
    except OSError:
        running.abandon()
        raise
    return running


class _Running:
    """A process, and the end of what it writes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        self._process = process
        self._pipe = process.stderr
        self._loop = asyncio.get_running_loop()
        self._descriptor: int | None = None
        self._over = asyncio.Event()
        self.stderr = b""

    def watch(self) -> None:
        """Raises OSError."""
        self._descriptor = os.pidfd_open(self._process.pid)
        os.set_blocking(self._pipe.fileno(), False)
        self._loop.add_reader(self._pipe.fileno(), self._read)
        self._loop.add_reader(self._descriptor, self._ended)

    async def ended(self, seconds: float) -> bool:
        """Did it end within that time? What it has begun itself may go on."""
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return False
        self._read()
        return True

    async def end(self) -> None:
        """It is told to end, then ended, with all of its group."""
        self.signal(signal.SIGTERM)
        await self.ended(GRACE)
        self.signal(signal.SIGKILL)
        await self._over.wait()

    def signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            pass

    def abandon(self) -> None:
        """It is ended at once."""
        self.signal(signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        self.close()

    def close(self) -> None:
        self._loop.remove_reader(self._pipe.fileno())
        self._pipe.close()
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)

    def code(self) -> int:
        """Once it has ended: its exit code, or the number of the signal that ended it, negative."""
        return self._process.wait()

    def _read(self) -> None:
        try:
            octets = os.read(self._pipe.fileno(), 65536)
        except BlockingIOError:
            return
        self.stderr = (self.stderr + octets)[-MAX_STDERR:]
        if not octets:
            self._loop.remove_reader(self._pipe.fileno())

    def _ended(self) -> None:
        assert self._descriptor is not None
        self._loop.remove_reader(self._descriptor)
        self._over.set()


def _name(number: int) -> str:
    """Of a signal; most of the real-time ones have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _lines(octets: bytes) -> tuple[str, ...]:
    lines = octets.decode("utf-8", "replace").splitlines()
    return tuple([printable(line.strip()) for line in lines if line.strip()][-MAX_LINES:])
