"""The file is read again while the daemon runs: on SIGHUP, or as the control socket asks for it.

It is read in a thread, since that takes half a second for a thousand connections. A file that cannot be used changes
nothing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator

from ikevd.config.load import Loaded
from ikevd.control import reload_shapes
from ikevd.control.reload import refused_view, reload_view
from ikevd.errors import Abandoned, ConfigError, IkeError
from ikevd.frozen import replace
from ikevd.host.links import Links
from ikevd.negotiation.engine import Engine
from ikevd.observe import log
from ikevd.observe.words import say_error
from ikevd.policy.changes import Changes, changes
from ikevd.policy.interface import InterfaceKind
from ikevd.policy.route_based import leaves_open, resolved
from ikevd.policy.selectors import Network
from ikevd.policy.settings import Config
from ikevd.service.notify import Notifier

SHORT_TURNS = 0.0005
"""Seconds after which the thread that reads lets the event loop have its turn; Python's own are 5 ms."""
MAX_NAMED = 50
"""Names in one line of the log."""


class Reloading:
    """One reload after the other."""

    def __init__(
        self,
        read: Callable[[], Loaded],
        engine: Engine,
        notifier: Notifier,
        before: Callable[[Config], Awaitable[None]],
        after: Callable[[Config], None],
        connected: Callable[[], Iterable[Network]] = tuple,
        told: tuple[str, ...] = (),
    ) -> None:
        """`read`: the file, as at the start. `before`: raises `IkeError` where this machine cannot do what the new
        configuration wants; `after`: what else follows from it. `connected`: the networks of this machine's
        interfaces; `told`: warnings of the file so far."""
        self._read = read
        self._engine = engine
        self._notifier = notifier
        self._before = before
        self._after = after
        self._connected = connected
        self._told = set(told)
        self._one = asyncio.Lock()
        self._asked = asyncio.Event()
        self._closed = False

    def ask(self) -> None:
        """SIGHUP came: `serve` reloads. Several that come meanwhile are one."""
        self._asked.set()

    async def serve(self) -> None:
        """For ever."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                await self.reload(dry_run=False)
            except Exception as bug:  # the next one may end better
                log.internal_error("a reload", bug)

    async def close(self) -> None:
        """One that is under way is done; no other begins."""
        self._closed = True
        async with self._one:
            pass

    async def reload(self, dry_run: bool) -> reload_shapes.Reload:
        """What the file changes. `dry_run`: nothing is carried out, and nothing logged."""
        async with self._one:
            if self._closed:
                raise Abandoned("ikevd is stopping")
            if dry_run:
                return await self._plan()
            self._notifier.reloading()
            try:
                return await self._carry_out()
            finally:
                self._notifier.ready("ikevd is ready")

    async def _plan(self) -> reload_shapes.Reload:
        try:
            loaded, found = await self._found()
        except IkeError as error:
            return refused_view(_problems(error), dry_run=True)
        return reload_view(found, dry_run=True, remarks=self._remarks(loaded, found))

    async def _carry_out(self) -> reload_shapes.Reload:
        try:
            loaded, found = await self._found()
            if found:
                await self._before(loaded.config)
            await self._engine.reload(loaded.config, found, self._connected())
        except IkeError as error:
            problems = _problems(error)
            for problem in problems:
                log.not_reloaded(problem)
            return refused_view(problems, dry_run=False)
        self._after(self._engine.config)
        remarks = list(self._remarks(loaded, found))
        self._told.update(loaded.warnings)
        _tell(found, remarks)
        return reload_view(found, dry_run=False, remarks=remarks)

    async def _found(self) -> tuple[Loaded, Changes]:
        """Raises `ConfigError`."""
        usual = sys.getswitchinterval()
        sys.setswitchinterval(SHORT_TURNS)
        try:
            return await asyncio.to_thread(self._compare, self._engine.config)
        finally:
            sys.setswitchinterval(usual)

    def _compare(self, present: Config) -> tuple[Loaded, Changes]:
        loaded = self._read()
        return loaded, changes(present, loaded.config)

    def _remarks(self, loaded: Loaded, found: Changes) -> Iterator[str]:
        yield from (warning for warning in loaded.warnings if warning not in self._told)
        for setting in found.settings:
            if setting.at_next_start:
                yield f"{setting.key} takes effect at the next start"
        if loaded.fixed:
            names = ", ".join(loaded.fixed[:MAX_NAMED]) + (", ..." if len(loaded.fixed) > MAX_NAMED else "")
            yield (
                f"credentials of the unit and environment variables are those of the start: a new key of {names} takes "
                "effect at the next start"
            )


def with_kinds(read: Callable[[], Loaded], links: Links) -> Callable[[], Loaded]:
    """As `read`; what the file leaves open about interfaces is asked of the kernel. For a thread: the event loop, in
    which this is called, asks."""
    loop = asyncio.get_running_loop()

    def read_and_ask() -> Loaded:
        loaded = read()
        if not leaves_open(loaded.config):
            return loaded
        kinds = asyncio.run_coroutine_threadsafe(_kinds(links), loop).result()
        return replace(loaded, config=resolved(loaded.config, kinds))

    return read_and_ask


async def _kinds(links: Links) -> Collection[InterfaceKind]:
    return await links.kinds()


def _problems(error: IkeError) -> tuple[str, ...]:
    return error.problems if isinstance(error, ConfigError) else (say_error(error),)


def _tell(found: Changes, remarks: list[str]) -> None:
    log.reloaded(
        unchanged=found.unchanged,
        changed=_few([one.name for one in found.changed]),
        removed=_few(found.removed),
        added=_few(found.added),
        settings=[one.key for one in found.settings if not one.at_next_start],
    )
    for remark in remarks:
        log.reload_remark(remark)


def _few(names: list[str] | tuple[str, ...]) -> list[str]:
    more = [f"and {len(names) - MAX_NAMED} more"] if len(names) > MAX_NAMED else []
    return [*names[:MAX_NAMED], *more]
