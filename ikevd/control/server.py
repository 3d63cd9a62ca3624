"""The API's server: aiohttp on a unix socket that has its owner and mode before anybody can reach it."""

from __future__ import annotations

import asyncio
import grp
import json
import os
import pwd
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from ikevd import __version__
from ikevd.control.controller import EngineController, Progress, UnknownName
from ikevd.errors import ConfigError, IkeError
from ikevd.observe import log
from ikevd.observe.views import View
from ikevd.policy.model import Control

MAX_REQUEST = 64 * 1024
DEFAULT_TIMEOUT = 60.0
MAX_TIMEOUT = 3600.0
LAST = 20
Command = Callable[[str, Progress], Awaitable[None]]


class ControlServer:
    """Opens the socket, answers requests, removes the socket."""

    def __init__(self, controller: EngineController, settings: Control) -> None:
        self._controller = controller
        self._settings = settings
        app = web.Application(client_max_size=MAX_REQUEST, middlewares=[_plain_errors])
        app.add_routes(
            [
                web.get("/v1/version", self._version),
                web.get("/v1/status", self._status),
                web.get("/v1/trace", self._trace),
                web.post("/v1/up/{name:.+}", lambda request: self._run(request, self._controller.up)),
                web.post("/v1/down/{name:.+}", lambda request: self._run(request, self._controller.down)),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)

    async def start(self) -> None:
        """Listen; raises `ConfigError` where the socket cannot be made."""
        await self._runner.setup()
        try:
            listening = _open(self._settings)
        except OSError as error:
            raise ConfigError((f"control.socket {self._settings.path}: {error.strerror or error}",)) from error
        await web.SockSite(self._runner, listening, shutdown_timeout=1.0).start()

    async def close(self) -> None:
        """Stop answering and remove the socket file."""
        await self._runner.cleanup()
        self._settings.path.unlink(missing_ok=True)

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": __version__})

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response(await self._controller.status())

    async def _trace(self, request: web.Request) -> web.Response:
        query = request.query
        last = int(_number(query.get("last"), LAST, 2000))
        records = self._controller.trace(query.get("spi"), query.get("connection"), query.get("peer"), last)
        return web.json_response({"records": records})

    async def _run(self, request: web.Request, command: Command) -> web.StreamResponse:
        """One JSON line for each fact as it happens, and a last one with the outcome."""
        timeout = _number(request.query.get("timeout"), DEFAULT_TIMEOUT, MAX_TIMEOUT)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        lines: asyncio.Queue[View] = asyncio.Queue(maxsize=10_000)

        def progress(view: View) -> None:
            with suppress(asyncio.QueueFull):
                lines.put_nowait({"event": "fact", **view})

        work = asyncio.ensure_future(_outcome(command(request.match_info["name"], progress), timeout))
        await response.prepare(request)
        try:
            while not work.done() or not lines.empty():
                line = asyncio.ensure_future(lines.get())
                await asyncio.wait({work, line}, return_when=asyncio.FIRST_COMPLETED)
                if line.done():
                    await _write(response, line.result())
                else:
                    line.cancel()
            await _write(response, {"event": "end", **work.result()})
        finally:
            work.cancel()
        return response


async def _outcome(work: Awaitable[None], seconds: float) -> View:
    try:
        await asyncio.wait_for(work, seconds)
    except TimeoutError:
        return {"ok": False, "cause": f"not done within {seconds:g} s; the daemon goes on (see ikevd status)"}
    except IkeError as error:
        return {"ok": False, "cause": str(error), "error": type(error).__name__}
    return {"ok": True, "cause": None}


async def _write(response: web.StreamResponse, view: View) -> None:
    await response.write(json.dumps(view).encode() + b"\n")


@web.middleware
async def _plain_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every error is one sentence in JSON; a bug is logged here and shows nothing of itself to the client."""
    try:
        return await handler(request)
    except web.HTTPException as refusal:
        return web.json_response({"error": f"{refusal.reason}: {request.method} {request.path}"}, status=refusal.status)
    except UnknownName as error:
        return web.json_response({"error": str(error)}, status=404)
    except Exception as bug:
        log.internal_error(f"{request.method} {request.path}", bug)
        return web.json_response({"error": "internal error; see the log of ikevd"}, status=500)


def _number(text: str | None, default: float, most: float) -> float:
    try:
        number = float(text) if text is not None else default
    except ValueError:
        raise web.HTTPBadRequest(reason=f"{text!r} is not a number") from None
    if not 0 < number <= most:
        raise web.HTTPBadRequest(reason=f"{text} is not between 0 and {most:g}")
    return number


def _open(settings: Control) -> socket.socket:
    """Bound under another name, given its owner and mode, then moved to its place in one step."""
    path = settings.path
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if path.exists() and _answers(path):
        raise OSError(0, "another ikevd is listening there")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    before = os.umask(0o177)
    try:
        listening.bind(str(temporary))
        if settings.owner is not None:
            os.chown(temporary, *_ids(settings.owner))
        temporary.chmod(settings.mode)
        temporary.rename(path)
    except BaseException:
        listening.close()
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.umask(before)
    return listening


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


def _ids(owner: str) -> tuple[int, int]:
    user, _, group = owner.partition(":")
    try:
        return pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid if group else -1
    except KeyError as error:
        raise OSError(0, f"owner {owner}: {error.args[0]}") from error
